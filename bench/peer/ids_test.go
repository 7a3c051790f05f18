package peer

import (
	"encoding/binary"
	"testing"
)

// What is given is found, under its own index, over many doublings; what was not given waits, and is told when it is given.
func TestIDsAreFound(t *testing.T) {
	const n = 100_000
	id := func(i uint32) []byte { return binary.BigEndian.AppendUint32(nil, i) }
	var ids idTable
	for i := range uint32(n) {
		if i%1000 == 0 {
			ids.find(id(n+i), earlyReceipt{at: int64(i)})
		}
		if _, came, reused := ids.give(id(i), i); came || reused {
			t.Fatalf("message %d: its receipt came %v, its id is another's %v", i, came, reused)
		}
	}
	for i := range uint32(n) {
		if at, ok := ids.find(id(i), earlyReceipt{}); !ok || at != i {
			t.Fatalf("the id of message %d belongs to %d (%v)", i, at, ok)
		}
	}
	if unknown, twice := ids.unknown(); unknown != n/1000 || twice != 0 {
		t.Errorf("%d ids are unknown, %d of them twice", unknown, twice)
	}
	if r, came, _ := ids.give(id(n+5000), 7); !came || r.at != 5000 {
		t.Errorf("a receipt that was early: %v, at %d", came, r.at)
	}
	if _, _, reused := ids.give(id(3), 8); !reused {
		t.Error("an id was given twice and nobody said so")
	}
}

// Hashes that fall on one place are told apart, but for 0, which marks a free one and counts as 1.
func TestHashesThatMeet(t *testing.T) {
	var h hashTable
	for k := range uint64(200) {
		if added := h.put(k, uint32(k)); added != (k != 1) {
			t.Fatalf("hash %d was added: %v", k, added)
		}
	}
	for k := range uint64(300) {
		i, ok := h.get(k)
		if want := k < 200; ok != want || ok && i != uint32(k) && k != 1 {
			t.Errorf("hash %d: index %d, %v", k, i, ok)
		}
	}
}

// Shards double one after another: no more than an eighth of them while a twentieth more messages come.
func TestShardsDoubleOneByOne(t *testing.T) {
	id := func(i uint32) []byte { return binary.BigEndian.AppendUint32(nil, i) }
	var ids idTable
	sizes := func() (all [64]int) {
		for i := range ids.shards {
			all[i] = len(ids.shards[i].index.slots)
		}
		return all
	}
	n := uint32(100_000)
	for i := range n {
		ids.give(id(i), i)
	}
	for n < 800_000 {
		before, next := sizes(), n+n/20
		for ; n < next; n++ {
			ids.give(id(n), n)
		}
		doubled := 0
		for i, now := range sizes() {
			if now != before[i] {
				doubled++
			}
		}
		if doubled > 8 {
			t.Errorf("up to %d messages %d of 64 shards doubled at once", n, doubled)
		}
	}
}
