package dataplane

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"smsplane/ledger/replica"
)

// The guard follows the free space: full at the reserve, open again an eighth above it, whatever the
// compactions need counts when it is more, and the ballast goes last and comes back first.
func TestGuard(t *testing.T) {
	const unit = 1 << 20
	var free, need uint64
	var failure error
	told := []replica.Room{}
	g := &guard{log: testLog, free: func() (uint64, error) { return free, failure }, need: func() uint64 { return need },
		reserve: 8 * unit, ballast: filepath.Join(t.TempDir(), "ballast"), tell: func(room replica.Room) { told = append(told, room) }}
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
		room       replica.Room
		ballast    int64
	}{
		{free: 100 * unit, ballast: unit},
		{free: 8 * unit, ballast: unit},
		{free: 8*unit - 1, room: replica.Full, ballast: unit},
		{free: 9*unit - 1, room: replica.Full, ballast: unit},
		{free: 9 * unit, err: errors.New("no answer"), room: replica.Full, ballast: unit},
		{free: 9 * unit, ballast: unit},
		{free: 9 * unit, need: 10 * unit, room: replica.Full, ballast: unit},
		{free: 9 * unit, ballast: unit},
		{free: unit - 1, room: replica.Brimful},
		{free: 2*unit - 1, room: replica.Brimful}, // what the ballast gave
		{free: 4*unit - 1, room: replica.Brimful},
		{free: 4 * unit, room: replica.Full},
		{free: 9*unit + unit/2},
		{free: 8*unit - 1, room: replica.Full},
		{free: unit, room: replica.Full},
		{free: unit - 1, room: replica.Brimful},
		{free: 10 * unit, ballast: unit},
	} {
		free, need, failure = s.free, s.need, s.err
		g.look()
		if g.now() != s.room || ballast() != s.ballast {
			t.Errorf("step %d: %v, ballast %d; want %v, %d", i, g.now(), ballast(), s.room, s.ballast)
		}
	}
	const none, full, brim = replica.Roomy, replica.Full, replica.Brimful
	if want := []replica.Room{full, none, full, none, brim, full, none, full, brim, none}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
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
