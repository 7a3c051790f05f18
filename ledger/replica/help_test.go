package replica

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"smsplane/ledger"
	"smsplane/ledger/journal"
)

func testBlock(lane uint16, n int, seed uint64) []byte {
	b := ledger.OpenBlock(nil)
	for i := range n {
		b = ledger.AppendReturn(b, 0, ledger.MakeMsgID(lane, seed+uint64(i)), int64(seed), &ledger.Return{Session: uint32(seed)})
	}
	return ledger.SealBlock(b, lane, n, int64(seed))
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func mustOpenDB(t testing.TB, fs vfs.FS, dir string) *journal.DB {
	t.Helper()
	d, err := journal.Open(journal.Options{FS: fs, Dir: dir, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// bell wakes a test that waits for a replica, with a deadline so that a lost wake-up fails instead of hanging.
type bell chan struct{}

func newBell() bell { return make(bell, 1) }

func (b bell) ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// host is one replica on one store, driven by hand.
type host struct {
	t    testing.TB
	db   *journal.DB
	log  *journal.Log
	r    *Replica
	bell bell

	mu      sync.Mutex
	applied map[uint64][]byte
	last    uint64
}

func openSingle(t testing.TB, fs vfs.FS, dir string, applied uint64) *host {
	t.Helper()
	h := &host{t: t, db: mustOpenDB(t, fs, dir), bell: newBell(), applied: map[uint64][]byte{}, last: applied}
	var err error
	if h.log, err = h.db.Log(3); err != nil {
		t.Fatal(err)
	}
	h.r, err = Open(Config{DB: h.db, Log: h.log, Lane: 3, ID: 1, Group: Group{Voters: []uint64{1}}, Applied: applied, Wake: h.bell.ring, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *host) apply(index uint64, block []byte) error {
	if index != h.last+1 {
		h.t.Errorf("apply of %d after %d", index, h.last)
	}
	h.last, h.applied[index] = index, block
	return nil
}

func (h *host) work() int {
	h.t.Helper()
	n, err := h.r.DoWork(1, h.apply)
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// until works until ok.
func (h *host) until(ok func() bool) {
	h.t.Helper()
	deadline := time.After(2 * time.Minute)
	for h.work(); !ok(); h.work() {
		select {
		case <-h.bell:
		case <-deadline:
			h.t.Fatal("the replica does not get there")
		}
	}
}

func (h *host) close() {
	h.t.Helper()
	if err := h.db.Close(); err != nil {
		h.t.Fatal(err)
	}
}
