package book

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"slices"

	"smsplane/ledger"
)

// AccountRow gives a client or carrier of the catalog its number, and a client its lane, for ever.
type AccountRow struct {
	Party  ledger.Party
	Number uint32
	Lane   uint16
	Name   string
}

// Orphan is a receipt that fits no message known here. It is kept for OrphanKeep and tried against every
// answer of its carrier, because some carriers send the receipt first.
type Orphan struct {
	N       uint64
	Carrier uint16
	At      int64
	PDU     []byte
}

// System is what lane 0 knows for all lanes.
type System struct {
	Accounts  []AccountRow
	Version   uint32 // of the catalog
	Author    string
	AppliedAt int64
	Files     []byte // archive of the catalog's files, see ledger.DecodeFiles
	Orphans   map[uint64]*Orphan
	Held      map[LinkName]Hold // links that an operator paused or drains
	Dropped   uint64            // orphans that were dropped for want of room since the book was opened

	byName      map[partyName]int   // into Accounts
	byNumber    map[partyNumber]int // likewise
	orphanN     uint64
	firstOrphan uint64            // no older one is there
	orphanBytes int               // of their PDUs
	byPDU       map[uint64]uint64 // the newest of those with a PDU, by its hash
	newOrphans  []*Orphan
	gone        []uint64
	fileVersion uint32 // that is stored
}

type partyName struct {
	party ledger.Party
	name  string
}

type partyNumber struct {
	party  ledger.Party
	number uint32
}

func newSystem() *System {
	return &System{Orphans: map[uint64]*Orphan{}, Held: map[LinkName]Hold{}, byPDU: map[uint64]uint64{}, byName: map[partyName]int{}, byNumber: map[partyNumber]int{}}
}

// add puts a row into the account table; none ever leaves it.
func (s *System) add(a AccountRow) {
	s.byName[partyName{a.Party, a.Name}] = len(s.Accounts)
	s.byNumber[partyNumber{a.Party, a.Number}] = len(s.Accounts)
	s.Accounts = append(s.Accounts, a)
}

// Bounds of what orphans may take: the oldest go first.
const (
	MaxOrphans     = 1 << 16
	maxOrphanBytes = 32 << 20
)

var orphanSeed = maphash.MakeSeed()

// keep adds an orphan, and drops the oldest for it when there is no room.
func (s *System) keep(o *Orphan) {
	s.Orphans[o.N] = o
	s.orphanBytes += len(o.PDU)
	s.byPDU[maphash.Bytes(orphanSeed, o.PDU)] = o.N
	for len(s.Orphans) > MaxOrphans || s.orphanBytes > maxOrphanBytes {
		for s.Orphans[s.firstOrphan] == nil {
			s.firstOrphan++
		}
		s.Forget(s.firstOrphan)
		s.Dropped++
	}
}

// Same finds the orphan of a carrier with that PDU, 0 for none.
func (s *System) Same(carrier uint16, p []byte) uint64 {
	n := s.byPDU[maphash.Bytes(orphanSeed, p)]
	if o := s.Orphans[n]; o == nil || o.Carrier != carrier || !bytes.Equal(o.PDU, p) {
		return 0
	}
	return n
}

// Number finds the account number of a party; ok is false for one the catalog never named.
func (s *System) Number(p ledger.Party, name string) (AccountRow, bool) {
	i, ok := s.byName[partyName{p, name}]
	if !ok {
		return AccountRow{}, false
	}
	return s.Accounts[i], true
}

// Name is what the catalog called an account number; ok is false for a number that nobody was given.
func (s *System) Name(p ledger.Party, number uint32) (name string, ok bool) {
	i, ok := s.byNumber[partyNumber{p, number}]
	if !ok {
		return "", false
	}
	return s.Accounts[i].Name, true
}

// Forget removes an orphan that found its message. The stored copy goes with the next flush.
func (s *System) Forget(n uint64) {
	o, ok := s.Orphans[n]
	if !ok {
		return
	}
	delete(s.Orphans, n)
	s.orphanBytes -= len(o.PDU)
	if h := maphash.Bytes(orphanSeed, o.PDU); s.byPDU[h] == n {
		delete(s.byPDU, h)
	}
	if i, fresh := slices.BinarySearchFunc(s.newOrphans, n, func(o *Orphan, n uint64) int { return cmp.Compare(o.N, n) }); fresh {
		s.newOrphans = slices.Delete(s.newOrphans, i, i+1) // it was never stored
		return
	}
	s.gone = append(s.gone, n)
}

func (b *Book) system(index uint64, r *ledger.Record) error {
	s := b.System
	if s == nil {
		return bad(r, nil, "belongs to lane 0")
	}
	if b.replay {
		return nil // the state blob has it
	}
	switch r.Kind {
	case ledger.KindAccount:
		var a ledger.Account
		if !r.Account(&a) {
			return bad(r, nil, "cut short")
		}
		s.add(AccountRow{Party: a.Party, Number: a.Number, Lane: a.Lane, Name: string(a.Name)})
	case ledger.KindCatalog:
		var c ledger.Catalog
		if !r.Catalog(&c) || c.Version <= s.Version {
			return bad(r, nil, "cut short, or an old version")
		}
		s.Version, s.Author, s.AppliedAt, s.Files = c.Version, string(c.Author), r.At, slices.Clone(c.Files)
	case ledger.KindOrphan:
		carrier, p, ok := r.Orphan()
		if !ok {
			return bad(r, nil, "cut short")
		}
		s.orphanN++
		o := &Orphan{N: s.orphanN, Carrier: carrier, At: r.At, PDU: slices.Clone(p)}
		s.newOrphans = append(s.newOrphans, o)
		s.keep(o)
		b.Counts.Orphans++
	case ledger.KindOrder:
		var o ledger.Order
		if !r.Order(&o) {
			return bad(r, nil, "cut short")
		}
		s.order(r.At, &o)
	}
	return b.tell(r, nil)
}

func (s *System) append(b []byte) []byte {
	b = le.AppendUint32(b, s.Version)
	b = le.AppendUint64(b, uint64(s.AppliedAt))
	b = appendBytes(b, []byte(s.Author))
	b = le.AppendUint64(b, s.orphanN)
	b = le.AppendUint32(b, uint32(len(s.Accounts)))
	for _, a := range s.Accounts {
		b = append(b, byte(a.Party))
		b = le.AppendUint32(b, a.Number)
		b = le.AppendUint16(b, a.Lane)
		b = appendBytes(b, []byte(a.Name))
	}
	return s.appendHeld(b)
}

func (s *System) read(r *reader) {
	s.Version, s.AppliedAt, s.Author = r.u32(), int64(r.u64()), string(r.bytes())
	s.fileVersion = s.Version
	s.orphanN = r.u64()
	for n := r.u32(); n > 0 && !r.bad; n-- {
		s.add(AccountRow{Party: ledger.Party(r.u8()), Number: r.u32(), Lane: r.u16(), Name: string(r.bytes())})
	}
}
