package dataplane

import (
	"encoding/binary"

	"smsplane/dataplane/cluster"
	"smsplane/ledger"
	"smsplane/router"
)

// A frame between a guest and the owner of the links: direction u8, number of the stay u64, number of the frame u64, events.
// An event: kind u8, lane u16, session u32, seq u32, status u32, id u64, at i64, number u64, octets u32, data. All big endian.
//
// stayVersion is told in a host's hello: hosts that do not speak the same one are no guests of each other. It grows with
// whatever changes the meaning of a frame.
const (
	stayVersion = 1

	toOwner  = 1
	toGuest  = 2
	stayHead = 17
	wireHead = 43
)

var be = binary.BigEndian

// wireKinds are the events that frames carry, by their number there.
var wireKinds = [...]eventKind{1: evSend, 2: evAnswer, 3: evLate, 4: evLost, 5: evUnsent, 6: evAlert, 7: evErrand, 8: evErrandDone, 9: evHold, 10: evWant, 11: evBack,
	12: evTook, 13: evBeat, 14: evStamp, 15: evOpen, 16: evShut, 17: evOver, 18: evClaim, 19: evLend, 20: evGiven}

// wireKind is the inverse.
var wireKind = func() (n [evLast]byte) {
	for i, k := range wireKinds {
		n[k] = byte(i)
	}
	return n
}()

// frame is one that was heard.
type frame struct {
	from    uint64
	dir     byte
	stay, n uint64
	body    []byte
}

func appendFrameHead(dst []byte, dir byte, stay, n uint64) []byte {
	dst = append(dst, dir)
	dst = be.AppendUint64(dst, stay)
	return be.AppendUint64(dst, n)
}

func appendEvents(dst []byte, all []event) []byte {
	for i := range all {
		e := &all[i]
		dst = append(dst, wireKind[e.kind])
		dst = be.AppendUint16(dst, e.lane)
		dst = be.AppendUint32(dst, e.session)
		dst = be.AppendUint32(dst, e.seq)
		dst = be.AppendUint32(dst, e.status)
		dst = be.AppendUint64(dst, uint64(e.id))
		dst = be.AppendUint64(dst, uint64(e.at))
		dst = be.AppendUint64(dst, uint64(e.number))
		dst = be.AppendUint32(dst, uint32(len(e.data)))
		dst = append(dst, e.data...)
	}
	return dst
}

// parseFrame reads the head; false for what no host of ours says.
func parseFrame(from uint64, b []byte) (f frame, ok bool) {
	if len(b) < stayHead {
		return f, false
	}
	return frame{from: from, dir: b[0], stay: be.Uint64(b[1:]), n: be.Uint64(b[9:]), body: b[stayHead:]}, true
}

// each hands out the events. Their data is the frame's.
func (f *frame) each(do func(e *event)) {
	for b := f.body; len(b) >= wireHead; {
		e := event{lane: be.Uint16(b[1:]), session: be.Uint32(b[3:]), seq: be.Uint32(b[7:]), status: be.Uint32(b[11:]),
			id: ledger.MsgID(be.Uint64(b[15:])), at: int64(be.Uint64(b[23:])), number: router.Number(be.Uint64(b[31:]))}
		kind, n := int(b[0]), int(be.Uint32(b[39:]))
		if b = b[wireHead:]; n > len(b) {
			return
		}
		if n > 0 {
			e.data, b = b[:n:n], b[n:]
		}
		if kind < len(wireKinds) {
			e.kind = wireKinds[kind]
		}
		do(&e)
	}
}

// heardLink takes a frame of another host.
func (x *executor) heardLink(v *letter) {
	f, ok := parseFrame(v.from, v.data)
	switch {
	case !ok:
	case f.dir == toOwner:
		x.fromGuest(&f, x.now)
	case f.dir == toGuest:
		x.fromOwner(&f, x.now)
	}
}

// sayLink is how a host tells another one frame, false: it is lost.
func (n *Node) sayLink(to uint64, frame []byte) bool {
	p := (*n.members.ways.Load())[to]
	return p != nil && p.Send(cluster.Link, 0, frame)
}
