package peer

import (
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"smsplane/pdu"
)

// carrierConn is one connection to a carrier. wire.mu guards all but bound.
//
//	submit_sm ─▶ judge ─▶ answers (delayed) ─▶ out
//	                └──▶ earned ─▶ mailbox ─▶ waiting (sent, unanswered) ─▶ gone
type carrierConn struct {
	wire
	c     *Carrier
	timer *time.Timer // gives a turn when something falls due
	armed int64       // what timer waits for, 0 = nothing
	rnd   *rand.Rand
	bound atomic.Bool

	command  pdu.Command // of the bind, 0 before it
	box      *mailbox
	message  pdu.Message
	run      uint32 // of the last tag seen, and its arrivals
	arrivals *Arrivals

	answers fifo[answer]
	earned  []delivery // receipts made in this turn
	going   []delivery // deliveries leaving in this turn

	seq     uint32     // last deliver_sm
	waiting []delivery // by sequence number
	used    []uint32   // sequence number in that place, 0 = free
	unacked int

	submits int64 // of this connection
	mute    bool  // half-open: hears and says nothing
	leaving bool  // unbinds at the end of the turn
	parted  bool  // has unbound: takes and answers what was on its way, delivers nothing
	spew    bool  // writes garbage at the end of the turn
}

// answer is a submit_sm_resp to be written at due.
type answer struct {
	due    int64
	id     uint64
	seq    uint32
	status pdu.Status
	form   idForm
}

func newCarrierConn(c *Carrier, nc net.Conn, no uint64) *carrierConn {
	cc := &carrierConn{wire: newWire(nc), c: c, rnd: rand.New(rand.NewPCG(c.o.Seed, no))}
	cc.timer = time.AfterFunc(time.Hour, cc.onTimer)
	cc.timer.Stop()
	cc.start()
	return cc
}

func (cc *carrierConn) serve() {
	defer cc.c.done.Done()
	defer cc.leave()
	cc.nc.SetReadDeadline(time.Now().Add(bindTimeout)) // lifted by the bind
	cc.read(nil, cc.handle, cc.turn)                   // its error is the peer's going, or already told to it
}

// leave hands over what this connection had not delivered.
func (cc *carrierConn) leave() {
	cc.timer.Stop()
	cc.end()
	cc.bound.Store(false)
	if cc.box != nil {
		cc.box.leave(cc)
		cc.requeue()
	}
	cc.c.mu.Lock()
	delete(cc.c.conns, cc)
	cc.c.mu.Unlock()
}

func (cc *carrierConn) requeue() {
	cc.mu.Lock()
	var left []delivery
	for i, seq := range cc.used {
		if seq != 0 {
			left = append(left, cc.waiting[i])
		}
	}
	cc.used, cc.waiting, cc.unacked = nil, nil, 0
	left = append(left, cc.earned...)
	cc.mu.Unlock()
	cc.c.n.again.Add(int64(len(left)))
	cc.c.n.dropped.Add(int64(cc.box.put(left)))
	cc.box.poke(clock())
}

func (cc *carrierConn) onTimer() {
	cc.mu.Lock()
	defer cc.mu.Unlock()
	cc.armed = 0
	if !cc.ending {
		cc.turn(clock())
		cc.flush()
	}
}

// arm asks for a turn at due at the latest.
func (cc *carrierConn) arm(due int64) {
	if due > 0 && (cc.armed == 0 || due < cc.armed) {
		cc.armed = due
		cc.timer.Reset(time.Duration(max(due-clock(), 0)))
	}
}

// turn writes what is due: answers first, unless receipts are to come early, then deliveries as far as the window allows.
func (cc *carrierConn) turn(now int64) {
	if cc.mute {
		return
	}
	early := cc.c.behaviour.Load().ReceiptEarly
	if early {
		cc.deliveries(now)
	}
	cc.due(now)
	if cc.answers.len() > 0 {
		cc.arm(cc.answers.first().due)
	}
	if !early {
		cc.deliveries(now)
	}
	cc.part()
}

func (cc *carrierConn) deliveries(now int64) {
	if len(cc.earned) > 0 {
		cc.c.n.dropped.Add(int64(cc.box.put(cc.earned)))
		cc.earned = cc.earned[:0]
		if cc.used == nil { // a transmitter: another bind carries them
			cc.box.poke(now)
		}
	}
	if cc.used != nil && !cc.parted {
		cc.deliver(now)
	}
}

func (cc *carrierConn) answer(a *answer) {
	if a.status != pdu.ROK {
		cc.out = pdu.AppendPlain(cc.out, pdu.SubmitSMResp, a.status, a.seq)
		return
	}
	var id [40]byte
	cc.out = pdu.AppendMessageResp(cc.out, pdu.SubmitSM, pdu.ROK, a.seq, appendID(id[:0], a.form, a.id))
}

// handle takes one PDU of the peer; false ends the connection.
func (cc *carrierConn) handle(now int64, h pdu.Header, p []byte) bool {
	switch {
	case cc.mute:
	case cc.command == 0:
		return cc.bind(h, p)
	case h.Command == pdu.SubmitSM && cc.command != pdu.BindReceiver:
		cc.submit(now, h, p)
		return !cc.ending
	case h.Command == pdu.DeliverSMResp:
		cc.delivered(now, h)
	case h.Command == pdu.EnquireLink && cc.c.behaviour.Load().Mischief.CloseOnEnquire:
		return false
	case h.Command == pdu.EnquireLink:
		cc.out = pdu.AppendPlain(cc.out, pdu.EnquireLinkResp, pdu.ROK, h.Sequence)
	case h.Command == pdu.Unbind:
		for ; cc.answers.len() > 0; cc.answers.drop() { // owed before the session ends, late or not
			cc.answer(cc.answers.first())
		}
		cc.out = pdu.AppendPlain(cc.out, pdu.UnbindResp, pdu.ROK, h.Sequence)
		return false
	case h.Command.IsResp():
	case h.Command == pdu.SubmitSM:
		cc.out = pdu.AppendPlain(cc.out, pdu.SubmitSMResp, pdu.RInvBndSts, h.Sequence)
	default:
		cc.out = pdu.AppendPlain(cc.out, pdu.GenericNack, pdu.RInvCmdID, h.Sequence)
	}
	return true
}

func (cc *carrierConn) bind(h pdu.Header, p []byte) bool {
	switch h.Command {
	case pdu.BindReceiver, pdu.BindTransmitter, pdu.BindTransceiver:
	default:
		if !h.Command.IsResp() {
			cc.out = pdu.AppendPlain(cc.out, h.Command.Resp(), pdu.RInvBndSts, h.Sequence)
		}
		return false
	}
	b, st := pdu.ParseBind(p)
	cc.c.admit.Lock()
	defer cc.c.admit.Unlock()
	o := &cc.c.o
	switch {
	case st != pdu.ROK:
	case o.SystemID != "" && b.SystemID != o.SystemID:
		st = pdu.RInvSysID
	case o.Password != "" && b.Password != o.Password:
		st = pdu.RInvPaswd
	case cc.c.box(b.SystemID) == nil:
		st = pdu.RBindFail
	default:
		st = cc.refusal()
	}
	cc.out = pdu.AppendBindResp(cc.out, h.Command, st, h.Sequence, o.Name, 0x34)
	if st != pdu.ROK {
		cc.c.n.bindsRefused.Add(1)
		return false
	}
	cc.enter(h.Command, b.SystemID)
	return true
}

func (cc *carrierConn) enter(command pdu.Command, systemID string) {
	cc.nc.SetReadDeadline(time.Time{})
	cc.command, cc.box = command, cc.c.box(systemID)
	if command != pdu.BindTransmitter {
		size := 2
		for size < 2*cc.c.behaviour.Load().ReceiptWindow {
			size *= 2
		}
		cc.waiting, cc.used = make([]delivery, size), make([]uint32, size)
		cc.box.join(cc)
	}
	cc.c.n.binds.Add(1)
	cc.bound.Store(true)
}
