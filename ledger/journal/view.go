package journal

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// View is the store as readers saw it at one moment: what is written or dropped meanwhile changes nothing in it. It keeps
// what it sees on disk until it is closed. Any goroutine.
type View struct{ snap *pebble.Snapshot }

// View takes one of now.
func (d *DB) View() *View { return &View{d.p.NewSnapshot()} }

// Close lets go of what the view kept.
func (v *View) Close() error { return v.snap.Close() }

// Get returns a copy of the value under key; nil, nil when there is none.
func (v *View) Get(key []byte) ([]byte, error) { return get(v.snap, key) }

// Scan is DB.Scan in the view.
func (v *View) Scan(lo, hi []byte, f func(k, v []byte) error) error { return scan(v.snap, lo, hi, f) }

// ScanReverse is DB.ScanReverse in the view.
func (v *View) ScanReverse(lo, hi []byte, f func(k, v []byte) error) error {
	return scanReverse(v.snap, lo, hi, f)
}

// Get returns a copy of the value under key; nil, nil when there is none.
func (d *DB) Get(key []byte) ([]byte, error) { return get(d.p, key) }

// Scan hands the pairs with keys in [lo, hi) to f in order; k and v are valid during the call. It reads what
// was there when it began. Readers keep a cursor and give it as lo: a scan that starts before a long
// dropped range pays for it.
func (d *DB) Scan(lo, hi []byte, f func(k, v []byte) error) error { return scan(d.p, lo, hi, f) }

// ScanReverse is Scan from the last key to the first.
func (d *DB) ScanReverse(lo, hi []byte, f func(k, v []byte) error) error {
	return scanReverse(d.p, lo, hi, f)
}

// ErrStop, returned by the function given to a Scan, ends it without an error.
var ErrStop = errors.New("stop the scan")

func get(r pebble.Reader, key []byte) ([]byte, error) {
	v, c, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, unread(key, err)
	}
	v = append([]byte{}, v...)
	return v, c.Close()
}

func scan(r pebble.Reader, lo, hi []byte, f func(k, v []byte) error) error {
	return each(r, lo, hi, (*pebble.Iterator).First, (*pebble.Iterator).Next, f)
}

func scanReverse(r pebble.Reader, lo, hi []byte, f func(k, v []byte) error) error {
	return each(r, lo, hi, (*pebble.Iterator).Last, (*pebble.Iterator).Prev, f)
}

func each(r pebble.Reader, lo, hi []byte, first, next func(*pebble.Iterator) bool, f func(k, v []byte) error) error {
	it, err := iter(r, lo, hi)
	if err != nil {
		return err
	}
	at := bytes.Clone(lo) // behind what was read last
	for ok := first(it); ok && err == nil; ok = err == nil && next(it) {
		var v []byte
		at = append(at[:0], it.Key()...)
		if v, err = it.ValueAndErr(); err != nil {
			err = unread(at, err)
		} else {
			err = f(it.Key(), v)
		}
	}
	if cerr := it.Close(); err == nil && cerr != nil {
		return unread(at, cerr)
	}
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

func iter(r pebble.Reader, lo, hi []byte) (*pebble.Iterator, error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: bytes.Clone(lo), UpperBound: bytes.Clone(hi)})
	if err != nil {
		return nil, fmt.Errorf("scan from %x: %w", lo, err)
	}
	return it, nil
}

// unread says where in the store something could not be read, and that it is damaged when Pebble found it so. In a scan it
// may be the value behind the one named.
func unread(key []byte, err error) error {
	where := fmt.Sprintf("key %x", key)
	if len(key) >= keyPrefix {
		where = fmt.Sprintf("%v of lane %d", Kind(key[0]), be.Uint16(key[1:]))
		for p := key[keyPrefix:]; len(p) >= 8; p = p[8:] {
			where += fmt.Sprintf(", %d", be.Uint64(p))
		}
	}
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: %s: %w", ErrCorrupt, where, err)
	}
	return fmt.Errorf("%s: %w", where, err)
}
