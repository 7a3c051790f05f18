package book

import (
	"fmt"
	"testing"

	"smsplane/ledger"
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

// A party is found by its name and by its number, also after the table was stored and read; a client and a carrier may have one name.
func TestAccountTableIsIndexed(t *testing.T) {
	s := newSystem()
	for n := uint32(1); n <= 3; n++ {
		s.add(AccountRow{Party: ledger.PartyClient, Number: n, Lane: uint16(n), Name: fmt.Sprint("party ", n)})
		s.add(AccountRow{Party: ledger.PartyCarrier, Number: 10 + n, Name: fmt.Sprint("party ", n)})
	}
	stored := newSystem()
	stored.read(&reader{b: s.append(nil)})
	for when, s := range map[string]*System{"added": s, "stored": stored} {
		client, ok := s.Number(ledger.PartyClient, "party 2")
		carrier, there := s.Number(ledger.PartyCarrier, "party 2")
		if !ok || client.Number != 2 || client.Lane != 2 || !there || carrier.Number != 12 {
			t.Errorf("%s: party 2 is client %+v, %v and carrier %+v, %v", when, client, ok, carrier, there)
		}
		if name, ok := s.Name(ledger.PartyCarrier, 13); !ok || name != "party 3" {
			t.Errorf("%s: carrier 13 is %q, %v", when, name, ok)
		}
		if _, ok := s.Number(ledger.PartyClient, "party 9"); ok {
			t.Errorf("%s: a client has a number that nobody gave it", when)
		}
		if _, ok := s.Name(ledger.PartyClient, 13); ok {
			t.Errorf("%s: client 13 has a name", when)
		}
	}
}
