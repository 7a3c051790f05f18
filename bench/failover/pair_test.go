//go:build e2e

package failover

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"smsplane/bench/peer"
	"smsplane/pdu"
)

var (
	rounds = flag.Int("rounds", 1, "how often each fault happens")
	only   = flag.String("faults", "kill-leader,stop-leader,partition-leader,kill-both", "which of them, comma separated; all")
	rate   = flag.Int("rate", 1000, "messages a second")
	logs   = flag.Bool("logs", false, "print what the hosts logged even if all went well")
	seed   = flag.Uint64("seed", 1, "of the moments")
)

// outage is what clients and carriers saw of one fault, in milliseconds after it began.
type outage struct{ ack, carrier, rebind float64 }

// TestFaults takes something away from a pair under load, again and again, and then demands an account of every message.
func TestFaults(t *testing.T) {
	names := strings.Split(*only, ",")
	if *only == "all" {
		names = nil
		for _, f := range faults {
			names = append(names, f.name)
		}
	}
	for _, name := range names {
		f := findFault(t, name)
		t.Run(name, func(t *testing.T) { suffer(t, f) })
	}
}

func suffer(t *testing.T, f *fault) {
	s := newSite(t, "")
	t.Cleanup(s.heal)
	rng := rand.New(rand.NewPCG(*seed, uint64(len(f.name))))
	c := newClient("load", 7, 4, 200, *rate, 0, "127.77.0.1:2775", "127.77.0.2:2775")
	defer c.close()
	eventually(t, time.Minute, "messages are accepted", func() bool { _, acked, _ := c.counts(); return acked > *rate/2 })
	var seen []outage
	for n := range *rounds {
		wait(time.Second + time.Duration(rng.IntN(1500))*time.Millisecond)
		l := s.serving()
		if n%2 == 0 {
			l = s.leading(clientLane)
		}
		at := time.Now().UnixNano()
		f.begin(s, l, rng)
		if f.lasts[1] > 0 {
			wait(f.lasts[0] + time.Duration(rng.Int64N(int64(f.lasts[1]-f.lasts[0]))))
		} else if name := f.name; name == "kill-leader" || name == "kill-follower" || name == "kill-witness" {
			eventually(t, 30*time.Second, "messages are accepted while a host is away", func() bool { return c.ackAfter(at+int64(100*time.Millisecond)) != 0 })
			wait(500 * time.Millisecond)
		}
		t.Logf("round: it lasted %.0f ms", ms(time.Now().UnixNano()-at))
		f.end(s, l)
		over := time.Now().UnixNano()
		eventually(t, 30*time.Second, "messages are accepted after "+f.name, func() bool { return c.ackAfter(over) != 0 })
		s.caughtUp()
		for i := range s.first { // a silence that lasts still would not be found
			eventually(t, 30*time.Second, "carriers are sent messages after "+f.name, func() bool { return s.first[i].since(over) })
		}
		wait(300 * time.Millisecond)
		seen = append(seen, s.outage(c, at))
	}
	c.halt()
	s.account(c, 7)
	tell(t, f.name, seen)
}

// clientLane is the lane of the first client.
const clientLane = 1

// leading waits until some host leads a lane.
func (s *site) leading(lane uint16) (l *member) {
	s.t.Helper()
	eventually(s.t, time.Minute, "a host leads the lane", func() bool {
		for _, m := range s.data() {
			if m.leadsLane(lane) {
				l = m
			}
		}
		return l != nil
	})
	return l
}

// leadsLane says that the member leads a lane to work.
func (m *member) leadsLane(lane uint16) bool {
	st, err := m.status()
	return err == nil && len(st.Lanes) > int(lane) && st.Lanes[lane].Leader
}

// caughtUp waits until one host leads lane 0, and all that store messages have applied alike.
func (s *site) caughtUp() {
	s.t.Helper()
	eventually(s.t, time.Minute, "every host has what the others have", func() bool {
		if s.leader() == nil || !s.carriersBound() {
			return false
		}
		var most []uint64
		for _, m := range s.data() {
			a, err := m.applied()
			if err != nil || most != nil && len(a) != len(most) {
				return false
			}
			if most == nil {
				most = make([]uint64, len(a))
			}
			for i := range a {
				most[i] = max(most[i], a[i])
			}
		}
		for _, m := range s.data() {
			a, err := m.applied()
			if err != nil || len(a) != len(most) {
				return false
			}
			for i := range a {
				if a[i]+50 < most[i] { // it goes on meanwhile
					return false
				}
			}
		}
		return true
	})
}

func (s *site) carriersBound() bool { return s.carriers[0].Binds() > 0 && s.carriers[1].Binds() > 0 }

func (m *member) applied() (all []uint64, err error) {
	st, err := m.status()
	if err != nil {
		return nil, err
	}
	var lanes struct{ Lanes []struct{ Applied uint64 } }
	if err := json.Unmarshal(st.raw, &lanes); err != nil {
		return nil, err
	}
	for _, l := range lanes.Lanes {
		all = append(all, l.Applied)
	}
	return all, nil
}

// outage finds the longest silence that began with a fault.
func (s *site) outage(c *client, at int64) (o outage) {
	c.mu.Lock()
	acks := slices.Clone(c.acks)
	for _, r := range c.rebinds {
		if r.ended >= at-int64(50*time.Millisecond) {
			o.rebind = max(o.rebind, ms(r.acked-at))
		}
	}
	c.mu.Unlock()
	o.ack = ms(silenceAfter(acks, at))
	s.t.Logf("silences over 150 ms, in ms after the fault began: %v", silences(acks, at))
	for i := range s.first {
		w := &s.first[i]
		w.mu.Lock()
		o.carrier = max(o.carrier, ms(silenceAfter(w.when, at)))
		w.mu.Unlock()
	}
	return o
}

// since says that the carrier took a message first after a moment.
func (w *watch) since(at int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.when) > 0 && w.when[len(w.when)-1] > at
}

// silenceAfter is when the longest silence that began around a moment was over, from that moment on.
func silenceAfter(when []int64, at int64) (end int64) {
	longest := int64(0)
	for i := 1; i < len(when); i++ {
		if when[i] < at || when[i-1] > at+int64(250*time.Millisecond) {
			continue
		}
		if gap := when[i] - when[i-1]; gap > longest {
			longest, end = gap, when[i]-at
		}
	}
	return end
}

// silences lists them from a moment on.
func silences(when []int64, at int64) (all []string) {
	for i := 1; i < len(when); i++ {
		if when[i] >= at && when[i]-when[i-1] > int64(150*time.Millisecond) {
			all = append(all, fmt.Sprintf("%.0f–%.0f", ms(when[i-1]-at), ms(when[i]-at)))
		}
	}
	return all
}

func ms(ns int64) float64 { return float64(ns) / 1e6 }

// tell prints medians and worst.
func tell(t *testing.T, name string, seen []outage) {
	col := func(f func(o outage) float64) string {
		var v []float64
		for _, o := range seen {
			v = append(v, f(o))
		}
		slices.Sort(v)
		return fmt.Sprintf("median %6.0f worst %6.0f", v[len(v)/2], v[len(v)-1])
	}
	t.Logf("%-18s %3d rounds; ms to the next accepted: %s; to the carriers' next: %s; all binds back: %s", name, len(seen), col(func(o outage) float64 { return o.ack }),
		col(func(o outage) float64 { return o.carrier }), col(func(o outage) float64 { return o.rebind }))
}

// account demands that nothing accepted is lost, what came twice is listed, everybody was told, and the books prove.
func (s *site) account(c *client, run uint32) {
	s.t.Helper()
	t := s.t
	l := s.serving()
	var st status
	t.Cleanup(func() { s.explain(l, &st) })
	eventually(t, 2*time.Minute, "everything accepted has ended and was told", func() bool {
		if l = s.leader(); l == nil {
			return false
		}
		var err error
		st, err = l.status()
		return err == nil && st.Books.InFlight == 0 && st.Books.InDoubt == 0 && st.Books.ReceiptsParked == 0
	})
	eventually(t, 30*time.Second, "the last answers are here", func() bool { return c.told() })
	resent := map[string]bool{}
	out, err := l.ask("doubt", "list", "--resent", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct{ To string }
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		resent[strings.TrimPrefix(d.To, "+")] = true
	}
	var tallies []peer.Tally
	for _, k := range s.carriers {
		tallies = append(tallies, k.Tally())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	lost, twice, unlisted, untold, accepted, unanswered, receipts, ids := 0, 0, 0, 0, 0, 0, 0, map[string]bool{}
	for i, m := range c.sent {
		copies := uint32(0)
		for _, k := range tallies {
			copies += arrivals(&k, run, uint32(i))
		}
		if copies > 1 {
			twice++
			if !resent[number(run, uint32(i))] {
				unlisted++
			}
		}
		if m.ended == 0 {
			unanswered++
		}
		if m.ended == 0 || m.status != pdu.ROK {
			continue
		}
		accepted++
		if copies == 0 {
			lost++
		}
		if c.receipts[m.id] == 0 {
			untold++
		}
		receipts += c.receipts[m.id]
		ids[m.id] = true
	}
	t.Logf("%d sent, %d accepted, %d unanswered, refused %v; lost %d; taken twice %d, %d of them not in the list of %d resent; receipts missing %d, repeated %d",
		len(c.sent), accepted, unanswered, c.refused, lost, twice, unlisted, len(resent), untold, receipts-accepted+untold)
	if lost > 0 || unlisted > 0 || untold > 0 || len(ids) != accepted {
		t.Errorf("lost %d, unlisted duplicates %d, never told %d, %d ids for %d messages", lost, unlisted, untold, len(ids), accepted)
	}
	for _, m := range s.data() {
		if out, err := m.ask("audit"); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// explain shows what a host that leads has to say of what did not end.
func (s *site) explain(l *member, st *status) {
	if !s.t.Failed() || l == nil {
		return
	}
	s.t.Logf("%s led last, %+v", l.name, st.Books)
	for _, q := range [][]string{{"queue", "list"}, {"doubt", "list"}, {"link", "list"}, {"lane", "list"}, {"find", "--limit", "5"}} {
		out, err := l.ask(q...)
		s.t.Logf("%v: %v\n%s", q, err, out[:min(len(out), 4000)])
	}
}

// told says that every message accepted has a receipt.
func (c *client) told() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.sent {
		if m := &c.sent[i]; m.status == pdu.ROK && m.ended != 0 && c.receipts[m.id] == 0 {
			return false
		}
	}
	return true
}

func arrivals(k *peer.Tally, run, i uint32) uint32 {
	if r := k.Runs[runName(run)]; r != nil {
		return r.Count(i)
	}
	return 0
}

// runName is how a Tally calls a run.
func runName(run uint32) string { return fmt.Sprintf("%08x", run) }
