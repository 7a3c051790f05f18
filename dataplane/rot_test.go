package dataplane

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/config"
	"smsplane/ledger/journal"
)

// rot flips a bit of an entry in a stopped node's log and returns the damaged value.
func rot(t *testing.T, data string, lane uint16, index uint64) []byte {
	t.Helper()
	d, err := journal.Open(journal.Options{Dir: filepath.Join(data, "store"), Logger: testLog})
	if err != nil {
		t.Fatal(err)
	}
	v := d.Raw(lane, index)
	if v == nil {
		t.Fatalf("lane %d has no index %d", lane, index)
	}
	v[len(v)-3] ^= 4
	w := journal.NewBatch()
	w.Set(journal.Key(journal.EntryKind, lane, index), v)
	d.Write(w, nil)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return v
}

// Damage in the log stops the start, is located, kept in a file, and told by the tools; what they can read
// they still read.
func TestBitRot(t *testing.T) {
	file := testNodeFile(t)
	n, stop := startTestNode(t, file)
	lane := n.x.accounts[1].Lane
	n.admit(t, lane, 5)
	last := n.x.lanes[lane].log.Last()
	stop()
	const index = 2
	if last < index {
		t.Fatalf("the log ends at %d", last)
	}
	bad := rot(t, n.cfg.Data, lane, index)
	where := fmt.Sprintf("lane %d index %d", lane, index)

	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	again := &Node{cfg: cfg, log: testLog, clock: monotonic()}
	again.state.Store(stateStarting)
	err = again.open()
	if err == nil || !strings.Contains(err.Error(), where) {
		t.Fatalf("a damaged log opened, or does not say where: %v", err)
	}
	if err := again.db.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(n.cfg.Data, rotFolder, fmt.Sprintf("lane-%d-index-%d", lane, index))
	if b, err := os.ReadFile(name + ".bin"); err != nil || !bytes.Equal(b, bad) {
		t.Errorf("the side file has %d octets of %d, %v", len(b), len(bad), err)
	}
	if b, err := os.ReadFile(name + ".txt"); err != nil || !strings.Contains(string(b), where) {
		t.Errorf("the side file says %q, %v", b, err)
	}

	s, c, err := OpenOffline(file)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, err := s.Check(t.Context())
	if err != nil || r.OK || !strings.Contains(strings.Join(r.Lines, "\n"), where) {
		t.Errorf("check: %+v, %v", r, err)
	}
	lines, err := s.Dump(t.Context(), admin.DumpQuery{Lane: lane, Limit: 1000})
	damaged, whole := 0, 0
	for _, l := range lines {
		if l.Kind == "DAMAGED" && l.Index == index {
			damaged++
		} else {
			whole++
		}
	}
	if err != nil || damaged != 1 || whole == 0 {
		t.Errorf("dump: %d damaged, %d whole, %v", damaged, whole, err)
	}
	if _, err := s.Audit(t.Context()); !errors.Is(err, journal.ErrCorrupt) {
		t.Errorf("audit of a damaged store: %v", err)
	}
}
