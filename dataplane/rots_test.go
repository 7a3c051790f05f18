package dataplane

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/config"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/journal"
	"smsplane/pdu"
)

// admitNoise journals messages with so many octets of noise, which nothing compresses and no block of a table shares with much
// else, from senders that are noise, too. It returns what to look for to find each of them in a table.
func (n *Node) admitNoise(t *testing.T, lane uint16, prefix string, count, octets int) (ids []ledger.MsgID, bodies, senders []string) {
	t.Helper()
	noise := rand.NewChaCha8([32]byte([]byte(fmt.Sprintf("%32s", prefix))))
	n.x.call(func() {
		l := n.x.lanes[lane]
		next := l.book.NextSeq()
		for i := range count {
			body, sender := make([]byte, octets), make([]byte, 10)
			_, _ = noise.Read(body)
			_, _ = noise.Read(sender)
			for k, c := range sender {
				sender[k] = 'a' + c%26
			}
			id := ledger.MakeMsgID(lane, next+uint64(i))
			dst := fmt.Sprintf("%s%07d", prefix, i)
			p := pdu.Submit{SrcTON: 5, Src: sender, DstTON: 1, DstNPI: 1, Dst: []byte(dst), Registered: 1, Coding: 4, Text: body}
			var number uint64
			if _, err := fmt.Sscan(dst, &number); err != nil {
				t.Error(err)
			}
			l.begin()
			l.open = ledger.AppendAccept(l.open, 0, id, n.x.now, &ledger.Accept{Account: 1, Parts: 1, Price: 45_000, Number: number, Registered: 1,
				ValidUntil: n.x.now + int64(48*time.Hour), PDU: p.Append(nil, 1)})
			l.recorded(n.x.now)
			ids, bodies, senders = append(ids, id), append(bodies, string(body[:min(octets, 24)])), append(senders, string(sender))
		}
	})
	if !n.await(func() bool {
		m := n.x.lanes[lane].book.Get(ids[count-1])
		return m != nil && m.Phase == phaseQueued
	}) {
		t.Fatal("the messages are not queued")
	}
	return ids, bodies, senders
}

// settleTables lets everything in a stopped node's store go to tables, without what was dropped.
func settleTables(t *testing.T, data string) {
	t.Helper()
	d, err := journal.Open(journal.Options{Dir: filepath.Join(data, "store"), Logger: testLog})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Expel(t.Context(), journal.EntryKind, journal.Run, journal.Moved, journal.EDR), d.Close()); err != nil {
		t.Fatal(err)
	}
}

// flipTables flips a bit where the tables of a stopped node's store have a text behind all else that has it (the log, that is), and
// returns how to flip it back.
func flipTables(t *testing.T, data, text string) (back func()) {
	t.Helper()
	tables, err := filepath.Glob(filepath.Join(data, "store", "*.sst"))
	if err != nil {
		t.Fatal(err)
	}
	file, at := "", 0
	for _, name := range tables {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if k := bytes.LastIndex(b, []byte(text)); k >= 0 {
			if file != "" {
				t.Fatalf("%s and %s have it: nobody knows which is behind", file, name)
			}
			file, at = name, k
		}
	}
	if file == "" {
		t.Fatalf("no table has %q", text)
	}
	turn := func() {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b[at] ^= 4
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	turn()
	return turn
}

// kept says whether the quarantine folder has a table, and a file whose name begins so.
func kept(t *testing.T, n *Node, prefix string) {
	t.Helper()
	for _, pattern := range []string{"*.sst", prefix + "*"} {
		if names, err := filepath.Glob(filepath.Join(n.cfg.Data, rotFolder, pattern)); err != nil || len(names) == 0 {
			t.Errorf("nothing like %s is kept: %v", pattern, err)
		}
	}
}

// A run that rots in its table is set aside: the others go on, nobody finds it missing without a word, and once its bytes are
// back, so are its messages.
func TestRottenRunIsSetAside(t *testing.T) {
	file := testNodeFile(t)
	n, stop := startTestNode(t, file)
	lane := n.x.accounts[1].Lane
	ids, bodies, senders := n.admitNoise(t, lane, "49151", 20, 15_000)
	onDisk(t, n, lane, ids)
	if !n.await(func() bool { return !n.x.lanes[lane].book.Dirty() }) {
		t.Fatal("the run is not flushed")
	}
	stop()
	settleTables(t, n.cfg.Data)
	back := flipTables(t, n.cfg.Data, bodies[12]) // in the second piece, which shares a block of the table with nothing

	n, stop = startTestNode(t, file)
	l := n.x.lanes[lane]
	if !n.await(func() bool { return len(l.aside) == 1 }) {
		t.Fatal("the rotten run is not set aside")
	}
	n.x.call(func() {
		for _, why := range l.aside {
			if text := fmt.Sprintf("runs of lane %d, ", lane); !errors.Is(why, journal.ErrCorrupt) || !strings.Contains(why.Error(), text) {
				t.Errorf("it does not say where: %v", why)
			}
		}
		p := pdu.New(pdu.CancelSM, pdu.ROK, 1) // by its client, of a message in it
		p.Set("message_id", []byte(ids[5].String())).Set("source_addr", []byte(senders[5]))
		l.cancel(&order{account: 1, p: p}, n.x.now)
	})
	n.admitNoise(t, lane, "49152", 3, 100)
	if !n.await(func() bool { return l.book.Live[book.StateRouted] == 23 && l.book.Spilled() == 10 }) {
		t.Errorf("%d wait, %d of them on disk", l.book.Live[book.StateRouted], l.book.Spilled())
	}
	damagedDepth := 0
	n.x.call(func() {
		for _, q := range n.x.queues() {
			if q.Queue == "damaged" {
				damagedDepth += q.Depth
			}
		}
	})
	if damagedDepth != 10 {
		t.Errorf("the list of queues has %d damaged messages", damagedDepth)
	}
	r, err := n.source().Check(t.Context())
	if err != nil || r.OK || !strings.Contains(strings.Join(r.Lines, "\n"), fmt.Sprintf("runs of lane %d", lane)) {
		t.Errorf("check: %+v, %v", r, err)
	}
	if _, err := n.source().Doubt(t.Context(), false); err != nil {
		t.Errorf("what is in doubt is in no run, and cannot be listed: %v", err)
	}
	d, err := n.source().Deed(t.Context(), admin.Deed{Action: "purge", Client: "acme", Yes: true, Author: "ann", Reason: "why"})
	if err != nil || d.Done != 13 || d.Damaged != 10 {
		t.Errorf("a purge of all: %+v, %v", d, err)
	}
	if !n.await(func() bool { return l.book.Counts.Ends[ledger.EndFailed] == 13 }) {
		t.Error("what is not damaged is not purged")
	}
	stop()
	kept(t, n, fmt.Sprintf("lane-%d-run-", lane))

	back()
	n, stop = startTestNode(t, file)
	defer stop()
	if !n.await(func() bool {
		return n.x.lanes[lane].book.Spilled() == 0 && n.x.lanes[lane].book.Live[book.StateRouted] == 10
	}) {
		t.Error("the messages are not back")
	}
	check(t, n)
}

// A pack that rots is told of by whoever looks for something in it; everything else is found, and exported.
func TestRottenPackIsTold(t *testing.T) {
	file := testNodeFile(t)
	n, stop := startTestNode(t, file)
	lane := n.x.accounts[1].Lane
	gone := uint64(0)
	purge := func(prefix string, want int) {
		t.Helper()
		gone += uint64(want)
		if r, err := n.source().Deed(t.Context(), admin.Deed{Action: "purge", Prefix: prefix, Yes: true, Author: "ann", Reason: "why"}); err != nil || r.Done != want {
			t.Fatalf("purge: %+v, %v", r, err)
		}
		if !n.await(func() bool {
			l := n.x.lanes[lane]
			return l.book.Counts.Ends[ledger.EndFailed] == gone && !l.book.Dirty()
		}) {
			t.Fatal("the pack is not flushed")
		}
	}
	n.admitNoise(t, lane, "49150", 200, 100)
	_, _, senders := n.admitNoise(t, lane, "49151", 200, 100)
	n.admitNoise(t, lane, "49152", 200, 100)
	purge("49150", 200)
	purge("49151", 200)
	purge("49152", 200)
	stop()
	settleTables(t, n.cfg.Data)
	flipTables(t, n.cfg.Data, senders[100])

	n, stop = startTestNode(t, file)
	defer stop()
	s := n.source()
	page, err := s.EDRs(t.Context(), admin.EDRQuery{})
	if err != nil || len(page.Rows) != 400 || len(page.Damaged) != 1 || !strings.Contains(page.Damaged[0], fmt.Sprintf("edr packs of lane %d, ", lane)) {
		t.Errorf("export: %d rows, %v, %v", len(page.Rows), page.Damaged, err)
	}
	if _, err := s.Find(t.Context(), admin.FindQuery{To: "491510000100"}); !errors.Is(err, journal.ErrCorrupt) {
		t.Errorf("what is in the pack is not found, without a word: %v", err)
	}
	if found, err := s.Find(t.Context(), admin.FindQuery{To: "491520000100"}); err != nil || len(found) != 1 {
		t.Errorf("what is in another: %v, %v", found, err)
	}
	r, err := s.Check(t.Context())
	if err != nil || r.OK || !strings.Contains(strings.Join(r.Lines, "\n"), fmt.Sprintf("lane %d", lane)) {
		t.Errorf("check: %+v, %v", r, err)
	}
	kept(t, n, "")
}

// A straggler that rots stops the start, which says where it is; its table is kept.
func TestRottenStragglerStopsTheStart(t *testing.T) {
	file := testNodeFile(t)
	n, stop := startTestNode(t, file)
	lane := n.x.accounts[1].Lane
	_, bodies, _ := n.admitNoise(t, lane, "49151", 12, 6000)
	n.x.call(func() {
		l := n.x.lanes[lane]
		if k, err := l.book.Move(1000); k != 12 || err != nil {
			t.Errorf("%d moved, %v", k, err)
		}
		l.flushNow(n.x.now)
	})
	if !n.await(func() bool { return !n.x.lanes[lane].book.Dirty() }) {
		t.Fatal("the stragglers are not flushed")
	}
	stop()
	settleTables(t, n.cfg.Data)
	flipTables(t, n.cfg.Data, bodies[7])

	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	again := &Node{cfg: cfg, log: testLog, clock: monotonic()}
	again.state.Store(stateStarting)
	if err := again.open(); !errors.Is(err, journal.ErrCorrupt) || !strings.Contains(err.Error(), fmt.Sprintf("stragglers of lane %d", lane)) {
		t.Errorf("a damaged straggler: %v", err)
	}
	if err := again.db.Close(); err != nil {
		t.Fatal(err)
	}
	kept(t, again, "")
}

// A run that rots after its LOAD, while messages of it are still to be sent, stops the start of a single host, which says where it is;
// what is left of it is kept.
func TestRottenLoadedRunStopsTheStart(t *testing.T) {
	file := testNodeFile(t)
	n, stop := startTestNode(t, file)
	lane := n.x.accounts[1].Lane
	ids, bodies, _ := n.admitNoise(t, lane, "49151", 20, 15_000)
	q := onDisk(t, n, lane, ids)
	l, run := n.x.lanes[lane], uint32(0)
	if !n.await(func() bool { return !l.book.Dirty() }) {
		t.Fatal("the run is not flushed")
	}
	n.x.call(func() { run = q.runs[0]; l.parts(q) })
	if !n.await(func() bool { return l.book.Spilled() == 0 && l.book.Get(ids[12]) != nil && !l.book.Dirty() }) {
		t.Fatal("the run is not loaded")
	}
	stop()
	settleTables(t, n.cfg.Data)
	back := flipTables(t, n.cfg.Data, bodies[12])

	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	again := &Node{cfg: cfg, log: testLog, clock: monotonic()}
	again.state.Store(stateStarting)
	err = again.open()
	for _, where := range []string{fmt.Sprintf("run %d of lane %d", run, lane), fmt.Sprintf("runs of lane %d, %d, ", lane, run)} {
		if !errors.Is(err, journal.ErrCorrupt) || !strings.Contains(err.Error(), where) {
			t.Errorf("a damaged run that is needed: %v; want %q", err, where)
		}
	}
	if err := again.db.Close(); err != nil {
		t.Fatal(err)
	}
	kept(t, again, fmt.Sprintf("lane-%d-run-%d", lane, run))

	back()
	n, stop = startTestNode(t, file)
	defer stop()
	if got := n.x.lanes[lane].book.Live[book.StateRouted]; got != 20 {
		t.Errorf("%d messages are back", got)
	}
	check(t, n)
}
