package router

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"smsplane/ledger"
)

const second = int64(1_000_000_000)

// A carrier refuses one prefix: within five seconds new messages for it lead with the other target, those
// for the neighbouring prefix do not. With much traffic and with little.
func TestRefusedPrefixMoves(t *testing.T) {
	for _, gap := range []int64{second, second / 2, second / 100, second / 10000} {
		table, r := contract(t), NewRecent()
		rng := rand.New(rand.NewPCG(1, uint64(gap)))
		var late, moved, others int
		for at := present; at < present+20*second; at += gap {
			var p ledger.Route
			table.Route(&p, meter, telekom, ledger.ClassBulk, rng.Uint64(), at, r)
			if p.N != 2 {
				t.Fatalf("%+v", p)
			}
			if at >= present+5*second {
				late++
				if p.Targets[0].Carrier == south {
					moved++
				}
			}
			if p.Targets[0].Carrier == north { // refused there, then taken by the next target
				r.Refused(north, telekom, at)
			}
			r.Taken(south, telekom, at)
			table.Route(&p, meter, vodafone, ledger.ClassBulk, rng.Uint64(), at, r)
			if p.Targets[0].Carrier == north {
				others++
			}
			r.Taken(p.Targets[0].Carrier, vodafone, at)
		}
		// Behind the fifth second north only gets probes, one in two seconds at most.
		if probes := late - moved; probes > 8 {
			t.Errorf("gap %d ms: %d of %d late messages still go to north first", gap/1e6, probes, late)
		}
		if others == 0 {
			t.Errorf("gap %d ms: the neighbouring prefix left north", gap/1e6)
		}
	}
}

func TestProbeBringsBack(t *testing.T) {
	r, at := NewRecent(), present
	for range runLong {
		r.Refused(north, telekom, at)
	}
	if r.Usable(north, telekom, at) || !r.Failing(north, telekom, at) {
		t.Fatal("a carrier that refused eight in a row is usable")
	}
	if r.Usable(north, telekom, at+probeEvery-1) {
		t.Error("a probe too early")
	}
	if !r.Usable(north, telekom, at+probeEvery) || r.Usable(north, telekom, at+probeEvery) || r.Usable(north, telekom, at+2*probeEvery-1) {
		t.Error("not exactly one probe")
	}
	r.Refused(north, telekom, at+probeEvery)
	if !r.Usable(north, telekom, at+2*probeEvery) {
		t.Error("no second probe")
	}
	r.Taken(north, telekom, at+2*probeEvery)
	for range 3 {
		if !r.Usable(north, telekom, at+2*probeEvery) {
			t.Error("a taken probe does not bring the carrier back")
		}
	}
}

func TestHiccupMovesNothing(t *testing.T) {
	r := NewRecent()
	for range runLong - 1 {
		r.Refused(north, telekom, present)
	}
	if r.Failing(north, telekom, present+runSpan-1) {
		t.Error("seven refusals at once count as failing")
	}
	r.Taken(north, telekom, present+1)
	if r.Failing(north, telekom, present+10*second) {
		t.Error("failing although one was taken")
	}
	for i := range int64(100) { // one in five is refused
		r.Taken(south, telekom, present+i*second)
		if i%5 == 0 {
			r.Refused(south, telekom, present+i*second)
		}
		if r.Failing(south, telekom, present+i*second) {
			t.Fatalf("failing at second %d", i)
		}
	}
}

// Taken messages do not hide that none arrives.
func TestFailedReceipts(t *testing.T) {
	r := NewRecent()
	for i := range int64(runLong) {
		if r.Failing(north, telekom, present+i) {
			t.Fatalf("failing after %d receipts", i)
		}
		r.Taken(north, telekom, present+i)
		r.Failed(north, telekom, present+i)
	}
	if !r.Failing(north, telekom, present+runLong) {
		t.Error("usable although eight receipts said failed")
	}
	r.Taken(north, telekom, present+runLong)
	if !r.Failing(north, telekom, present+runLong) {
		t.Error("a taken message stands for a delivered one")
	}
	r.Delivered(north, telekom, present+runLong, second)
	if r.Failing(north, telekom, present+runLong) {
		t.Error("failing although one was delivered")
	}
	for range runLong {
		r.Refused(north, telekom, present)
	}
	r.Delivered(north, telekom, present, second)
	if !r.Failing(north, telekom, present) {
		t.Error("a receipt for an older message hides refusals")
	}
}

func TestRecentForgets(t *testing.T) {
	r := NewRecent()
	for range runLong {
		r.Refused(north, telekom, present)
		r.Failed(north, telekom, present)
	}
	r.Taken(south, telekom, present)
	r.Delivered(south, telekom, present+second, 2*second)
	if c := r.Count(south, telekom, present+second); c != (RecentCount{Taken: 1, Delivered: 1, DelayMS: 2000, Usable: true}) {
		t.Errorf("%+v", c)
	}
	if c := r.Count(north, telekom, present+second); c != (RecentCount{Refused: runLong, Failed: runLong}) {
		t.Errorf("%+v", c)
	}
	if c := r.Count(north, vodafone, present); c != (RecentCount{Usable: true}) {
		t.Errorf("the neighbouring prefix: %+v", c)
	}
	later := present + window + bucketSpan
	if c := r.Count(north, telekom, later); c != (RecentCount{Usable: true}) {
		t.Errorf("after five minutes of silence: %+v", c)
	}
	r.Refused(north, telekom, later)
	if c := r.Count(north, telekom, later); c != (RecentCount{Refused: 1, Usable: true}) {
		t.Errorf("an old run goes on: %+v", c)
	}
}

// Counts agree with a plain list of events.
func TestRecentAgainstModel(t *testing.T) {
	type event struct {
		carrier uint16
		prefix  uint64
		at      int64
		kind    int
	}
	rng := rand.New(rand.NewPCG(4, 4))
	r, events, at := NewRecent(), []event(nil), present
	for range 5000 {
		at += rng.Int64N(second)
		n := Number(49150+rng.Uint64N(4))*1e8 + Number(rng.Uint64N(1e8))
		e := event{uint16(rng.IntN(3)), n.head(prefixDigits), at, rng.IntN(4)}
		events = append(events, e)
		switch e.kind {
		case 0:
			r.Taken(e.carrier, n, at)
		case 1:
			r.Refused(e.carrier, n, at)
		case 2:
			r.Delivered(e.carrier, n, at, 7_000_000)
		case 3:
			r.Failed(e.carrier, n, at)
		}
		want := [4]uint64{}
		for i := len(events) - 1; i >= 0 && events[i].at/bucketSpan > at/bucketSpan-bucketCount; i-- {
			if events[i].carrier == e.carrier && events[i].prefix == e.prefix {
				want[events[i].kind]++
			}
		}
		c := r.Count(e.carrier, n, at)
		if got := [4]uint64{c.Taken, c.Refused, c.Delivered, c.Failed}; got != want || c.Delivered > 0 && c.DelayMS != 7 {
			t.Fatalf("at %d: %v delay %v, want %v", at, got, c.DelayMS, want)
		}
	}
}

// Memory stays what it was, however many prefixes come by, and the busy ones stay known.
func TestRecentIsBounded(t *testing.T) {
	if size := unsafe.Sizeof(recentEntry{}) * recentSets * recentWays; size > 3<<20 {
		t.Errorf("the table takes %d octets", size)
	}
	r := NewRecent()
	for i := range uint64(200_000) {
		at := present + int64(i)*1000
		r.Taken(uint16(i%7), Number(10000+i%90000)*1000, at)
		r.Taken(north+100, telekom, at)
	}
	if len(r.entries) != recentSets*recentWays {
		t.Errorf("%d entries", len(r.entries))
	}
	if c := r.Count(north+100, telekom, present+second); c.Taken != 200_000 {
		t.Errorf("a busy pair was forgotten: %+v", c)
	}
}
