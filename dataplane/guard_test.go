package dataplane

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// The guard follows the free space: full at the reserve, open again an eighth above it, whatever the
// compactions need counts when it is more, and the ballast goes last and comes back first.
func TestGuard(t *testing.T) {
	const unit = 1 << 20
	var free, need uint64
	var failure error
	told := []bool{}
	g := &guard{log: slog.New(slog.DiscardHandler), free: func() (uint64, error) { return free, failure }, need: func() uint64 { return need },
		reserve: 8 * unit, ballast: filepath.Join(t.TempDir(), "ballast"), tell: func(full bool) { told = append(told, full) }}
	ballast := func() int64 {
		st, err := os.Stat(g.ballast)
		if err != nil {
			return 0
		}
		return st.Size()
	}
	for i, s := range []struct {
		free, need uint64
		err        error
		full       bool
		ballast    int64
	}{
		{free: 100 * unit, ballast: unit},
		{free: 8 * unit, ballast: unit},
		{free: 8*unit - 1, full: true, ballast: unit},
		{free: 9*unit - 1, full: true, ballast: unit},
		{free: 9 * unit, err: errors.New("no answer"), full: true, ballast: unit},
		{free: 9 * unit, ballast: unit},
		{free: 9 * unit, need: 10 * unit, full: true, ballast: unit},
		{free: 9 * unit, full: false, ballast: unit},
		{free: unit - 1, full: true},
		{free: 9*unit + unit/2},
		{free: 10 * unit, ballast: unit},
	} {
		free, need, failure = s.free, s.need, s.err
		g.look()
		if g.full.Load() != s.full || ballast() != s.ballast {
			t.Errorf("step %d: full %v, ballast %d; want %v, %d", i, g.full.Load(), ballast(), s.full, s.ballast)
		}
	}
	for i, full := range told {
		if full != (i%2 == 0) {
			t.Fatalf("told %v", told)
		}
	}
	if len(told) != 6 {
		t.Errorf("told %d times, want 6: %v", len(told), told)
	}
}

// A node whose disk fills up refuses new messages on every loop, and accepts again when there is room.
func TestFullDiskStopsAccepting(t *testing.T) {
	n := newTestNode(t)
	g := n.guard
	full := func() bool {
		got := make(chan bool, len(n.loops))
		for _, l := range n.loops {
			n.engine.Post(l.index, func() { got <- l.desk.Full })
		}
		all := true
		for range n.loops {
			all = <-got && all
		}
		return all
	}
	g.look()
	if full() {
		t.Fatal("full from the start")
	}
	g.free = func() (uint64, error) { return 1 << 10, nil }
	g.look()
	if !full() {
		t.Error("a full disk does not stop the loops")
	}
	g.free = func() (uint64, error) { return 1 << 50, nil }
	g.look()
	if full() {
		t.Error("a disk with room again does not open the loops")
	}
}
