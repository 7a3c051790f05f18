package dataplane

import (
	"bytes"
	"slices"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
	"smsplane/router"
)

// hunt is a cancel_sm or a replace_if_present that goes by addresses: there is no index by them, so the table
// is walked, a piece each turn, for all that ask at a time.
type hunt struct {
	key     huntKey
	src     []byte
	service []byte // empty: any
	exact   bool   // service decides even when empty
	before  ledger.MsgID
	order   *order // answered at the end; nil for none
	reason  ledger.Reason
	hits    int
}

type huntKey struct {
	account uint32
	number  uint64
}

// hunts of a lane: those of the walk that is on, and those that wait for the next.
type hunts struct {
	on      map[huntKey][]*hunt
	all     []*hunt // those that are on
	next    []*hunt
	at      uint32
	walking bool
}

const (
	huntSlots = 4096 // looked at in one turn
	maxHunts  = 1024 // that wait for the next walk
)

func (h *hunts) add(v *hunt) bool {
	if len(h.next) >= maxHunts {
		return false
	}
	h.next = append(h.next, v)
	return true
}

// cancelBetween begins a cancel_sm without an id.
func (l *lane) cancelBetween(o *order) {
	p := o.p
	c := l.x.table.ClientOf(o.account)
	if c == nil {
		l.tell(o, pdu.RCancelFail, nil)
		return
	}
	n, ok := router.Normalize(p.Field("destination_addr").Octets, p.Field("dest_addr_ton").Number, p.Field("dest_addr_npi").Number, c.Country)
	if !ok {
		l.tell(o, pdu.RInvDstAdr, nil)
		return
	}
	h := &hunt{key: huntKey{o.account, uint64(n)}, src: p.Field("source_addr").Octets, service: p.Field("service_type").Octets,
		before: ledger.MakeMsgID(l.n, l.book.NextSeq()), order: o, reason: ledger.ReasonCancelled}
	if !l.hunts.add(h) {
		l.tell(o, pdu.RThrottled, nil)
	}
}

// supersede begins the search for what a message with replace_if_present takes the place of.
func (l *lane) supersede(m *book.Msg) {
	if !l.read(m) {
		return
	}
	h := &hunt{key: huntKey{m.Account, m.Number}, src: slices.Clone(l.view.SrcAddr()), service: slices.Clone(l.view.ServiceType()), exact: true,
		before: m.ID, reason: ledger.ReasonReplaced}
	if !l.hunts.add(h) {
		l.x.counts.unreplaced++
	}
}

// chase walks on.
func (l *lane) chase(now int64) int {
	h := &l.hunts
	if !h.walking {
		if len(h.next) == 0 {
			return 0
		}
		h.all, h.next, h.at, h.walking, h.on = h.next, nil, 0, true, map[huntKey][]*hunt{}
		for _, v := range h.all {
			h.on[v.key] = append(h.on[v.key], v)
		}
	}
	h.at = l.book.Each(h.at, huntSlots, func(m *book.Msg) {
		if !waits(m) {
			return
		}
		for _, v := range h.on[huntKey{m.Account, m.Number}] {
			if waits(m) && l.caught(v, m) {
				v.hits++
				l.withdraw(m, v.reason, now)
			}
		}
	})
	if h.at != 0 {
		return 1
	}
	h.walking = false
	for _, v := range h.all {
		switch {
		case l.book.Spilled() > 0: // nobody looked at what waits on disk
			l.unhunted(v)
		case v.order == nil:
		case v.hits > 0:
			l.tellDurably(v.order)
		default:
			l.tell(v.order, pdu.RCancelFail, nil)
		}
	}
	h.on, h.all = nil, nil
	return 1
}

// unhunted ends a hunt that could not see all: a message on disk is found by its id alone. A client that cancels by
// addresses is told to ask again; what it asked about in memory is cancelled.
func (l *lane) unhunted(v *hunt) {
	if v.order == nil {
		l.x.counts.unreplaced++
		return
	}
	l.tell(v.order, pdu.RThrottled, nil)
}

func (l *lane) caught(v *hunt, m *book.Msg) bool {
	if m.ID >= v.before || !l.read(m) || !bytes.Equal(l.view.SrcAddr(), v.src) {
		return false
	}
	return len(v.service) == 0 && !v.exact || bytes.Equal(l.view.ServiceType(), v.service)
}
