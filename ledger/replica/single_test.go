package replica

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"smsplane/ledger/journal"
)

func TestSingleProposeApplyRestart(t *testing.T) {
	fs := vfs.NewMem()
	h := openSingle(t, fs, "j", 0)
	if h.r.Leader() || h.r.Propose(testBlock(3, 1, 1)) {
		t.Fatal("leads before the empty entry of its term is applied")
	}
	h.until(h.r.Leader)
	if b, ok := h.applied[1]; !ok || b != nil {
		t.Fatalf("the first entry is %v, %x; want an empty one", ok, b)
	}
	var blocks [][]byte
	for i := range 10 {
		b := testBlock(3, 2, uint64(i))
		blocks = append(blocks, b)
		if !h.r.Propose(b) {
			t.Fatal("dropped")
		}
	}
	if n := h.r.InFlight(); n != 10 {
		t.Errorf("%d in flight, want 10", n)
	}
	h.until(func() bool { return h.r.Applied() == 11 })
	for i, b := range blocks {
		got := h.applied[uint64(i+2)]
		if !bytes.Equal(got, b) {
			t.Fatalf("index %d holds %x, want %x", i+2, got, b)
		}
		e, err := h.log.Entry(uint64(i + 2))
		if err != nil || &e.Data[0] != &b[0] || &got[0] != &b[0] {
			t.Fatalf("index %d: the block was copied (%v)", i+2, err)
		}
	}
	if h.r.Committed() != 11 || h.r.InFlight() != 0 || h.r.Term() != 1 || h.r.LeaderID() != 1 || h.r.Needed() != 12 {
		t.Errorf("committed %d, in flight %d, term %d, leader %d", h.r.Committed(), h.r.InFlight(), h.r.Term(), h.r.LeaderID())
	}
	h.close()

	h = openSingle(t, fs, "j", 5) // the folds stand at 5
	defer h.close()
	h.until(h.r.Leader)
	if _, ok := h.applied[5]; ok || len(h.applied) != 7 {
		t.Fatalf("applied %d entries again, want 6..11 and the empty one", len(h.applied))
	}
	for i := 6; i <= 11; i++ {
		if !bytes.Equal(h.applied[uint64(i)], blocks[i-2]) {
			t.Fatalf("index %d came back as %x", i, h.applied[uint64(i)])
		}
	}
	if b := h.applied[12]; b != nil || h.r.Term() != 2 {
		t.Fatalf("term %d, index 12 %x", h.r.Term(), b)
	}
}

func TestSingleIdleDoesNothing(t *testing.T) {
	h := openSingle(t, vfs.NewMem(), "j", 0)
	defer h.close()
	h.until(h.r.Leader)
	h.until(func() bool { return h.log.Vote().Commit == 1 })
	before := h.db.Stats()
	for now := range int64(1000) {
		if n, err := h.r.DoWork(now*1e9, h.apply); n != 0 || err != nil {
			t.Fatalf("worked: %d, %v", n, err)
		}
	}
	if h.r.Next() != 0 {
		t.Error("wants to be ticked")
	}
	after := h.db.Stats()
	requests := func(s journal.Stats) uint64 { return s.Appends + uint64(s.Queued) }
	if requests(after) != requests(before) || after.Syncs != before.Syncs {
		t.Errorf("an idle lane writes: %+v, then %+v", before, after)
	}
}

func TestCommitIndexReachesDiskWhenIdle(t *testing.T) {
	fs := vfs.NewMem()
	h := openSingle(t, fs, "j", 0)
	h.until(h.r.Leader)
	for i := range 5 {
		h.r.Propose(testBlock(3, 1, uint64(i)))
	}
	h.until(func() bool { return h.r.Applied() == 6 && h.r.writes.open == 0 && h.r.written == h.r.vote }) // idle
	h.close()
	d := mustOpenDB(t, fs, "j")
	defer d.Close()
	l, err := d.Log(3)
	if err != nil {
		t.Fatal(err)
	}
	if v := l.Vote(); v.Commit != 6 || v.Term != 1 || v.Voted != 1 {
		t.Errorf("vote %+v, want commit 6", v)
	}
}

// The note of a commit is not synced, the folds' state may be: after a crash Applied can be ahead.
func TestAppliedAheadOfCommit(t *testing.T) {
	fs := vfs.NewMem()
	d := mustOpenDB(t, fs, "j")
	done := make(chan struct{})
	var e []journal.Entry
	for i := uint64(1); i <= 4; i++ {
		e = append(e, journal.Entry{Index: i, Term: 1, Data: testBlock(3, 1, i)})
	}
	d.Append(journal.Append{Lane: 3, Entries: e, Vote: &journal.Vote{Term: 1, Voted: 1, Commit: 1}, Done: func() { close(done) }})
	<-done
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	h := openSingle(t, fs, "j", 3)
	defer h.close()
	h.until(h.r.Leader)
	if len(h.applied) != 2 || h.r.Committed() < 5 {
		t.Errorf("applied %d entries, committed %d", len(h.applied), h.r.Committed())
	}
}

func TestOpenRefuses(t *testing.T) {
	h := openSingle(t, vfs.NewMem(), "j", 0)
	defer h.close()
	h.until(h.r.Leader)
	h.r.Propose(testBlock(3, 1, 1))
	h.until(func() bool { return h.r.Applied() == 2 })
	h.log.DropBelow(2)
	ok := Config{DB: h.db, Log: h.log, Lane: 3, ID: 1, Group: Group{Voters: []uint64{1}}, Applied: 1}
	for _, c := range []struct {
		text string
		edit func(*Config)
	}{
		{"no way to send", func(c *Config) { c.ID = 2 }},
		{"is no member's id", func(c *Config) { c.ID = 0 }},
		{"a member without an id", func(c *Config) { c.Group = Group{Voters: []uint64{0}} }},
		{"it has no voters", func(c *Config) { c.Group = Group{} }},
		{"all witnesses", func(c *Config) { c.Group = Group{Voters: []uint64{MakeID(1, 1, true)}} }},
		{"the log ends at", func(c *Config) { c.Applied = 3 }},
		{"the log begins at", func(c *Config) { c.Applied = 0 }},
		{"no way to send", func(c *Config) { c.Group = Group{Voters: []uint64{1, 2}} }},
	} {
		bad := ok
		c.edit(&bad)
		if _, err := Open(bad); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%v, want %q", err, c.text)
		}
	}
}

func TestUncommittedIsBounded(t *testing.T) {
	h := openSingle(t, vfs.NewMem(), "j", 0)
	defer h.close()
	h.until(h.r.Leader)
	big := testBlock(3, 40000, 1) // 32 octets a record
	taken := 0
	for h.r.Propose(big) {
		taken++
	}
	if want := maxUncommitted / len(big); taken != want {
		t.Errorf("%d blocks of %d taken, want %d", taken, len(big), want)
	}
	h.until(func() bool { return h.r.InFlight() == 0 })
	if !h.r.Propose(big) {
		t.Error("dropped though nothing is uncommitted")
	}
	h.until(func() bool { return h.r.InFlight() == 0 })
	if !h.r.Propose(testBlock(3, 300000, 1)) {
		t.Error("a block larger than the bound never gets in")
	}
	h.until(func() bool { return h.r.InFlight() == 0 })
}

func TestApplyMayPropose(t *testing.T) {
	h := openSingle(t, vfs.NewMem(), "j", 0)
	defer h.close()
	h.until(h.r.Leader)
	order := []uint64{}
	apply := func(index uint64, block []byte) error {
		order = append(order, index)
		if index < 20 && !h.r.Propose(testBlock(3, 1, index)) {
			t.Error("dropped inside apply")
		}
		return nil
	}
	h.r.Propose(testBlock(3, 1, 0))
	for h.r.Applied() < 20 {
		<-h.bell
		if _, err := h.r.DoWork(1, apply); err != nil {
			t.Fatal(err)
		}
	}
	for i, index := range order {
		if index != uint64(i+2) {
			t.Fatalf("applied %v", order)
		}
	}
}

func TestApplyErrorIsFinal(t *testing.T) {
	h := openSingle(t, vfs.NewMem(), "j", 0)
	defer h.close()
	h.until(h.r.Leader)
	h.r.Propose(testBlock(3, 1, 0))
	boom := errors.New("boom")
	fail := func(uint64, []byte) error { return boom }
	var err error
	for err == nil {
		<-h.bell
		_, err = h.r.DoWork(1, fail)
	}
	if !errors.Is(err, boom) || !strings.Contains(err.Error(), "index 2") {
		t.Errorf("%v", err)
	}
	if _, again := h.r.DoWork(2, h.apply); !errors.Is(again, boom) {
		t.Errorf("went on: %v", again)
	}
	if h.r.Propose(testBlock(3, 1, 0)) {
		t.Error("takes proposals after its end")
	}
}

// A block that rots between two lives ends the member with an error that names it, not with a panic.
func TestDamagedEntryEndsMember(t *testing.T) {
	fs := vfs.NewMem()
	h := openSingle(t, fs, "j", 0)
	h.until(h.r.Leader)
	bad := testBlock(3, 3, 7)
	bad[len(bad)-1] ^= 1 // the checksum no longer fits; nothing checks it on the way in
	h.r.Propose(bad)
	h.until(func() bool { return h.r.Applied() == 2 })
	h.close()

	d := mustOpenDB(t, fs, "j")
	defer d.Close()
	l, err := d.Log(3)
	if err != nil {
		t.Fatal(err)
	}
	bell := newBell()
	r, err := Open(Config{DB: d, Log: l, Lane: 3, ID: 1, Group: Group{Voters: []uint64{1}}, Wake: bell.ring, Logger: quiet()})
	for err == nil {
		_, err = r.DoWork(1, func(uint64, []byte) error { return nil })
		if err == nil {
			<-bell
		}
	}
	if !errors.Is(err, journal.ErrCorrupt) || !strings.Contains(err.Error(), "lane 3 index 2") {
		t.Errorf("%v", err)
	}
}

// The only member restarts with a change of members that is committed and not applied: raft does not let it
// campaign before, so it must be tried again.
func TestSingleLeadsBehindUnappliedChange(t *testing.T) {
	fs := vfs.NewMem()
	h := openSingle(t, fs, "j", 0)
	h.until(h.r.Leader)
	h.r.c.Send = func(uint64, []byte) {}
	for _, c := range []Change{{AddLearner, 2}, {Remove, 2}} {
		if err := h.r.ProposeConf(c); err != nil {
			t.Fatal(err)
		}
		want := h.r.Applied() + 1
		h.until(func() bool { return h.r.Applied() >= want })
	}
	h.until(func() bool { return h.log.Vote().Commit == 3 })
	h.close()

	h = openSingle(t, fs, "j", 1) // the folds stand before both
	defer h.close()
	deadline := time.Now().Add(20 * time.Second)
	for now := int64(1); !h.r.Leader(); now += 20e6 {
		if time.Now().After(deadline) {
			t.Fatal("never leads")
		}
		if _, err := h.r.DoWork(now, h.apply); err != nil {
			t.Fatal(err)
		}
		runtime.Gosched()
	}
}
