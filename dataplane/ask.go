package dataplane

import (
	"bytes"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// order is a query_sm, cancel_sm or replace_sm of a client about a message of its own, or one about a broadcast.
type order struct {
	session uint32
	seq     uint32
	account uint32
	p       *pdu.PDU
}

// asked is such a request, which entry has found well formed.
func (l *lane) asked(e *event, now int64) {
	p, st := pdu.Decode(e.data)
	o := &order{session: e.session, seq: e.seq, account: uint32(e.id), p: p}
	switch {
	case st != pdu.ROK || !l.leading:
		l.tell(o, pdu.RSysErr, nil)
	case p.Command == pdu.QuerySM:
		l.query(o)
	case p.Command == pdu.CancelSM:
		l.cancel(o, now)
	case p.Command == pdu.QueryBroadcastSM || p.Command == pdu.CancelBroadcastSM:
		l.askBroadcast(o)
	default:
		l.replace(o, now)
	}
}

// tell answers an order: with a status, or with a whole response.
func (l *lane) tell(o *order, st pdu.Status, p []byte) {
	l.x.ports[l.loop].push(event{kind: evReply, session: o.session, seq: o.seq, status: uint32(st), id: ledger.MsgID(o.p.Command), data: p})
}

// tellDurably answers ESME_ROK once everything decided so far is committed.
func (l *lane) tellDurably(o *order) {
	if !l.behind(ack{session: o.session, seq: o.seq, command: o.p.Command, client: true}) {
		l.tell(o, pdu.ROK, nil)
	}
}

// behind gives an ack once everything decided so far is committed; false: it is.
func (l *lane) behind(a ack) bool {
	switch {
	case l.records > 0:
		l.acks = append(l.acks, a)
	case len(l.backlog) > 0:
		p := &l.backlog[len(l.backlog)-1]
		p.acks = append(p.acks, a)
	case l.head < len(l.proposed):
		p := &l.proposed[len(l.proposed)-1]
		p.acks = append(p.acks, a)
	default:
		return false
	}
	return true
}

// named is the id that a client means by a message_id: 16 digits, or up to eight of a peer bound as 3.3. ok is
// false for one that this lane never gave out.
func (l *lane) named(text []byte) (id ledger.MsgID, ok bool) {
	if low, short := ledger.ParseShortID(text); short {
		return l.book.Newest(low)
	}
	id, err := ledger.ParseMsgID(text)
	return id, err == nil && id.Lane() == l.n && id.Seq() < l.book.NextSeq()
}

// spilled finds a message that waits on disk, its run, and its source address.
func (l *lane) spilled(id ledger.MsgID) (run *book.Run, found *book.Msg, src []byte) {
	for _, r := range l.book.RunsWith(id.Seq()) {
		if found != nil || l.aside[r.ID] != nil {
			continue
		}
		if err := l.book.EachOfRun(r.ID, func(m *book.Msg, p []byte) error {
			if m.ID == id && l.view.Parse(p) == pdu.ROK {
				c := *m
				run, found, src = r, &c, bytes.Clone(l.view.SrcAddr())
			}
			return nil
		}); damaged(err) {
			l.quarantine(r, err)
		} else if err != nil {
			l.x.fail(err)
		}
	}
	return run, found, src
}

// mine finds the live message that an order is about, nil when there is none: another account's message does
// not exist for a client. ok is false when the source address is not the message's (3.4 §4.8.1).
func (l *lane) mine(o *order, id ledger.MsgID) (m *book.Msg, ok bool) {
	m = l.book.Get(id)
	if m == nil || m.MO || m.Account != o.account {
		return nil, true
	}
	return m, l.read(m) && bytes.Equal(l.view.SrcAddr(), o.p.Field("source_addr").Octets)
}
