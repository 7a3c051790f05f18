package verifier

import "smsplane/ledger/catalog"

// Numbers gives the carrier numbers that the ledger assigned.
type Numbers interface {
	Carrier(id string) (uint16, bool)
}

// Facts is what the verifier knows of the present catalog. Immutable.
type Facts struct {
	version uint32
	known   Carriers
	sends   Carriers // with at least one link for submit_sm
}

// NewFacts takes the facts from a catalog.
func NewFacts(c *catalog.Catalog, version uint32, n Numbers) *Facts {
	f := &Facts{version: version}
	for i := range c.Carriers {
		x := &c.Carriers[i]
		number, ok := n.Carrier(x.ID)
		if !ok {
			continue
		}
		f.known.Set(number, true)
		if x.Inbound != nil && x.Inbound.MT {
			f.sends.Set(number, true)
		}
		for j := range x.Links {
			if x.Links[j].Sends() {
				f.sends.Set(number, true)
			}
		}
	}
	return f
}

// Carriers is a set of carrier numbers. The zero set is empty; it grows to the highest number ever set.
type Carriers struct{ bits []uint64 }

// Set puts a carrier in or takes it out.
func (s *Carriers) Set(carrier uint16, in bool) {
	word, bit := int(carrier>>6), uint64(1)<<(carrier&63)
	for len(s.bits) <= word {
		if !in {
			return
		}
		s.bits = append(s.bits, 0)
	}
	if in {
		s.bits[word] |= bit
	} else {
		s.bits[word] &^= bit
	}
}

// Has reports whether it is in.
func (s *Carriers) Has(carrier uint16) bool {
	word := int(carrier >> 6)
	return word < len(s.bits) && s.bits[word]>>(carrier&63)&1 != 0
}
