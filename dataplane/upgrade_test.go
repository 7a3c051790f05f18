package dataplane

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/ledger/journal"
)

// store-v1.tgz is the store of a node that a build of layout version 1 ran and that was killed: 36 messages
// accepted in two lanes, 19 delivered, 11 failed, 6 waiting for a carrier that is down; 20 receipts taken, 14
// parked, of which 4 are messages from a carrier.

// oldStore unpacks it into a data folder and writes a node file; it returns the file's path.
func oldStore(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Open(filepath.Join("testdata", "store-v1.tgz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, "data", filepath.Clean("/"+h.Name))
		if h.FileInfo().IsDir() {
			err = os.MkdirAll(to, 0o700)
		} else {
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(to, b, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return nodeFile(t, dir, "")
}

// nodeFile writes the node file of a folder, for two lanes and no catalog folder worth the name.
func nodeFile(t *testing.T, dir, more string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "catalog"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "smsplane.yaml")
	text := "node: old\ndata: ./data\nlanes: 2\nsmpp: {listen: [\"127.0.0.1:0\"]}\nadmin: {listen: \"127.0.0.1:0\"}\ncatalog: ./catalog\n" + more
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// offline opens a stopped node's store for reading until the test ends.
func offline(t *testing.T, cfg string) (admin.Source, func()) {
	t.Helper()
	s, c, err := OpenOffline(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s, func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// sound demands a check without findings and the books of the old store.
func sound(t *testing.T, s admin.Source) {
	t.Helper()
	r, err := s.Check(context.Background())
	if err != nil || !r.OK {
		t.Fatalf("check: %v\n%s", err, strings.Join(r.Lines, "\n"))
	}
	r, err = s.Audit(context.Background())
	if err != nil || !r.OK {
		t.Fatalf("audit: %v\n%s", err, strings.Join(r.Lines, "\n"))
	}
	if b := r.Books; b.Accepted != 36 || b.Delivered != 19 || b.Failed != 11 || b.InFlight != 6 || b.ReceiptsReturned != 20 || b.ReceiptsParked != 14 {
		t.Fatalf("books %+v", *b)
	}
}

func layoutVersion(t *testing.T, cfg string) int {
	t.Helper()
	s, done := offline(t, cfg)
	defer done()
	st, err := s.Stat(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return st.Version
}

// A store of version 1 is read as it is, brought up to date by the first opening for writing, and says the
// same before and after; its messages can be traced.
func TestOldStoreIsUpgraded(t *testing.T) {
	cfg := oldStore(t)
	if v := layoutVersion(t, cfg); v != 1 {
		t.Fatalf("the stored old store has version %d", v)
	}
	s, done := offline(t, cfg)
	sound(t, s)
	done()
	d, err := journal.Open(journal.Options{Dir: filepath.Join(filepath.Dir(cfg), "data", "store"), Logger: testLog})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	fresh, err := journal.Open(journal.Options{Dir: t.TempDir(), Logger: testLog})
	if err != nil {
		t.Fatal(err)
	}
	newest := int(fresh.Version())
	if err := fresh.Close(); err != nil {
		t.Fatal(err)
	}
	if v := layoutVersion(t, cfg); v != newest || v < 2 {
		t.Fatalf("after the upgrade the store has version %d, the build's is %d", v, newest)
	}
	s, done = offline(t, cfg)
	defer done()
	sound(t, s)
	lines, err := s.Trace(context.Background(), ledger.MakeMsgID(1, 0x15).String())
	if err != nil || len(lines) < 6 {
		t.Errorf("trace of an old message: %d lines, %v", len(lines), err)
	}
}

// A backup of a stopped node is verified, restored only into an empty folder, and refused when one octet of
// it differs.
func TestBackupAndRestore(t *testing.T) {
	cfg := oldStore(t)
	ctx := context.Background()
	backup := filepath.Join(t.TempDir(), "backup")
	s, done := offline(t, cfg)
	r, err := s.Backup(ctx, backup)
	if err != nil || !r.OK {
		t.Fatalf("backup: %v\n%s", err, strings.Join(r.Lines, "\n"))
	}
	if _, err := s.Backup(ctx, backup); err == nil {
		t.Error("a second backup to the same folder was taken")
	}
	if _, err := s.Backup(ctx, "here"); err == nil {
		t.Error("a backup to a relative path was taken")
	}
	done()
	if _, err := Restore(ctx, cfg, backup); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("restore over a store: %v", err)
	}
	fresh := nodeFile(t, t.TempDir(), "")
	if err := os.MkdirAll(filepath.Join(filepath.Dir(fresh), "data", "lost+found"), 0o700); err != nil { // a file system of its own
		t.Fatal(err)
	}
	if r, err := Restore(ctx, fresh, backup); err != nil || !r.OK {
		t.Fatalf("restore: %v\n%s", err, strings.Join(r.Lines, "\n"))
	}
	s, done = offline(t, fresh)
	sound(t, s)
	done()
	logs, err := filepath.Glob(filepath.Join(backup, "store", "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("the backup has no WAL: %v", err)
	}
	flip(t, logs[len(logs)-1])
	other := nodeFile(t, t.TempDir(), "")
	if _, err := Restore(ctx, other, backup); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("restore of a damaged backup: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(filepath.Dir(other), "data")); len(left) != 0 {
		t.Errorf("a refused restore left %v", left)
	}
}

// flip turns one bit in the middle of a file.
func flip(t *testing.T, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Every record of the old store can be told in words; a message's dump is its life.
func TestDump(t *testing.T) {
	s, done := offline(t, oldStore(t))
	defer done()
	for lane := range uint16(2) {
		lines, err := s.Dump(context.Background(), admin.DumpQuery{Lane: lane, Limit: 1000})
		if err != nil || len(lines) < 10 {
			t.Fatalf("lane %d: %d lines, %v", lane, len(lines), err)
		}
		for _, l := range lines {
			if l.Kind == "DAMAGED" || l.Detail == "" || strings.Contains(l.Detail, "cannot be read") {
				t.Errorf("%+v", l)
			}
		}
		some, err := s.Dump(context.Background(), admin.DumpQuery{Lane: lane, From: 3, To: 4, Limit: 1000})
		for _, l := range some {
			if l.Index < 3 || l.Index > 4 {
				t.Errorf("index %d in a dump of 3 to 4", l.Index)
			}
		}
		if err != nil || len(some) == 0 || len(some) >= len(lines) {
			t.Errorf("lane %d: %d of %d lines, %v", lane, len(some), len(lines), err)
		}
	}
	lines, err := s.Dump(context.Background(), admin.DumpQuery{ID: ledger.MakeMsgID(1, 0x15).String(), Limit: 1000})
	kinds := ""
	for _, l := range lines {
		kinds += l.Kind + " "
	}
	if want := "ACCEPT ROUTE DISPATCH ANSWER RECEIPT FINAL "; err != nil || kinds != want {
		t.Errorf("dump of a message: %s, %v; want %s", kinds, err, want)
	}
}

// Stat adds up: every kind of key of the old store is there, and the lanes' windows are those of the log.
func TestStat(t *testing.T) {
	s, done := offline(t, oldStore(t))
	defer done()
	st, err := s.Stat(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]uint64{}
	for _, u := range st.Sizes {
		kinds[u.Kind] += u.Keys
		if u.Bytes < 11*u.Keys && u.Kind != "lane meta" && u.Kind != "store id" && u.Kind != "fold state" {
			t.Errorf("%+v", u)
		}
	}
	log := uint64(0)
	for _, l := range st.Lanes {
		log += l.Last - l.First + 1
	}
	if kinds["log"] != log || kinds["edr packs"] == 0 || kinds["edr packs"] != kinds["edr index"] || kinds["fold state"] != 2 || kinds["store id"] != 1 {
		t.Errorf("%s of %d entries", fmt.Sprint(kinds), log)
	}
}
