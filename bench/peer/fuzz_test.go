package peer

import (
	"net"
	"testing"
	"time"

	"smsplane/pdu"
)

// sink is a connection that takes everything and gives nothing.
type sink struct{ net.Conn }

func (sink) Write(b []byte) (int, error)      { return len(b), nil }
func (sink) Close() error                     { return nil }
func (sink) SetReadDeadline(time.Time) error  { return nil }
func (sink) SetWriteDeadline(time.Time) error { return nil }

// FuzzPeersTakeAnything feeds both peers octets from anywhere, bound already, in two pieces. They must not panic, must
// not read past what is there, and must leave their counts sound.
func FuzzPeersTakeAnything(f *testing.F) {
	receipt := delivery{id: 77, srcLen: 3, dstLen: 3, src: [21]byte{'1', '2', '3'}, dst: [21]byte{'4', '5', '6'}}
	submit := newTemplate(&Load{From: "me", To: "49", TextLen: 30, Receipts: true}, 9).put(nil, 3, 5)
	for _, seed := range [][]byte{
		submit,
		appendDelivery(nil, 9, &receipt, 1),
		pdu.AppendMessageResp(nil, pdu.SubmitSM, pdu.ROK, 2, []byte("77")),
		pdu.AppendPlain(pdu.AppendPlain(nil, pdu.EnquireLink, 0, 1), pdu.Unbind, 0, 2),
		pdu.AppendPlain(nil, pdu.SubmitSMResp, pdu.RThrottled, 2),
		pdu.AppendBind(nil, &pdu.Bind{Command: pdu.BindTransceiver, SystemID: "a", Password: "b"}, 1),
		{0, 0, 0, 3}, {0xFF, 0xFF, 0xFF, 0xFF}, {0, 0, 0, 16, 0, 0, 0, 5},
	} {
		f.Add(seed, uint16(len(seed)/2))
	}
	f.Fuzz(func(t *testing.T, b []byte, cut uint16) {
		carrier := &Carrier{conns: map[*carrierConn]struct{}{}, boxes: map[string]*mailbox{}}
		carrier.set(Behaviour{Receipts: "all", ReceiptWindow: 2})
		cc := newCarrierConn(carrier, sink{}, 0)
		cc.enter(pdu.BindTransceiver, "fuzz")
		client, err := NewClient(ClientOptions{Window: 4})
		if err != nil {
			t.Fatal(err)
		}
		client.load = Load{Receipts: true}
		client.plan.count = 8
		s := newSession(client, sink{}, pdu.BindTransceiver, nil)
		s.tmpl = newTemplate(&Load{From: "me", To: "49", TextLen: 30}, 1)
		s.poke(batch)
		feed(&cc.wire, b, int(cut), cc.handle, cc.turn)
		feed(&s.wire, b, int(cut), s.handle, s.turn)
		cc.leave()
		s.end()
		if cc.unacked < 0 || s.open < 0 || s.open > 4 || int64(s.open) != client.n.outstanding.Load() {
			t.Fatalf("unacked %d, open %d, outstanding %d", cc.unacked, s.open, client.n.outstanding.Load())
		}
		if n := carrier.Tally(); n.Submits != n.Taken+n.Throttled+n.Malformed {
			t.Fatalf("%d submit_sm are not %d taken, %d throttled and %d malformed", n.Submits, n.Taken, n.Throttled, n.Malformed)
		}
	})
}

func feed(w *wire, b []byte, cut int, handle func(int64, pdu.Header, []byte) bool, turn func(int64)) {
	cut = min(cut, len(b))
	n, err := w.step(b[:cut:cut], handle, turn)
	if err == nil {
		w.step(b[n:], handle, turn)
	}
}
