package dataplane

import "smsplane/ledger"

// endedTable remembers by the carrier's id which messages ended lately, so that a receipt that repeats or contradicts
// the one that decided is told from one that fits nothing. It is of fixed size: a newer message takes the place of an
// older one with the same hash.
type endedTable struct{ slots []endedSlot }

type endedSlot struct {
	hash uint64
	id   ledger.MsgID
	news bool // it ended as unknown: a receipt is news for the client
}

const endedSlots = 1 << 16

func newEndedTable() *endedTable { return &endedTable{slots: make([]endedSlot, endedSlots)} }

// endedHash is FNV-1a over the carrier's number and its id.
func endedHash(carrier uint16, id []byte) uint64 {
	h := uint64(14695981039346656037) ^ uint64(carrier)
	h *= 1099511628211
	for _, c := range id {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

func (t *endedTable) slot(h uint64) *endedSlot { return &t.slots[h>>1%endedSlots] }

// add remembers a message; news says that a receipt would tell the client something.
func (t *endedTable) add(carrier uint16, id []byte, m ledger.MsgID, news bool) {
	if len(id) > 0 {
		h := endedHash(carrier, id)
		*t.slot(h) = endedSlot{h, m, news}
	}
}

func (t *endedTable) find(carrier uint16, id []byte) (m ledger.MsgID, news, ok bool) {
	h := endedHash(carrier, id)
	s := t.slot(h)
	return s.id, s.news, s.hash == h && s.id != 0
}
