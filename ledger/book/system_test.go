package book

import (
	"fmt"
	"testing"
)

// Orphans have a bound in number and one in octets; the oldest go first and are counted. What is forgotten leaves no trace
// in the index, nor among what is to be stored.
func TestOrphansHaveABound(t *testing.T) {
	for _, c := range []struct{ size, fit int }{{20, MaxOrphans}, {1 << 16, maxOrphanBytes >> 16}} {
		s := newSystem()
		pdu := func(n uint64) []byte { return fmt.Appendf(nil, "%-*d", c.size, n) }
		last := uint64(c.fit + 100)
		for n := uint64(1); n <= last; n++ {
			o := &Orphan{N: n, Carrier: 7, PDU: pdu(n)}
			s.newOrphans = append(s.newOrphans, o)
			s.keep(o)
			if n == 50 {
				s.newOrphans = nil // they are stored
			}
		}
		if len(s.Orphans) != c.fit || s.Dropped != 100 || len(s.gone) != 50 || len(s.newOrphans) != c.fit || len(s.byPDU) != c.fit {
			t.Fatalf("%d are kept, %d were dropped, %d leave the store, %d enter it, %d in the index", len(s.Orphans), s.Dropped, len(s.gone), len(s.newOrphans), len(s.byPDU))
		}
		if s.Same(7, pdu(100)) != 0 || s.Same(7, pdu(101)) != 101 || s.Same(8, pdu(101)) != 0 {
			t.Error("an orphan is not found as it should be")
		}
		s.newOrphans = nil
		for n := range s.Orphans {
			s.Forget(n)
		}
		if s.orphanBytes != 0 || len(s.byPDU) != 0 || len(s.gone) != 50+c.fit {
			t.Errorf("%d octets, %d in the index are left, %d leave the store", s.orphanBytes, len(s.byPDU), len(s.gone))
		}
	}
}
