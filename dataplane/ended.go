package dataplane

import "smsplane/ledger"

// endedTable remembers by the carrier's id which messages ended lately, so that a receipt that repeats or contradicts
// the one that decided is told from one that fits nothing. It is of fixed size: a newer message takes the place of an
// older one with the same hash.
type endedTable struct{ slots []endedSlot }

type endedSlot struct {
	hash uint64
	id   ledger.MsgID
}

const endedSlots = 1 << 16

func newEndedTable() *endedTable { return &endedTable{slots: make([]endedSlot, endedSlots)} }

// endedHash is FNV-1a over the carrier's number and its id; never 0.
func endedHash(carrier uint16, id []byte) uint64 {
	h := uint64(14695981039346656037) ^ uint64(carrier)
	h *= 1099511628211
	for _, c := range id {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h | 1
}

func (t *endedTable) add(carrier uint16, id []byte, m ledger.MsgID) {
	if len(id) > 0 {
		h := endedHash(carrier, id)
		t.slots[h>>1%endedSlots] = endedSlot{h, m}
	}
}

func (t *endedTable) find(carrier uint16, id []byte) (ledger.MsgID, bool) {
	h := endedHash(carrier, id)
	s := t.slots[h>>1%endedSlots]
	return s.id, s.hash == h
}
