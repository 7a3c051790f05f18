package replica

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"

	"smsplane/ledger"
	"smsplane/ledger/journal"
)

// Goals: the cost of a committed block, end to end, on this machine's disk, against the least a disk can do
// for the same bytes in the same run. Not a goal: absolute figures, which move with the disk by a factor of 2.

const (
	benchMessages = 100
	benchBody     = 250
	benchDepth    = 4
)

// benchBlock is a sealed block of 100 ACCEPTs of 250 octets each.
func benchBlock() []byte {
	b := ledger.OpenBlock(nil)
	pdu := make([]byte, benchBody)
	for i := range pdu {
		pdu[i] = byte(i * 7)
	}
	for i := range benchMessages {
		b = ledger.AppendAccept(b, 0, ledger.MakeMsgID(3, uint64(i)), 1, &ledger.Accept{PDU: pdu})
	}
	return ledger.SealBlock(b, 3, benchMessages, 1)
}

// cpu is the process's user and system time.
func cpu() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rawLoop writes n blocks into an already written file, one fdatasync each.
func rawLoop(t testing.TB, dir string, block []byte, n int) {
	const segment = 512
	f, err := os.Create(filepath.Join(dir, "raw"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write := func(i int) {
		if _, err := f.WriteAt(block, int64(i%segment*len(block))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range segment {
		write(i)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if b, ok := t.(*testing.B); ok {
		b.ResetTimer()
	}
	for i := range n {
		write(i)
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			t.Fatal(err)
		}
	}
}

// replicaLoop commits n blocks through a group of one, depth of them in flight, and drops what is applied.
func replicaLoop(t testing.TB, h *host, block []byte, n, depth int) {
	apply := func(index uint64, _ []byte) error {
		if index%4096 == 0 {
			h.log.DropBelow(index - 1024)
		}
		return nil
	}
	for sent, end := 0, h.r.Applied()+uint64(n); h.r.Applied() < end; {
		for sent < n && h.r.InFlight() < depth {
			if !h.r.Propose(block) {
				t.Fatal("dropped")
			}
			sent++
		}
		if _, err := h.r.DoWork(1, apply); err != nil {
			t.Fatal(err)
		}
		if h.r.InFlight() == depth || sent == n && h.r.Applied() < end {
			<-h.bell
		}
	}
}

// journalLoop is replicaLoop without raft: appends only.
func journalLoop(d *journal.DB, block []byte, n, depth int) {
	slots := make(chan struct{}, depth)
	for i := range n {
		slots <- struct{}{}
		d.Append(journal.Append{Lane: 9, Done: func() { <-slots },
			Entries: []journal.Entry{{Index: uint64(i + 1), Term: 1, Data: block}}})
	}
	for range depth {
		slots <- struct{}{}
	}
}

func BenchmarkBlocks(b *testing.B) {
	block := benchBlock()
	report := func(b *testing.B, start time.Duration) {
		b.ReportMetric(float64(b.N*benchMessages)/b.Elapsed().Seconds(), "msg/s")
		b.ReportMetric(float64((cpu()-start).Nanoseconds())/float64(b.N*benchMessages)/1000, "cpu-us/msg")
		b.ReportAllocs()
	}
	b.Run("raw", func(b *testing.B) {
		start := cpu()
		rawLoop(b, b.TempDir(), block, b.N)
		report(b, start)
	})
	b.Run("journal", func(b *testing.B) {
		d := mustOpenDB(b, vfs.Default, b.TempDir())
		defer d.Close()
		b.ResetTimer()
		start := cpu()
		journalLoop(d, block, b.N, benchDepth)
		report(b, start)
	})
	b.Run("replica", func(b *testing.B) {
		h := openSingle(b, vfs.Default, b.TempDir(), 0)
		defer h.close()
		h.until(h.r.Leader)
		b.ResetTimer()
		start := cpu()
		replicaLoop(b, h, block, b.N, benchDepth)
		report(b, start)
	})
}

// BenchmarkPropose leaves the disk out: memory, no sync. Per block of 100 messages.
func BenchmarkPropose(b *testing.B) {
	for _, c := range []struct {
		name  string
		block []byte
	}{{"block=100x250", benchBlock()}, {"block=1", testBlock(3, 1, 1)}} {
		b.Run(c.name, func(b *testing.B) {
			h := openSingle(b, vfs.NewMem(), "j", 0)
			defer h.close()
			h.until(h.r.Leader)
			b.ReportAllocs()
			b.ResetTimer()
			replicaLoop(b, h, c.block, b.N, benchDepth)
		})
	}
}

// TestBenchmarkLoops runs the loops of the benchmarks small, so that they cannot rot.
func TestBenchmarkLoops(t *testing.T) {
	block := benchBlock()
	if err := ledger.CheckBlock(block); err != nil {
		t.Fatal(err)
	}
	rawLoop(t, t.TempDir(), block, 3)
	h := openSingle(t, vfs.NewMem(), "j", 0)
	h.until(h.r.Leader)
	replicaLoop(t, h, block, 20, benchDepth)
	journalLoop(h.db, block, 20, benchDepth)
	if h.r.Applied() != 21 || h.db.Stats().Entries != 41 {
		t.Errorf("applied %d, %d entries written", h.r.Applied(), h.db.Stats().Entries)
	}
	if err := h.db.Check(); err != nil {
		t.Error(err)
	}
	h.close()
}
