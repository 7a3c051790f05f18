package peer

import (
	"net"
	"slices"
	"sync"
	"testing"

	"smsplane/pdu"
)

// relay stands where the appliance stands and spoils what passes through it, to prove that the account sees it.
//
// spoil gets every PDU (up: from the client) and returns what goes on in its direction, and what goes back.
type relay struct {
	ln    net.Listener
	to    string
	spoil func(up bool, h pdu.Header, p []byte) (on, back []byte)
}

func startRelay(t *testing.T, to string, spoil func(up bool, h pdu.Header, p []byte) (on, back []byte)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{ln: ln, to: to, spoil: spoil}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			carrier, err := net.Dial("tcp", r.to)
			if err != nil {
				client.Close()
				return
			}
			link := &relayed{r: r}
			go link.pass(true, client, carrier)
			go link.pass(false, carrier, client)
		}
	}()
	return ln.Addr().String()
}

type relayed struct {
	r  *relay
	mu sync.Mutex // both directions write to both sides
}

func (l *relayed) pass(up bool, from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 1<<20)
	for have := 0; ; {
		n, err := from.Read(buf[have:])
		if err != nil {
			return
		}
		have += n
		var on, back []byte
		done := 0
		for {
			n, _ := pdu.Frame(buf[done:have], maxPDU)
			if n == 0 {
				break
			}
			p := buf[done : done+n]
			o, b := l.r.spoil(up, pdu.ParseHeader(p), p)
			on, back = append(on, o...), append(back, b...)
			done += n
		}
		have = copy(buf, buf[done:have])
		l.mu.Lock()
		to.Write(on)
		from.Write(back)
		l.mu.Unlock()
	}
}

// every says yes to one PDU in n of a kind.
func every(n int, c pdu.Command) func(h pdu.Header) bool {
	var mu sync.Mutex
	seen := 0
	return func(h pdu.Header) bool {
		if h.Command != c {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		seen++
		return seen%n == 0
	}
}

const marked = 0x40000000 // in sequence numbers the relay made up

func TestAccountSeesWhatARelaySpoils(t *testing.T) {
	const n, in = 1000, 100
	for _, tt := range []struct {
		name  string
		spoil func() func(up bool, h pdu.Header, p []byte) (on, back []byte)
		count func(r Report, a Account) int64
	}{
		{"lost", func() func(bool, pdu.Header, []byte) ([]byte, []byte) {
			pick := every(in, pdu.SubmitSM)
			return func(up bool, h pdu.Header, p []byte) (on, back []byte) {
				if pick(h) {
					return nil, pdu.AppendMessageResp(nil, pdu.SubmitSM, pdu.ROK, h.Sequence, []byte{'L', byte(h.Sequence >> 8), byte(h.Sequence) | 1})
				}
				return p, nil
			}
		}, func(_ Report, a Account) int64 { return a.Lost }},
		{"sent twice", func() func(bool, pdu.Header, []byte) ([]byte, []byte) {
			pick := every(in, pdu.SubmitSM)
			return func(up bool, h pdu.Header, p []byte) (on, back []byte) {
				switch {
				case pick(h):
					on = append(on, p...)
					on = append(on, p...)
					pdu.SetSequence(on[len(p):], h.Sequence|marked)
					return on, nil
				case !up && h.Command == pdu.SubmitSMResp && h.Sequence&marked != 0:
					return nil, nil
				}
				return p, nil
			}
		}, func(_ Report, a Account) int64 { return a.Duplicated }},
		{"refused and yet sent", func() func(bool, pdu.Header, []byte) ([]byte, []byte) {
			pick := every(in, pdu.SubmitSMResp)
			return func(up bool, h pdu.Header, p []byte) (on, back []byte) {
				if pick(h) {
					return pdu.AppendPlain(nil, pdu.SubmitSMResp, pdu.RSysErr, h.Sequence), nil
				}
				return p, nil
			}
		}, func(_ Report, a Account) int64 { return a.Contradicted }},
		{"receipt missing", func() func(bool, pdu.Header, []byte) ([]byte, []byte) {
			pick := every(in, pdu.DeliverSM)
			return func(up bool, h pdu.Header, p []byte) (on, back []byte) {
				if pick(h) {
					return nil, nil
				}
				return p, nil
			}
		}, func(r Report, _ Account) int64 { return r.Receipts.Missing }},
		{"receipt twice", func() func(bool, pdu.Header, []byte) ([]byte, []byte) {
			pick := every(in, pdu.DeliverSM)
			return func(up bool, h pdu.Header, p []byte) (on, back []byte) {
				on = append(on, p...)
				if pick(h) {
					on = append(on, p...)
				}
				return on, nil
			}
		}, func(r Report, _ Account) int64 { return r.Receipts.Duplicate }},
		{"receipt from a wrong address", func() func(bool, pdu.Header, []byte) ([]byte, []byte) {
			pick := every(in, pdu.DeliverSM)
			return func(up bool, h pdu.Header, p []byte) (on, back []byte) {
				if pick(h) {
					var m pdu.Message
					m.Parse(p)
					last := &m.SrcAddr()[len(m.SrcAddr())-1]
					*last = '0' + (*last-'0'+1)%10
				}
				return p, nil
			}
		}, func(r Report, _ Account) int64 { return r.Receipts.Mismatched }},
		{"receipt whose text names another message", func() func(bool, pdu.Header, []byte) ([]byte, []byte) {
			pick := every(in, pdu.DeliverSM)
			return func(up bool, h pdu.Header, p []byte) (on, back []byte) {
				if pick(h) {
					var m pdu.Message
					m.Parse(p)
					m.UserData()[len("id:")] ^= 1
				}
				return p, nil
			}
		}, func(r Report, _ Account) int64 { return r.Receipts.Mismatched }},
		{"id given twice", func() func(bool, pdu.Header, []byte) ([]byte, []byte) {
			pick := every(in, pdu.SubmitSMResp)
			return func(up bool, h pdu.Header, p []byte) (on, back []byte) {
				if pick(h) {
					return pdu.AppendMessageResp(nil, pdu.SubmitSM, pdu.ROK, h.Sequence, []byte("again")), nil
				}
				return p, nil
			}
		}, func(r Report, _ Account) int64 { return r.Receipts.Mismatched + 1 }}, // the first use is no repeat
		{"receipt for nobody", func() func(bool, pdu.Header, []byte) ([]byte, []byte) {
			pick := every(in, pdu.DeliverSM)
			return func(up bool, h pdu.Header, p []byte) (on, back []byte) {
				if pick(h) {
					return (&pdu.Submit{Command: pdu.DeliverSM, ESMClass: pdu.ESMReceipt, Text: []byte("id:n" + string(rune('A'+h.Sequence/in)) + " stat:DELIVRD")}).Append(slices.Clip(p), h.Sequence|marked), nil
				}
				return p, nil
			}
		}, func(r Report, _ Account) int64 { return r.Receipts.Unknown }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			carrier := startCarrier(t, CarrierOptions{Behaviour: Behaviour{Receipts: "all"}})
			c := dialTo(t, startRelay(t, carrier.Addr(), tt.spoil()), ClientOptions{Window: 20})
			if err := c.Run(within(t), Load{Count: n, Receipts: true}); err != nil {
				t.Fatal(err)
			}
			eventually(t, func() bool { return tt.count(c.Report(), c.Account(carrier.Tally())) == n/in })
			r, a := c.Report(), c.Account(carrier.Tally())
			if len(Problems(&r, &a)) == 0 {
				t.Error("nothing is called a problem")
			}
		})
	}
}
