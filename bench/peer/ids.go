package peer

import (
	"sync"

	"github.com/cespare/xxhash/v2"
)

// idTable finds a message by the id it was given. It keeps 64-bit hashes in place of the ids; two ids of 10^7 meet in one
// hash with a chance of 3 in 10^6. Receipts that outrun their submit_sm_resp wait here for it. Safe for many goroutines.
type idTable struct {
	shards [64]idShard
}

type idShard struct {
	mu    sync.Mutex
	index hashTable
	early map[uint64]earlyReceipt
	lost  int64 // early receipts beyond maxEarly
	twice int64 // early receipts whose id was waiting already
}

// hashTable is a map from hashes to indices in one piece: with millions of messages each look at it is one line of memory that
// no cache has, where a Go map takes three. A hash lies at its lowest free place from its upper bits on.
type hashTable struct {
	slots []hashSlot // a power of two, or none
	used  int
}

// A shard doubles when so many of 64 slots are taken, each at another share by the bits of a hash that all of it has in common: were it the
// same, all would double within moments, and at 25 million messages that kept two cores from all else for seconds.
const (
	emptiest = 24
	fullest  = 48
)

type hashSlot struct {
	hash uint64 // 0: free
	i    uint32
}

// place is where k is, or where it would be put.
func (t *hashTable) place(k uint64) *hashSlot {
	mask := len(t.slots) - 1
	for at := int(k >> 20); ; at++ {
		if s := &t.slots[at&mask]; s.hash == k || s.hash == 0 {
			return s
		}
	}
}

func (t *hashTable) get(k uint64) (i uint32, ok bool) {
	if t.used == 0 {
		return 0, false
	}
	s := t.place(max(k, 1))
	return s.i, s.hash != 0
}

// put adds k unless it is there.
func (t *hashTable) put(k uint64, i uint32) (added bool) {
	if fill := emptiest + (fullest-emptiest)*int(k&63)/64; 64*(t.used+1) > fill*len(t.slots) {
		old := t.slots
		t.slots = make([]hashSlot, max(64, 2*len(old)))
		for _, s := range old {
			if s.hash != 0 {
				*t.place(s.hash) = s
			}
		}
	}
	k = max(k, 1)
	s := t.place(k)
	if s.hash != 0 {
		return false
	}
	*s = hashSlot{k, i}
	t.used++
	return true
}

const maxEarly = 1 << 14 // per shard

// earlyReceipt is what must be kept of a receipt to judge it later.
type earlyReceipt struct {
	at       int64
	src, dst uint32 // indices its addresses end in
	state    uint8
}

func (t *idTable) shard(id []byte) (*idShard, uint64) {
	k := xxhash.Sum64(id)
	return &t.shards[k&63], k
}

// give notes that message i has this id; early is the receipt that came before, if one did. reused: the id was given to
// another message already.
func (t *idTable) give(id []byte, i uint32) (early earlyReceipt, came, reused bool) {
	s, k := t.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.index.put(k, i) {
		return early, false, true
	}
	if len(s.early) > 0 {
		early, came = s.early[k]
		delete(s.early, k)
	}
	return early, came, false
}

// find returns the message with this id, or keeps the receipt for when there is one.
func (t *idTable) find(id []byte, r earlyReceipt) (i uint32, ok bool) {
	s, k := t.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok = s.index.get(k); ok {
		return i, true
	}
	if s.early == nil {
		s.early = map[uint64]earlyReceipt{}
	}
	switch _, waiting := s.early[k]; {
	case waiting:
		s.twice++
	case len(s.early) >= maxEarly:
		s.lost++
	default:
		s.early[k] = r
	}
	return 0, false
}

// unknown is the number of receipts whose id no submit_sm_resp has named so far, twice the number of repeats among
// receipts that came early.
func (t *idTable) unknown() (n, twice int64) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		n += int64(len(s.early)) + s.lost
		twice += s.twice
		s.mu.Unlock()
	}
	return n, twice
}
