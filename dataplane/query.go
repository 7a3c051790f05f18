package dataplane

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"time"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/journal"
	"smsplane/pdu"
)

// fate is what query_sm tells (3.4 §4.8.2).
type fate struct {
	state pdu.State
	at    int64 // of the end; 0 while there is none
	err   uint8
}

func (l *lane) query(o *order) {
	id, ok := l.named(o.p.Field("message_id").Octets)
	if !ok {
		l.tell(o, pdu.RInvMsgID, nil)
		return
	}
	m, ok := l.mine(o, id)
	switch {
	case !ok:
		l.tell(o, pdu.RQueryFail, nil)
	case m != nil:
		l.tellFate(o, fateOf(m))
	default:
		_, m, src := l.spilled(id)
		switch {
		case m == nil:
			l.lookBack(o, id, func(e *book.EDR) { l.tellPast(o, e) })
		case m.Account != o.account:
			l.tell(o, pdu.RInvMsgID, nil)
		case !bytes.Equal(src, o.p.Field("source_addr").Octets):
			l.tell(o, pdu.RQueryFail, nil)
		default:
			l.tellFate(o, fateOf(m))
		}
	}
}

func fateOf(m *book.Msg) fate {
	if m.State != book.StateEnded {
		return fate{state: pdu.StateEnroute}
	}
	at := m.ReceiptDone
	if at == 0 {
		at = m.Ended
	}
	return fate{stateAt(m.End, m.Reason, m.ReceiptState), at, errorCode(m.Err())}
}

// errorCode is a receipt's err: as the one octet that query_sm_resp has for it; 0 when it does not fit.
func errorCode(err []byte) uint8 {
	n, e := strconv.ParseUint(string(err), 10, 8)
	if e != nil {
		return 0
	}
	return uint8(n)
}

func (l *lane) tellFate(o *order, f fate) {
	r := pdu.New(pdu.QuerySMResp, pdu.ROK, o.seq)
	r.Set("message_id", o.p.Field("message_id").Octets)
	if f.at != 0 {
		r.Set("final_date", pdu.AppendTimeAbsolute(nil, f.at))
	}
	r.SetNumber("message_state", uint8(f.state)).SetNumber("error_code", f.err)
	l.tell(o, pdu.ROK, r.Append(nil))
}

// maxSearches bounds the queries about messages of the past that read the archive at a time.
const maxSearches = 4

// lookBack looks for what an order is about among the messages that have ended and whose receipt is taken: first in what
// was not written yet, then, on a goroutine of its own, in the archive. Whoever asked is told by then, which is given nil
// when there is none.
func (l *lane) lookBack(o *order, id ledger.MsgID, then func(e *book.EDR)) {
	x := l.x
	var found *book.EDR
	p := book.Past{EDR: func(e *book.EDR) error {
		if e.ID == id {
			found = cloneEDR(e)
			return errFound
		}
		return nil
	}}
	if err := l.book.Unflushed(p); err != nil && !errors.Is(err, errFound) {
		x.fail(err)
		return
	}
	if found != nil {
		then(found)
		return
	}
	if x.searches >= maxSearches {
		l.tell(o, pdu.RThrottled, nil)
		return
	}
	x.searches++
	x.searching.Add(1)
	x.db.Write(journal.NewBatch(), func() { // behind what is being written
		go func() {
			defer x.searching.Done()
			err := book.Search(x.db, l.n, book.HashID(id), p)
			x.post(func() {
				x.searches--
				if err != nil && !errors.Is(err, errFound) {
					x.log.Error("searching the archive for what a client asks about", "command", o.p.Command, "message", id, "err", err)
					l.tell(o, pdu.RSysErr, nil)
					return
				}
				then(found)
			})
		}()
	})
}

// errFound ends a search.
var errFound = errors.New("found")

func cloneEDR(e *book.EDR) *book.EDR {
	c := *e
	c.Src, c.Err, c.CarrierID = slices.Clone(e.Src), slices.Clone(e.Err), slices.Clone(e.CarrierID)
	return &c
}

func (l *lane) tellPast(o *order, e *book.EDR) {
	switch {
	case e == nil || e.Account != o.account:
		l.tell(o, pdu.RInvMsgID, nil)
	case !bytes.Equal(e.Src, o.p.Field("source_addr").Octets):
		l.tell(o, pdu.RQueryFail, nil)
	default:
		at := e.ReceiptDone
		if at == 0 {
			at = e.Ended
		}
		l.tellFate(o, fate{stateAt(e.End, e.Reason, e.ReceiptState), at, errorCode(e.Err)})
	}
}

// shutSearches waits for the archive's readers before the store is closed.
func (x *executor) shutSearches() {
	done := make(chan struct{})
	go func() { x.searching.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(unbindGrace):
	}
}
