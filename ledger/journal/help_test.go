package journal

import (
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"smsplane/ledger"
)

// testBlock makes a sealed block with n RETURN records and filler.
func testBlock(lane uint16, n int, seed uint64) []byte {
	b := ledger.OpenBlock(nil)
	for i := range n {
		id := ledger.MakeMsgID(lane, seed+uint64(i))
		b = ledger.AppendReturn(b, 0, id, int64(seed), &ledger.Return{Session: uint32(seed), Status: uint32(i)})
	}
	return ledger.SealBlock(b, lane, n, int64(seed))
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func testOptions(fs vfs.FS) Options {
	return Options{FS: fs, Dir: "j", Logger: quiet(), Clock: func() int64 { return 1 }}
}

func mustOpen(t testing.TB, o Options) *DB {
	t.Helper()
	d, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustClose(t testing.TB, d *DB) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func mustLog(t testing.TB, d *DB, lane uint16) *Log {
	t.Helper()
	l, err := d.Log(lane)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// extend appends to disk and to the log, waits, and calls the entries stable.
func extend(t testing.TB, d *DB, l *Log, e ...Entry) {
	t.Helper()
	l.Extend(e)
	appendWait(d, Append{Lane: l.Lane(), Entries: e})
	last := e[len(e)-1]
	l.Stable(last.Index, last.Term)
}

func appendWait(d *DB, a Append) {
	var wg sync.WaitGroup
	wg.Add(1)
	a.Done = wg.Done
	d.Append(a)
	wg.Wait()
}

// writeWait returns once readers see b.
func writeWait(d *DB, b *Batch) {
	var wg sync.WaitGroup
	wg.Add(1)
	d.Write(b, wg.Done)
	wg.Wait()
}

func run(lane uint16, first, last, term uint64) []Entry {
	var e []Entry
	for i := first; i <= last; i++ {
		e = append(e, Entry{Index: i, Term: term, Data: testBlock(lane, 3, i*1000+term)})
	}
	return e
}

func testRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }
