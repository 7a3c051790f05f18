package book

import (
	"github.com/cespare/xxhash/v2"
)

// names finds messages by what carriers call them. There is one for each message that a carrier has, so it is a plain table of tags
// and slots, eight octets each, which is searched from the tag's place on; what the name is, the message itself knows. A
// tag that two names share leads to both.
type names struct {
	at []uint64 // tag and slot, or 0; a power of two of them, a quarter empty
	n  int
}

const fewNames = 1 << 6

// nameTag is the hash of a name: a carrier's, for one of its messages.
func nameTag(carrier uint16, id []byte) uint32 {
	var d xxhash.Digest
	d.ResetWithSeed(uint64(carrier))
	d.Write(id)
	return uint32(d.Sum64())
}

// find hands out the slots under a tag until f has the one that was wanted, and returns its place, or -1.
func (n *names) find(tag uint32, f func(slot uint32) bool) int {
	if n.n == 0 {
		return -1
	}
	mask := len(n.at) - 1
	for i := int(tag) & mask; n.at[i] != 0; i = (i + 1) & mask {
		if e := n.at[i]; uint32(e>>32) == tag && f(uint32(e)) {
			return i
		}
	}
	return -1
}

// put adds a slot, which is not 0, under a tag.
func (n *names) put(tag, slot uint32) {
	if 4*(n.n+1) > 3*len(n.at) {
		n.grow(n.n + 1)
	}
	mask := len(n.at) - 1
	i := int(tag) & mask
	for n.at[i] != 0 {
		i = (i + 1) & mask
	}
	n.at[i] = uint64(tag)<<32 | uint64(slot)
	n.n++
}

// drop takes a slot under a tag out, if it is there. Those behind it move up, as far as their own places let them.
func (n *names) drop(tag, slot uint32) {
	i := n.find(tag, func(s uint32) bool { return s == slot })
	if i < 0 {
		return
	}
	mask := len(n.at) - 1
	for j := (i + 1) & mask; n.at[j] != 0; j = (j + 1) & mask {
		if place := int(n.at[j] >> 32); (j-place)&mask >= (j-i)&mask {
			n.at[i], i = n.at[j], j
		}
	}
	n.at[i] = 0
	n.n--
}

// grow makes room for so many names, and some more.
func (n *names) grow(count int) {
	size := fewNames
	for 4*count > 3*size {
		size *= 2
	}
	if size <= len(n.at) {
		return
	}
	old := n.at
	*n = names{at: make([]uint64, size)}
	for _, e := range old {
		if e != 0 {
			n.put(uint32(e>>32), uint32(e))
		}
	}
}

// bears says that the message in a slot is called so by the carrier that has it, itself or a part of it.
func (b *Book) bears(slot uint32, carrier uint16, id []byte) bool {
	m := b.t.at(slot)
	if m.Carrier != carrier {
		return false
	}
	if string(m.CarrierID()) == string(id) {
		return true
	}
	_, ok := b.PartByID(m, id)
	return ok
}

// name notes what a carrier calls m. Of two messages with one name the latter has it.
func (b *Book) name(m *Msg, carrier uint16, id []byte) {
	tag := nameTag(carrier, id)
	if i := b.byName.find(tag, func(slot uint32) bool { return slot == m.slot || b.bears(slot, carrier, id) }); i >= 0 {
		b.byName.at[i] = uint64(tag)<<32 | uint64(m.slot)
		return
	}
	b.byName.put(tag, m.slot)
}

// unname forgets what a carrier calls m, or a part of it.
func (b *Book) unname(m *Msg, carrier uint16, id []byte) {
	if len(id) > 0 {
		b.byName.drop(nameTag(carrier, id), m.slot)
	}
}

// namer is the carrier that CarrierID is the word of.
func (m *Msg) namer() uint16 {
	if m.namedBy == 0 {
		return m.Carrier
	}
	return m.namedBy
}

// SetCarrierID notes a carrier's name for m; the leader does so when it decides, the fold when it applies.
func (b *Book) SetCarrierID(m *Msg, carrier uint16, id []byte) {
	if id = id[:min(len(id), maxCarrierID)]; m.namedBy == carrier && string(id) == string(m.CarrierID()) {
		return // the fold finds what the leader noted when it decided
	}
	if !b.replay {
		b.unname(m, m.namer(), m.CarrierID())
	}
	m.namedBy = carrier
	m.cidLen = uint8(copy(m.cid[:], id))
	if m.cidLen > 0 && !b.replay { // nameAll does it for all, once it is known who is left
		b.name(m, carrier, m.CarrierID())
	}
}

// nameAll makes the carriers' names known that a replay left out: those of messages, as those of parts are there. Of two
// messages with one name the one that was answered later has it.
func (b *Book) nameAll() {
	n := b.byName.n
	b.Each(0, b.Slots()+1, func(m *Msg) {
		if m.named() {
			n++
		}
	})
	b.byName.grow(n)
	b.Each(0, b.Slots()+1, func(m *Msg) {
		if !m.named() {
			return
		}
		tag, later := nameTag(m.Carrier, m.CarrierID()), false
		i := b.byName.find(tag, func(slot uint32) bool {
			if slot != m.slot && !b.bears(slot, m.Carrier, m.CarrierID()) {
				return false
			}
			later = b.t.at(slot).Answered > m.Answered
			return true
		})
		switch {
		case i < 0:
			b.byName.put(tag, m.slot)
		case !later:
			b.byName.at[i] = uint64(tag)<<32 | uint64(m.slot)
		}
	})
}

// named says that the carrier which has m now has a name for it.
func (m *Msg) named() bool { return m.cidLen > 0 && m.namer() == m.Carrier }

// Name is what a carrier calls a message, hashed once for all the books that are asked for it.
type Name struct {
	carrier uint16
	tag     uint32
	id      []byte
}

// NameOf aliases id.
func NameOf(carrier uint16, id []byte) Name {
	id = id[:min(len(id), maxCarrierID)]
	return Name{carrier, nameTag(carrier, id), id}
}

// ByName finds the live message that a carrier calls so.
func (b *Book) ByName(n Name) (m *Msg) {
	b.byName.find(n.tag, func(slot uint32) bool {
		if b.bears(slot, n.carrier, n.id) {
			m = b.t.at(slot)
		}
		return m != nil
	})
	return m
}
