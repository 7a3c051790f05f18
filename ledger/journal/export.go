package journal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/cockroachdb/pebble/v2"
)

// A lane goes to another host as a stream of chunks: every key of the lane's spans, of one instant, with the
// entries that the folds of that instant still need. What the log has behind them comes by replication.
//
//	Export ── Meta, chunks by key ──▶ Import: staged under keys of its own ── Install ──▶ the lane's spans
//
// A receiver that lost its connection goes on behind the last key it staged, as long as the exporter still has the same
// Export open; its id says so.

// Meta says what an Export holds.
type Meta struct {
	ID       [16]byte // of this Export, random
	Lane     uint16
	Index    uint64 // the folds stand here, and the entries end here
	Term     uint64 // of entry Index
	VoteTerm uint64 // the exporter's raft term, at least Term
	First    uint64 // where the entries begin
	PrevTerm uint64 // of the entry before First
	Group    []byte // who the members are, at Index or later
}

const metaVersion, metaFixed = 1, 1 + 16 + 2 + 5*8

// Encode is the Meta as it goes over the wire, and as it is staged.
func (m *Meta) Encode() []byte {
	b := append([]byte{metaVersion}, m.ID[:]...)
	b = be.AppendUint16(b, m.Lane)
	for _, n := range [...]uint64{m.Index, m.Term, m.VoteTerm, m.First, m.PrevTerm} {
		b = be.AppendUint64(b, n)
	}
	return append(b, m.Group...)
}

// DecodeMeta reads what Encode wrote.
func DecodeMeta(b []byte) (m Meta, err error) {
	if len(b) < metaFixed || b[0] != metaVersion {
		return m, fmt.Errorf("%w: export meta of %d octets", ErrCorrupt, len(b))
	}
	copy(m.ID[:], b[1:])
	m.Lane = be.Uint16(b[17:])
	for i, n := range [...]*uint64{&m.Index, &m.Term, &m.VoteTerm, &m.First, &m.PrevTerm} {
		*n = be.Uint64(b[19+8*i:])
	}
	m.Group = append([]byte(nil), b[metaFixed:]...)
	return m, nil
}

// Export is a lane as of one instant. It holds what it shows on disk until Close. One goroutine at a time.
type Export struct {
	Meta Meta
	snap *pebble.Snapshot
	it   *pebble.Iterator
	kind Kind   // the iterator's
	at   []byte // the last key handed out
}

// ErrNoFold says that the lane's folds were never written: there is nothing yet that could be exported.
var ErrNoFold = errors.New("the lane's folds were not flushed yet")

// Export takes a consistent view of a lane as readers see it now. applied reads the applied index out of the
// stored fold state. Any goroutine.
func (d *DB) Export(lane uint16, applied func(fold []byte) (uint64, error)) (*Export, error) {
	e := &Export{Meta: Meta{Lane: lane}, snap: d.p.NewSnapshot()}
	if err := e.describe(applied); err != nil {
		return nil, errors.Join(fmt.Errorf("export lane %d: %w", lane, err), e.snap.Close())
	}
	return e, nil
}

func (e *Export) describe(applied func([]byte) (uint64, error)) error {
	m := &e.Meta
	if _, err := rand.Read(m.ID[:]); err != nil {
		return err
	}
	fold, err := get(e.snap, Key(Fold, m.Lane))
	if err != nil {
		return err
	}
	if fold == nil {
		return ErrNoFold
	}
	if m.Index, err = applied(fold); err != nil {
		return err
	}
	vote, win, err := readMeta(e.snap, m.Lane)
	if err != nil {
		return err
	}
	m.VoteTerm, m.First, m.PrevTerm = vote.Term, win.first, win.prevTerm
	if m.Group, err = get(e.snap, Key(LaneMeta, m.Lane, metaGroup)); err != nil {
		return err
	}
	if m.Term = win.prevTerm; m.Index >= win.first {
		key := Key(EntryKind, m.Lane, m.Index)
		v, err := get(e.snap, key)
		if err != nil || v == nil {
			return errors.Join(damaged(m.Lane, m.Index, "missing, though the folds stand there"), err)
		}
		_, last, err := parseEntry(key, v)
		if err != nil {
			return err
		}
		m.Term = last.Term
	}
	return nil
}

// shipped are the spans that make up a lane beside its meta.
func shipped(f func(k Kind) error) error {
	for k := EntryKind; k < Staged; k++ {
		if kindNames[k] == "" {
			continue
		}
		if err := f(k); err != nil {
			return err
		}
	}
	return nil
}

// Chunk returns the pairs behind the key after (nil: from the start), about max bytes of them; nil at the end.
// Asked for what follows the chunk before, it reads on without a seek.
//
//	0 version u8   1 crc32c u32 of the rest   5 pairs: key length u16, value length u32, key, value
func (e *Export) Chunk(after []byte, max int) ([]byte, error) {
	chunk := make([]byte, chunkHeader, max+chunkHeader)
	from := EntryKind
	if after != nil {
		from = Kind(after[0])
	}
	err := shipped(func(k Kind) error {
		if k < from || len(chunk) >= max {
			return nil
		}
		return e.span(k, after, max, &chunk)
	})
	if err != nil {
		return nil, fmt.Errorf("export lane %d: %w", e.Meta.Lane, err)
	}
	if len(chunk) == chunkHeader {
		return nil, nil
	}
	chunk[0] = chunkVersion
	be.PutUint32(chunk[1:], crc32.Checksum(chunk[chunkHeader:], castagnoli))
	return chunk, nil
}

const (
	chunkVersion = 1
	chunkHeader  = 5
	pairHeader   = 6
)

// span adds the pairs of one kind.
func (e *Export) span(k Kind, after []byte, max int, chunk *[]byte) error {
	var ok bool
	if e.it != nil && e.kind == k && bytes.Equal(after, e.at) {
		ok = e.it.Next()
	} else {
		if err := e.open(k); err != nil {
			return err
		}
		if after == nil || Kind(after[0]) != k {
			ok = e.it.First()
		} else if ok = e.it.SeekGE(after); ok && bytes.Equal(e.it.Key(), after) {
			ok = e.it.Next()
		}
	}
	for ; ok; ok = e.it.Next() {
		v, err := e.it.ValueAndErr()
		if err != nil {
			return err
		}
		key := e.it.Key()
		*chunk = be.AppendUint16(*chunk, uint16(len(key)))
		*chunk = be.AppendUint32(*chunk, uint32(len(v)))
		*chunk = append(append(*chunk, key...), v...)
		e.at = append(e.at[:0], key...)
		if len(*chunk) >= max {
			return nil
		}
	}
	return e.it.Error()
}

func (e *Export) open(k Kind) error {
	if err := e.closeIter(); err != nil {
		return err
	}
	lo, hi := LaneRange(k, e.Meta.Lane)
	if k == EntryKind {
		lo, hi = Key(k, e.Meta.Lane, e.Meta.First), Key(k, e.Meta.Lane, e.Meta.Index+1)
	}
	it, err := e.snap.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi})
	e.it, e.kind, e.at = it, k, nil
	return err
}

func (e *Export) closeIter() error {
	if e.it == nil {
		return nil
	}
	err := e.it.Close()
	e.it = nil
	return err
}

// Close lets go of the view.
func (e *Export) Close() error { return errors.Join(e.closeIter(), e.snap.Close()) }

// pairs hands over what is in a chunk after checking it; the slices alias it.
func pairs(chunk []byte, f func(k, v []byte) error) error {
	if len(chunk) < chunkHeader || chunk[0] != chunkVersion || be.Uint32(chunk[1:]) != crc32.Checksum(chunk[chunkHeader:], castagnoli) {
		return fmt.Errorf("%w: a chunk of %d octets", ErrCorrupt, len(chunk))
	}
	for b := chunk[chunkHeader:]; len(b) > 0; {
		if len(b) < pairHeader {
			return fmt.Errorf("%w: a chunk ends inside a pair", ErrCorrupt)
		}
		k, v := int(be.Uint16(b)), int(be.Uint32(b[2:]))
		if b = b[pairHeader:]; len(b) < k+v {
			return fmt.Errorf("%w: a chunk ends inside a pair", ErrCorrupt)
		}
		if err := f(b[:k], b[k:k+v]); err != nil {
			return err
		}
		b = b[k+v:]
	}
	return nil
}
