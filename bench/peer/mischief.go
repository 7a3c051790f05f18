package peer

import (
	"errors"
	"fmt"
	"net"

	"smsplane/pdu"
)

// Mischief is how a simulated carrier breaks the rules. The zero Mischief keeps them. "Every" counts the submit_sm of
// one connection, from 1, and strikes at each multiple; 0 is never.
type Mischief struct {
	AnswerTwice    bool   `json:"answer_twice"`     // each submit_sm_resp leaves twice
	Backwards      bool   `json:"backwards"`        // answers that are due together leave in reverse order
	StrangeAnswers bool   `json:"strange_answers"`  // before each answer one to a sequence_number nobody used
	NeverEvery     int    `json:"never_every"`      // takes the message and never answers
	SwallowEvery   int    `json:"swallow_every"`    // neither takes nor answers the message
	ResetEvery     int    `json:"reset_every"`      // takes the message, then ends the connection with a RST, all answers owed
	PoisonTo       string `json:"poison_to"`        // the same for every message to this number
	UnbindEvery    int    `json:"unbind_every"`     // answers what it owes and unbinds
	GarbageEvery   int    `json:"garbage_every"`    // writes octets that are no SMPP
	HalfOpenEvery  int    `json:"half_open_every"`  // from then on reads and writes nothing, and keeps the connection
	CloseOnEnquire bool   `json:"close_on_enquire"` // ends the connection at an enquire_link

	RefuseBinds  int        `json:"refuse_binds"`  // so many binds are refused with RefuseStatus
	RefuseStatus pdu.Status `json:"refuse_status"` // default ESME_RBINDFAIL
	MaxBinds     int        `json:"max_binds"`     // binds beyond are refused with ESME_RALYBND; 0 = no limit

	ReceiptsTwice      bool `json:"receipts_twice"`      // each receipt leaves twice
	ReceiptsContradict bool `json:"receipts_contradict"` // behind each receipt comes one that says the opposite
}

func (m *Mischief) validate() error {
	for _, n := range [...]int{m.NeverEvery, m.SwallowEvery, m.ResetEvery, m.UnbindEvery, m.GarbageEvery, m.HalfOpenEvery, m.RefuseBinds, m.MaxBinds} {
		if n < 0 {
			return errors.New("counts of mischief cannot be negative")
		}
	}
	return nil
}

func strikes(every int, n int64) bool { return every > 0 && n%int64(every) == 0 }

// refusal is the status of a bind that mischief refuses; ROK for none.
func (cc *carrierConn) refusal() pdu.Status {
	m := &cc.c.behaviour.Load().Mischief
	if m.RefuseBinds > 0 && cc.c.n.bindsRefused.Load() < int64(m.RefuseBinds) {
		if m.RefuseStatus == pdu.ROK {
			return pdu.RBindFail
		}
		return m.RefuseStatus
	}
	if m.MaxBinds > 0 && cc.c.Binds() >= m.MaxBinds {
		return pdu.RAlyBnd
	}
	return pdu.ROK
}

// mischief is what becomes of a submit_sm besides its answer.
type mischief uint8

const (
	plain    mischief = iota
	unheard           // no answer; the message is taken
	swallow           // no answer; the message is not taken
	reset             // taken, and the connection ends with a RST
	goodbye           // taken and answered, then unbind
	garbage           // taken and answered, then octets that are no SMPP
	halfOpen          // nothing any more
)

// plot decides about the submit_sm in cc.message, the n-th of the connection.
func (cc *carrierConn) plot(n int64) mischief {
	m := &cc.c.behaviour.Load().Mischief
	switch {
	case strikes(m.ResetEvery, n), m.PoisonTo != "" && string(cc.message.DstAddr()) == m.PoisonTo:
		return reset
	case strikes(m.HalfOpenEvery, n):
		return halfOpen
	case strikes(m.SwallowEvery, n):
		return swallow
	case strikes(m.NeverEvery, n):
		return unheard
	case strikes(m.UnbindEvery, n):
		return goodbye
	case strikes(m.GarbageEvery, n):
		return garbage
	}
	return plain
}

// strike does what was plotted, after the message was judged; false when its answer shall not leave.
func (cc *carrierConn) strike(what mischief) (answer bool) {
	switch what {
	case unheard:
		return false
	case reset:
		if tcp, ok := cc.nc.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a connection that is gone needs none
		}
		cc.out, cc.ending = cc.out[:0], true
		cc.nc.Close()
		return false
	case goodbye:
		cc.leaving = true
	case garbage:
		cc.spew = true
	}
	return true
}

// part ends a turn that plotted a farewell: everything owed is answered, then comes unbind, or garbage.
func (cc *carrierConn) part() {
	if !cc.leaving && !cc.spew {
		return
	}
	for ; cc.answers.len() > 0; cc.answers.drop() {
		cc.answer(cc.answers.first())
	}
	if cc.spew {
		cc.out = append(cc.out, "\xff\xff\xff\xff this is not SMPP and never was"...)
	} else {
		cc.seq = nextSequence(cc.seq)
		cc.out = pdu.AppendPlain(cc.out, pdu.Unbind, pdu.ROK, cc.seq)
	}
	cc.parted = cc.parted || cc.leaving
	cc.leaving, cc.spew = false, false
}

// due writes the answers that are due, with all the mischief there is about answers.
func (cc *carrierConn) due(now int64) {
	m := &cc.c.behaviour.Load().Mischief
	n := 0
	for n < cc.answers.len() && cc.answers.at(n).due <= now {
		n++
	}
	for i := range n {
		k := i
		if m.Backwards {
			k = n - 1 - i
		}
		a := cc.answers.at(k)
		if m.StrangeAnswers {
			strange := *a
			strange.seq ^= 0x40000000
			cc.answer(&strange)
		}
		cc.answer(a)
		if m.AnswerTwice {
			cc.answer(a)
		}
	}
	for range n {
		cc.answers.drop()
	}
}

// again makes the further receipts that mischief sends behind d.
func (m *Mischief) again(earned []delivery, d delivery) []delivery {
	if m.ReceiptsTwice {
		earned = append(earned, d)
	}
	if m.ReceiptsContradict {
		d.failing = !d.failing
		earned = append(earned, d)
	}
	return earned
}

func (m *Mischief) String() string { return fmt.Sprintf("%+v", *m) }
