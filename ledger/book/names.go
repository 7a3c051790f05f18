package book

import (
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
	if m.cidLen > 0 {
		b.byCID[cidHash(carrier, m.CarrierID())] = m.ID.Seq()
	}
}

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
