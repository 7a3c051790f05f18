//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type deedResult struct {
	Matched, Done int
	Dry           bool `json:"dry_run"`
}

// depth is how many messages a kind of queue holds.
func (n *node) depth(queue string) (k int) {
	for _, q := range ask[[]struct {
		Queue string
		Depth int
	}](n, "queue", "list") {
		if q.Queue == queue {
			k += q.Depth
		}
	}
	return k
}

// Messages wait for a carrier behind a paused layer. They are counted, held over a kill, released, planned
// anew, and purged; each purged one comes back with a receipt and its hold is voided.
func TestQueueDeeds(t *testing.T) {
	c := startCarrier(t)
	n, box := newNode(t, c.port).up(), newOutbox()
	n.linked(linkSessions)
	if code, out, errs := n.command("layer", "pause", "egress"); code != 0 {
		t.Fatalf("pause: exit %d\n%s%s", code, out, errs)
	}
	e := mustBind(t, n, 500, box)
	sendAll(t, e, "49151", 0, 300)
	sendAll(t, e, "49152", 0, 200)
	eventually(t, patience, "all messages wait for the carrier", func() bool { return n.depth("internal") == 500 })

	if code, _, _ := n.command("queue", "purge", "--yes", "--reason", "x"); code == 0 {
		t.Error("a purge that selects everything was taken")
	}
	if code, _, errs := n.command("queue", "hold", "--prefix", "49151", "--yes"); code == 0 || !strings.Contains(errs, "reason") {
		t.Errorf("a hold without a reason was taken: %s", errs)
	}
	if r := ask[deedResult](n, "queue", "hold", "--prefix", "+49151"); r.Matched != 300 || r.Done != 0 || !r.Dry {
		t.Errorf("dry run of a hold: %+v", r)
	}
	if k := n.depth("held"); k != 0 {
		t.Errorf("a dry run held %d", k)
	}
	if r := ask[deedResult](n, "queue", "hold", "--prefix", "49151", "--carrier", "c0", "--class", "transactional", "--yes", "--reason", "test of holding"); r.Done != 300 {
		t.Errorf("hold: %+v", r)
	}
	if held, rest := n.depth("held"), n.depth("internal"); held != 300 || rest != 200 {
		t.Errorf("held %d, queued %d", held, rest)
	}
	n.proc.kill()
	n.up().linked(linkSessions)
	e = mustBind(t, n, 500, box)
	if code, out, errs := n.command("layer", "resume", "egress"); code != 0 {
		t.Fatalf("resume: exit %d\n%s%s", code, out, errs)
	}
	eventually(t, patience, "what is not held goes out", func() bool { got, _ := c.counts(); return got == 200 })
	if held := n.depth("held"); held != 300 {
		t.Errorf("after a kill %d are held", held)
	}
	if r := ask[deedResult](n, "queue", "purge", "--prefix", "491510000", "--older-than", "1h"); r.Matched != 0 {
		t.Errorf("older than an hour: %+v", r)
	}
	if r := ask[deedResult](n, "queue", "purge", "--prefix", "4915100000", "--yes", "--reason", "test of purging"); r.Done != 100 {
		t.Errorf("purge: %+v", r)
	}
	if r := ask[deedResult](n, "queue", "reroute", "--prefix", "4915100001", "--yes", "--reason", "test of planning anew"); r.Done != 100 {
		t.Errorf("reroute: %+v", r)
	}
	if r := ask[deedResult](n, "queue", "release", "--client", "demo", "--yes", "--reason", "test of releasing"); r.Done != 100 {
		t.Errorf("release: %+v", r)
	}
	eventually(t, patience, "what was released and planned anew goes out", func() bool { got, _ := c.counts(); return got == 400 })
	eventually(t, time.Minute, "all receipts are back", func() bool { return box.returned() == 500 })
	b := n.status().Books
	if b.Delivered != 400 || b.Failed != 100 || b.InFlight != 0 {
		t.Errorf("books %+v", b)
	}
	type found struct{ ID, State string }
	purged := ask[[]found](n, "find", "--to", number("49151", 7))
	if len(purged) != 1 || purged[0].State != "failed" {
		t.Fatalf("a purged message: %+v", purged)
	}
	if _, out, _ := n.command("trace", purged[0].ID); !strings.Contains(out, "test of purging") || !strings.Contains(out, "test of holding") {
		t.Errorf("its trace does not name who did what:\n%s", out)
	}
	if _, out, _ := n.command("store", "dump", "--id", purged[0].ID); strings.Count(out, "OPERATOR") != 2 {
		t.Errorf("its records:\n%s", out)
	}
	n.proven()
}

// A backup of a running node under load holds a moment of it: restored elsewhere it proves, and a node runs
// on it.
func TestBackupUnderLoad(t *testing.T) {
	c := startCarrier(t)
	n, box := newNode(t, c.port).up(), newOutbox()
	n.linked(linkSessions)
	e := mustBind(t, n, 500, box)
	sent := make(chan error, 1)
	go func() {
		for i := range 20_000 {
			if err := e.send(text(number("49151", i))); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	eventually(t, patience, "the load flows", func() bool { return box.accepted() > 1000 })
	before := box.accepted()
	dir := filepath.Join(t.TempDir(), "backup")
	if code, out, errs := n.command("store", "backup", dir); code != 0 {
		t.Fatalf("backup: exit %d\n%s%s", code, out, errs)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	everythingBack(t, box, c)
	n.stop()
	if code, _, errs := n.command("store", "restore", dir); code == 0 || !strings.Contains(errs, "not empty") {
		t.Errorf("restore over a store: %s", errs)
	}
	other := newNode(t, c.port)
	if code, out, errs := other.command("store", "restore", dir); code != 0 {
		t.Fatalf("restore: exit %d\n%s%s", code, out, errs)
	}
	if b := other.status().Books; b.Accepted < uint64(before) {
		t.Errorf("%d were acknowledged before the backup, it holds %d", before, b.Accepted)
	}
	other.proven()
	other.up().stop()
}

// Receipts that a client has taken once come again, for the range of time that was asked for.
func TestReceiptsReplayed(t *testing.T) {
	c := startCarrier(t)
	n, box := newNode(t, c.port).up(), newOutbox()
	n.linked(linkSessions)
	sendAll(t, mustBind(t, n, 500, box), "49151", 0, 50)
	everythingBack(t, box, c)
	if r := ask[deedResult](n, "receipts", "replay", "--client", "demo", "--since", "1h"); r.Matched != 50 || r.Done != 0 {
		t.Errorf("dry run: %+v", r)
	}
	if r := ask[deedResult](n, "receipts", "replay", "--client", "demo", "--since", "2h", "--until", "1h"); r.Matched != 0 {
		t.Errorf("another time: %+v", r)
	}
	if r := ask[deedResult](n, "receipts", "replay", "--client", "demo", "--since", "1h", "--yes", "--reason", "they lost them"); r.Done != 50 {
		t.Errorf("replay: %+v", r)
	}
	eventually(t, patience, "every receipt came a second time", func() bool { return box.doubled() == 50 })
	eventually(t, patience, "none is parked", func() bool { return n.status().Books.ReceiptsParked == 0 })
	n.proven()
}

// reserve rewrites the node file with the disk reserve given; the next start reads it.
func (n *node) reserve(size string) {
	n.t.Helper()
	write(n.t, n.config, fmt.Sprintf(nodeFile, n.smpp, n.admin)+"journal: {reserve: "+size+"}\n")
}

// On a disk below its reserve new messages are refused with ESME_RMSGQFUL, what was accepted is delivered, and
// with room again all goes on.
func TestDiskReserve(t *testing.T) {
	c := startCarrier(t)
	n, box := newNode(t, c.port), newOutbox()
	n.reserve("1MiB")
	n.up().linked(linkSessions)
	if code, out, errs := n.command("layer", "pause", "egress"); code != 0 {
		t.Fatalf("pause: exit %d\n%s%s", code, out, errs)
	}
	sendAll(t, mustBind(t, n, 500, box), "49151", 0, 100)
	n.stop()
	n.reserve("1024GiB")
	n.up().linked(linkSessions)
	e := mustBind(t, n, 500, box)
	sendAll(t, e, "49151", 100, 150)
	const queueFull = 0x14
	if box.refused[queueFull] != 50 {
		t.Errorf("refused %v, want 50 with ESME_RMSGQFUL", box.refused)
	}
	if code, out, errs := n.command("layer", "resume", "egress"); code != 0 {
		t.Fatalf("resume: exit %d\n%s%s", code, out, errs)
	}
	everythingBack(t, box, c)
	if st := ask[struct {
		Full    bool
		Reserve uint64 `json:"reserve_bytes"`
	}](n, "store", "stat"); !st.Full || st.Reserve != 1<<40 {
		t.Errorf("store stat: %+v", st)
	}
	n.stop()
	n.reserve("1MiB")
	n.up().linked(linkSessions)
	sendAll(t, mustBind(t, n, 500, box), "49151", 100, 150)
	everythingBack(t, box, c)
	if box.accepted() != 150 {
		t.Errorf("%d accepted in the end", box.accepted())
	}
	n.proven()
}
