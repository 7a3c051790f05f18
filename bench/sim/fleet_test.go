package sim

import (
	"bytes"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"smsplane/dataplane/cluster"
	"smsplane/ledger/journal"
	"smsplane/ledger/replica"
)

var fleetHosts = flag.Int("hosts", 8, "data hosts in TestFleet")

// fleet is many hosts, each with a store, and the real replicas of all lanes: two copies and a witness each. It shows
// what placement, elections and heartbeats come to; nothing of a message is in it.
type fleet struct {
	t     *testing.T
	rng   *rand.Rand
	now   int64
	hosts []*fleetHost
	spots []cluster.Spot
	mail  []letter
	sent  int
	bytes int
}

// fleetHost is one host; witnesses are the last ones.
type fleetHost struct {
	f       *fleet
	number  int
	name    string
	witness bool
	dead    bool
	db      *journal.DB
	logs    map[uint16]*journal.Log
	lanes   map[uint16]*replica.Replica
	order   []uint16
	heard   int
	said    int
	bytes   int
}

type letter struct {
	at   int64
	to   int
	lane uint16
	data []byte
}

const fleetWitnesses = 3

func (f *fleet) id(host int) uint64 {
	return replica.MakeID(uint16(host+1), 1, f.hosts[host].witness)
}

func newFleet(t *testing.T, n, lanes int) *fleet {
	f := &fleet{t: t, rng: rand.New(rand.NewPCG(1, uint64(n))), now: begin}
	var sites []cluster.Site
	for i := range n + fleetWitnesses {
		h := &fleetHost{f: f, number: i, name: fmt.Sprintf("h%03d", i), witness: i >= n, logs: map[uint16]*journal.Log{}, lanes: map[uint16]*replica.Replica{}}
		f.hosts = append(f.hosts, h)
		var err error
		h.db, err = journal.Open(journal.Options{FS: vfs.NewMem(), Dir: "store", Stepped: true, Logger: slog.New(slog.DiscardHandler), Clock: func() int64 { return f.now }})
		must(err)
		if !h.witness {
			sites = append(sites, cluster.Site{Name: h.name, Rack: fmt.Sprint(i % 10)})
		}
	}
	var err error
	f.spots, err = cluster.Place(sites, lanes, 2, nil)
	must(err)
	for lane := range uint16(lanes) {
		members := []int{f.number(f.spots[lane].Copies[0]), f.number(f.spots[lane].Copies[1]), n + int(lane)%fleetWitnesses}
		var voters []uint64
		for _, m := range members {
			voters = append(voters, f.id(m))
		}
		for _, m := range members {
			f.hosts[m].open(lane, voters)
		}
	}
	return f
}

func (f *fleet) number(name string) int {
	return slices.IndexFunc(f.hosts, func(h *fleetHost) bool { return h.name == name })
}

func (h *fleetHost) open(lane uint16, voters []uint64) {
	log, err := h.db.Log(lane)
	must(err)
	r, err := replica.Open(replica.Config{DB: h.db, Log: log, Lane: lane, ID: h.f.id(h.number), Group: replica.Group{Voters: voters}, Logger: slog.New(slog.DiscardHandler),
		Send: func(to uint64, msg []byte) { h.say(int(replica.Number(to))-1, lane, msg) }})
	must(err)
	h.logs[lane], h.lanes[lane], h.order = log, r, append(h.order, lane)
}

func (h *fleetHost) say(to int, lane uint16, msg []byte) {
	f := h.f
	h.said, h.bytes = h.said+1, h.bytes+len(msg)
	f.sent, f.bytes = f.sent+1, f.bytes+len(msg)
	if h.dead || f.hosts[to].dead {
		return
	}
	f.mail = append(f.mail, letter{f.now + 100e3 + f.rng.Int64N(900e3), to, lane, bytes.Clone(msg)})
}

// step is five milliseconds of everybody.
func (f *fleet) step() {
	f.now += int64(5 * time.Millisecond)
	mail := f.mail
	f.mail = nil
	for _, m := range mail {
		switch h := f.hosts[m.to]; {
		case m.at > f.now:
			f.mail = append(f.mail, m)
		case !h.dead:
			h.heard++
			_ = h.lanes[m.lane].Step(m.data)
		}
	}
	for _, h := range f.hosts {
		if h.dead {
			continue
		}
		for _, lane := range h.order {
			_, err := h.lanes[lane].DoWork(f.now, func(uint64, []byte) error { return nil })
			must(err)
		}
		for h.db.Step(1<<20)+h.db.Sync() > 0 {
		}
	}
}

// run lets time pass.
func (f *fleet) run(d time.Duration) {
	for end := f.now + int64(d); f.now < end; {
		f.step()
	}
}

// led counts the lanes that are led, by host.
func (f *fleet) led() (by map[int]int, all int) {
	by = map[int]int{}
	for _, h := range f.hosts {
		if h.dead {
			continue
		}
		for _, lane := range h.order {
			if h.lanes[lane].Leader() {
				by[h.number]++
				all++
			}
		}
	}
	return by, all
}

// until runs until so many lanes are led, and says how long that took.
func (f *fleet) until(lanes int, within time.Duration) time.Duration {
	start := f.now
	for {
		if _, n := f.led(); n >= lanes {
			return time.Duration(f.now - start)
		}
		if f.now-start > int64(within) {
			_, n := f.led()
			f.t.Fatalf("%d of %d lanes are led after %v", n, lanes, within)
		}
		f.step()
	}
}

// toPlan hands every lane to the host that is to lead it.
func (f *fleet) toPlan() {
	for lane, s := range f.spots {
		to := f.number(s.Leader)
		for _, h := range f.hosts {
			if r := h.lanes[uint16(lane)]; !h.dead && r != nil && r.Leader() && h.number != to && !f.hosts[to].dead {
				_ = r.Transfer(f.id(to)) // it is asked for again
			}
		}
	}
}

func (f *fleet) astray() (n int) {
	for lane, s := range f.spots {
		if h := f.hosts[f.number(s.Leader)]; h.dead || !h.lanes[uint16(lane)].Leader() {
			n++
		}
	}
	return n
}

// spread tells the most, the mean and the fewest lanes led by a living data host.
func (f *fleet) spread() string {
	by, all := f.led()
	most, least, alive := 0, 1<<30, 0
	for _, h := range f.hosts {
		if !h.dead && !h.witness {
			alive++
			most, least = max(most, by[h.number]), min(least, by[h.number])
		}
	}
	return fmt.Sprintf("%d lanes led, a host leads %d to %d, %.1f in the mean", all, least, most, float64(all)/float64(alive))
}

// TestFleet shows placement, heartbeats and failover storms of many hosts.
func TestFleet(t *testing.T) {
	n, perHost := *fleetHosts, 8
	lanes := n * perHost
	f := newFleet(t, n, lanes)
	t.Logf("%d data hosts in 10 racks, %d witnesses, %d lanes of two copies and a witness; ticks of 20 ms", n, fleetWitnesses, lanes)
	t.Logf("first elections: every lane led after %v", f.until(lanes, 10*time.Second))
	for f.toPlan(); f.astray() > 0; f.toPlan() {
		f.run(100 * time.Millisecond)
	}
	t.Logf("led by plan: %s", f.spread())

	f.heartbeats(t, lanes)

	kill := func(what string, die func(h *fleetHost) bool) {
		gone := map[int]bool{}
		for _, h := range f.hosts {
			if !h.witness && die(h) {
				h.dead, gone[h.number] = true, true
			}
		}
		alive, orphans := 0, 0
		for _, s := range f.spots {
			a, b := gone[f.number(s.Copies[0])], gone[f.number(s.Copies[1])]
			if !a || !b {
				alive++
			}
			if gone[f.number(s.Leader)] && !(a && b) {
				orphans++
			}
		}
		before := f.sent
		took := f.until(alive, 10*time.Second)
		t.Logf("%s: %d hosts gone, %d lanes without a leader and %d without any copy; the rest led again after %v, with %d messages; %s", what, len(gone), orphans, lanes-alive,
			took, f.sent-before, f.spread())
		for _, h := range f.hosts {
			h.dead = false
		}
		f.run(time.Second) // those that are back learn that others lead, and catch up: until then they must not be needed
		at := f.now
		for f.toPlan(); f.astray() > 0; f.toPlan() {
			f.run(20 * time.Millisecond)
		}
		t.Logf("%s: back for a second, then every lane led by plan after %v", what, time.Duration(f.now-at))
	}
	kill("one host", func(h *fleetHost) bool { return h.number == 3%n })
	kill("one rack", func(h *fleetHost) bool { return h.number%10 == 4 })
	kill("every third host", func(h *fleetHost) bool { return h.number%3 == 0 })

	var sites []cluster.Site
	for _, h := range f.hosts {
		if !h.witness {
			sites = append(sites, cluster.Site{Name: h.name, Rack: fmt.Sprint(h.number % 10)})
		}
	}
	grown, err := cluster.Place(append(slices.Clone(sites), cluster.Site{Name: "new", Rack: "0"}), lanes, 2, f.spots)
	must(err)
	t.Logf("one host more: %d of %d copies move, its share is %d", cluster.Moves(f.spots, grown), 2*lanes, 2*lanes/(n+1))
	sites[5%n].Gone = true
	left, err := cluster.Place(sites, lanes, 2, f.spots)
	must(err)
	t.Logf("one host less for good: %d of %d copies move, it had %d", cluster.Moves(f.spots, left), 2*lanes, 2*lanes/n)
	for _, h := range f.hosts {
		must(h.db.Close())
	}
}

// heartbeats counts what hosts say to each other while nothing happens.
func (f *fleet) heartbeats(t *testing.T, lanes int) {
	const span = 2 * time.Second
	for _, h := range f.hosts {
		h.said, h.heard, h.bytes = 0, 0, 0
	}
	began := time.Now()
	f.run(span)
	cpu := time.Since(began)
	tell := func(what string, hosts []*fleetHost) {
		said, heard, octets := 0, 0, 0
		for _, h := range hosts {
			said, heard, octets = said+h.said, heard+h.heard, octets+h.bytes
		}
		k := float64(len(hosts)) * span.Seconds()
		t.Logf("idle, %s: it says %.0f messages/s of %.0f octets and hears %.0f/s", what, float64(said)/k, float64(octets)/max(1, float64(said)), float64(heard)/k)
	}
	tell("a data host", f.hosts[:len(f.hosts)-fleetWitnesses])
	tell("a witness", f.hosts[len(f.hosts)-fleetWitnesses:])
	t.Logf("idle: %.2f µs of one core per member and tick, the simulation's own work included", cpu.Seconds()*1e6/(float64(3*lanes)*span.Seconds()*50))
}
