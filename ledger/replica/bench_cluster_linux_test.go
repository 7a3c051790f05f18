package replica

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"smsplane/ledger"
	"smsplane/ledger/journal"
)

// Three nodes in one process on this machine's disk: three stores, one owner goroutine each, messages copied from one
// to the other in memory. Everything is paid three times on the same cores and the same disk, so on three
// machines it can only be better. The figure to look at is the ratio to raw in the same run.

const clusterMessages = 64

func clusterBlock(lane uint16) []byte {
	b := ledger.OpenBlock(nil)
	pdu := make([]byte, benchBody)
	for i := range pdu {
		pdu[i] = byte(i * 7)
	}
	for i := range clusterMessages {
		b = ledger.AppendAccept(b, 0, ledger.MakeMsgID(lane, uint64(i)), 1, &ledger.Accept{PDU: pdu})
	}
	return ledger.SealBlock(b, lane, clusterMessages, 1)
}

type benchMessage struct {
	lane uint16
	data []byte
}

// benchNode is one host: every lane's member, polled by one goroutine.
type benchNode struct {
	id    uint64
	db    *journal.DB
	lanes []*Replica
	logs  []*journal.Log
	bell  bell

	mu    sync.Mutex
	inbox []benchMessage
	bytes int64 // received
}

type benchCluster struct {
	nodes []*benchNode
	lead  []uint64 // by lane
	want  uint64   // blocks a lane
	depth int
	done  sync.WaitGroup // lanes that are not there yet
	stop  chan struct{}
	ended sync.WaitGroup
}

func newBenchCluster(t testing.TB, ids []uint64, lanes, depth int, fs func() (vfs.FS, string)) *benchCluster {
	c := &benchCluster{depth: depth, stop: make(chan struct{})}
	for _, id := range ids {
		n := &benchNode{id: id, bell: newBell()}
		f, dir := fs()
		n.db = mustOpenDB(t, f, dir)
		c.nodes = append(c.nodes, n)
	}
	data := 0
	for _, id := range ids {
		if !IsWitness(id) {
			data++
		}
	}
	for lane := range uint16(lanes) {
		c.lead = append(c.lead, ids[int(lane)%data])
		for _, n := range c.nodes {
			log, err := n.db.Log(lane)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Open(Config{DB: n.db, Log: log, Lane: lane, ID: n.id, Group: Group{Voters: ids}, Wake: n.bell.ring, Logger: quiet(),
				Send: func(to uint64, msg []byte) { c.send(lane, to, msg) }})
			if err != nil {
				t.Fatal(err)
			}
			n.lanes, n.logs = append(n.lanes, r), append(n.logs, log)
		}
	}
	return c
}

func (c *benchCluster) send(lane uint16, to uint64, msg []byte) {
	for _, n := range c.nodes {
		if n.id == to {
			n.mu.Lock()
			n.inbox = append(n.inbox, benchMessage{lane, append([]byte(nil), msg...)})
			n.bytes += int64(len(msg))
			n.mu.Unlock()
			n.bell.ring()
		}
	}
}

// run commits n blocks in each lane, depth of them in flight, on the lane's leader.
func (c *benchCluster) run(t testing.TB, n int) {
	c.stop = make(chan struct{})
	c.want += uint64(n)
	c.done.Add(len(c.lead))
	for _, node := range c.nodes {
		c.ended.Add(1)
		go c.own(t, node)
	}
	c.done.Wait()
	close(c.stop)
	c.ended.Wait()
}

// own is a node's owner goroutine.
func (c *benchCluster) own(t testing.TB, n *benchNode) {
	defer c.ended.Done()
	var inbox []benchMessage
	blocks := make([][]byte, len(n.lanes))
	open := make([]bool, len(n.lanes))
	for lane := range n.lanes {
		blocks[lane] = clusterBlock(uint16(lane))
		open[lane] = c.lead[lane] == n.id
	}
	apply := func(uint64, []byte) error { return nil }
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		n.mu.Lock()
		inbox, n.inbox = n.inbox, inbox[:0]
		n.mu.Unlock()
		for _, m := range inbox {
			_ = n.lanes[m.lane].Step(m.data)
		}
		now := time.Now().UnixNano()
		worked := len(inbox) > 0
		for lane, r := range n.lanes {
			k, err := r.DoWork(now, apply)
			if err != nil {
				t.Error(err)
				return
			}
			worked = worked || k > 0
			if open[lane] {
				if !r.Leader() && r.LeaderID() == 0 && r.Term() == 0 {
					r.Campaign()
				}
				for r.Leader() && r.InFlight() < c.depth && r.c.Log.Last() < c.want && r.Propose(blocks[lane]) {
				}
				if r.Leader() && r.Applied() >= c.want {
					open[lane] = false
					c.done.Done()
				}
			}
			if r.Leader() && c.lead[lane] != n.id { // on a machine that stood still
				if err := r.Transfer(c.lead[lane]); err != nil {
					t.Error(err)
					return
				}
			}
			if below := min(r.Needed(), max(r.Applied(), 1024)-1023); below > n.logs[lane].First()+1024 {
				n.logs[lane].DropBelow(below)
			}
		}
		if worked {
			continue
		}
		select {
		case <-n.bell:
		case <-tick.C:
		case <-c.stop:
			return
		}
	}
}

func (c *benchCluster) close(t testing.TB) {
	for _, n := range c.nodes {
		if err := n.db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

var clusterShapes = []struct {
	name  string
	ids   []uint64
	lanes int
}{
	{"three/lanes=1", []uint64{1, 2, 3}, 1},
	{"three/lanes=4", []uint64{1, 2, 3}, 4},
	{"witness/lanes=1", []uint64{1, 2, MakeID(3, 0, true)}, 1},
	{"witness/lanes=4", []uint64{1, 2, MakeID(3, 0, true)}, 4},
}

// BenchmarkCluster commits 64 messages of 250 octets per op on three nodes, and raw writes the same blocks with one
// fdatasync each.
func BenchmarkCluster(b *testing.B) {
	report := func(b *testing.B, start time.Duration) {
		b.ReportMetric(float64(b.N*clusterMessages)/b.Elapsed().Seconds(), "msg/s")
		b.ReportMetric(float64((cpu()-start).Nanoseconds())/float64(b.N*clusterMessages)/1000, "cpu-us/msg")
	}
	b.Run("raw", func(b *testing.B) {
		start := cpu()
		rawLoop(b, b.TempDir(), clusterBlock(0), b.N)
		report(b, start)
	})
	for _, s := range clusterShapes {
		for _, depth := range []int{8, 32} {
			b.Run(fmt.Sprintf("%s/depth=%d", s.name, depth), func(b *testing.B) {
				c := newBenchCluster(b, s.ids, s.lanes, depth, func() (vfs.FS, string) { return vfs.Default, b.TempDir() })
				c.run(b, 2)
				b.ResetTimer()
				start := cpu()
				c.run(b, max(1, b.N/s.lanes))
				b.StopTimer()
				report(b, start)
				c.close(b)
			})
		}
	}
}

// TestClusterLoop runs the benchmark's loop small: every block arrives everywhere but at the witness.
func TestClusterLoop(t *testing.T) {
	for _, s := range clusterShapes {
		c := newBenchCluster(t, s.ids, s.lanes, 8, func() (vfs.FS, string) { return vfs.NewMem(), "j" })
		c.run(t, 40)
		for _, n := range c.nodes {
			for lane, l := range n.logs {
				switch {
				case IsWitness(n.id) && n.db.Stats().Entries > 0:
					t.Errorf("%s: the witness was fed %d entries", s.name, n.db.Stats().Entries)
				case !IsWitness(n.id) && n.id == c.lead[lane] && l.Last() < 40:
					t.Errorf("%s: lane %d ends at %d on its leader", s.name, lane, l.Last())
				}
			}
		}
		c.close(t)
	}
}
