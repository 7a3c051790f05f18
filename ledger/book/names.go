package book

import (
	"maps"

	"github.com/cespare/xxhash/v2"

	"smsplane/ledger"
)

func cidHash(carrier uint16, id []byte) uint64 {
	var d xxhash.Digest
	d.ResetWithSeed(uint64(carrier))
	d.Write(id)
	return d.Sum64()
}

// SetCarrierID notes a carrier's name for m; the leader does so when it decides, the fold when it applies.
func (b *Book) SetCarrierID(m *Msg, carrier uint16, id []byte) {
	if id = id[:min(len(id), maxCarrierID)]; m.namedBy == carrier && string(id) == string(m.CarrierID()) {
		return // the fold finds what the leader noted when it decided
	}
	m.namedBy = carrier
	m.cidLen = uint8(copy(m.cid[:], id))
	if m.cidLen > 0 && !b.replay { // nameAll does it for all, once it is known who is left
		b.byCID[cidHash(carrier, m.CarrierID())] = m.ID.Seq()
	}
}

// nameAll makes the carriers' names known that a replay left out: those of messages, as those of parts are there. Of two
// messages with one name the one that was answered later has it.
func (b *Book) nameAll() {
	n := 0
	b.Each(0, b.Slots()+1, func(m *Msg) {
		if m.named() {
			n++
		}
	})
	byCID := make(map[uint64]uint64, n+len(b.byCID))
	maps.Copy(byCID, b.byCID)
	b.byCID = byCID
	b.Each(0, b.Slots()+1, func(m *Msg) {
		if !m.named() {
			return
		}
		h := cidHash(m.Carrier, m.CarrierID())
		if seq, taken := byCID[h]; taken {
			if o := b.t.get(ledger.MakeMsgID(b.Lane, seq)); o != nil && o.Answered > m.Answered {
				return
			}
		}
		byCID[h] = m.ID.Seq()
	})
}

// named says that the carrier which has m now has a name for it.
func (m *Msg) named() bool { return m.cidLen > 0 && (m.namedBy == 0 || m.namedBy == m.Carrier) }

// ByCarrierID finds the live message that a carrier knows by that id.
func (b *Book) ByCarrierID(carrier uint16, id []byte) *Msg {
	id = id[:min(len(id), maxCarrierID)]
	seq, ok := b.byCID[cidHash(carrier, id)]
	if !ok {
		return nil
	}
	m := b.t.get(ledger.MakeMsgID(b.Lane, seq))
	if m == nil || m.Carrier != carrier {
		return nil
	}
	if string(m.CarrierID()) != string(id) {
		if _, ok := b.PartByID(m, id); !ok {
			return nil
		}
	}
	return m
}
