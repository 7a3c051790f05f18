package egress

import (
	"testing"
	"time"

	"smsplane/ledger"
	"smsplane/pdu"
)

const second = int64(time.Second)

func TestAdaptCutsAndComesBack(t *testing.T) {
	a := NewAdapt(100)
	now := int64(1e18)
	if a.Tick(now) || a.Limit() != 0 {
		t.Fatal("limited without a word of the carrier")
	}
	if !a.Slower(now, 100, 0) || a.Limit() != 70 {
		t.Fatalf("first cut to %v, want 70", a.Limit())
	}
	for range 50 { // the answers to one window all say the same
		if a.Slower(now+int64(time.Millisecond), 100, 0) {
			t.Fatal("cut twice for one window")
		}
	}
	if !a.Slower(now+second/2, 70, 0) || a.Limit() != 49 {
		t.Fatalf("second cut to %v, want 49", a.Limit())
	}
	now += second / 2
	for i := range 10 {
		if !a.Tick(now + int64(i+1)*second) {
			t.Fatal("no raise after a second of silence")
		}
	}
	if a.Limit() != 99 {
		t.Fatalf("after ten raises %v, want 99", a.Limit())
	}
	if a.Tick(now + 11*second); a.Limit() != 0 {
		t.Fatalf("still %v at the ceiling", a.Limit())
	}
}

func TestAdaptWithoutCeilingStartsFromWhatWasSent(t *testing.T) {
	var a Adapt
	now := int64(1e18)
	a.Slower(now, 200, 0)
	if a.Limit() != 140 {
		t.Fatalf("limit %v, want 140", a.Limit())
	}
	a.Tick(now + 26*second) // 26 raises of 10
	if a.Limit() != 0 {
		t.Fatalf("limit %v at twice the rate where the trouble began", a.Limit())
	}
	a.Slower(now+30*second, 0, 0)
	for i := range 60 {
		a.Slower(now+30*second+int64(i)*second, 0, 0)
	}
	if a.Limit() < 1 {
		t.Fatalf("limit %v stops the link for good", a.Limit())
	}
}

func TestCongestionState(t *testing.T) {
	a := NewAdapt(100)
	now := int64(1e18)
	if a.Congestion(now, 79, 100) || a.Congestion(now, 89, 100) || a.Limit() != 0 {
		t.Fatal("limited below congestion")
	}
	if !a.Congestion(now, 95, 100) || a.Limit() != 70 {
		t.Fatalf("limit %v in congestion, want 70", a.Limit())
	}
	a.Congestion(now+second, 85, 70)
	if a.Tick(now + second + second/2) {
		t.Error("raised at the best load")
	}
	if !a.Tick(now + 2*second) {
		t.Error("not raised a second behind the best load")
	}
}

func TestReserve(t *testing.T) {
	var r Reserve
	now := int64(1e18)
	r.Saw(ledger.ClassBulk, now)
	if k := r.Keep(ledger.ClassBulk, 100, now); k != 0 {
		t.Fatalf("%d kept for nobody", k)
	}
	r.Saw(ledger.ClassOTP, now)
	for _, c := range []struct {
		class ledger.Class
		n     int
		want  int
	}{{ledger.ClassBulk, 100, 10}, {ledger.ClassTransactional, 100, 10}, {ledger.ClassOTP, 100, 0}, {ledger.ClassBulk, 5, 1}, {ledger.ClassBulk, 1, 0}, {ledger.ClassBulk, 0, 0}, {ledger.ClassOTP, 0, 0}} {
		if k := r.Keep(c.class, c.n, now); k != c.want {
			t.Errorf("%v keeps %d of %d free, want %d", c.class, k, c.n, c.want)
		}
	}
	r.Saw(ledger.ClassTransactional, now)
	if k := r.Keep(ledger.ClassBulk, 100, now); k != 20 {
		t.Errorf("bulk keeps %d free for two classes, want 20", k)
	}
	if k := r.Keep(ledger.ClassBulk, 100, now+reserveFor); k != 0 {
		t.Errorf("%d kept for classes not seen for long", k)
	}
}

// When a bucket says that a token is due, it can be taken then and not before, keeping what must be kept.
func TestNextAboveIsWhenWholeExceeds(t *testing.T) {
	for _, rate := range []float64{3, 49.5, 100, 333} {
		for keep := range 3 {
			var b Bucket
			now := int64(1e18)
			b.SetRate(rate, 50*time.Millisecond, now)
			keep = min(keep, b.Depth()-1)
			for range 100 {
				at := b.NextAbove(keep, now)
				if b.Whole(at) <= keep {
					t.Fatalf("rate %v: %d tokens at %d, want more than %d", rate, b.Whole(at), at-now, keep)
				}
				now = at
				if !b.Take(now) {
					t.Fatalf("rate %v: no token", rate)
				}
			}
			if per := float64(second) * 99 / float64(now-int64(1e18)); per > rate*1.1 || per < rate*0.9 {
				t.Errorf("rate %v keeping %d: %v a second", rate, keep, per)
			}
		}
	}
}

func TestOwnTableDecidesFirst(t *testing.T) {
	own := map[pdu.Status]Action{pdu.RSubmitFail: Reject, pdu.RThrottled: Requeue}
	for st, want := range map[pdu.Status]Action{pdu.ROK: Take, pdu.RSubmitFail: Reject, pdu.RThrottled: Requeue, pdu.RInvDstAdr: Reject, pdu.RInvSrcAdr: Elsewhere} {
		if got := Decide(own, st); got != want {
			t.Errorf("%v: %v, want %v", st, got, want)
		}
	}
}

func TestSlowRestGrowsToABound(t *testing.T) {
	last := time.Duration(0)
	for n := 1; n < 300; n++ {
		d := SlowRest(n)
		if d < last || d > slowMax {
			t.Fatalf("rest %v after %d", d, n)
		}
		last = d
	}
	if SlowRest(1) != SlowDelay || last != slowMax {
		t.Errorf("from %v to %v", SlowRest(1), last)
	}
}

// A carrier that refuses every tenth message, however slowly they come, keeps most of its traffic; one that takes a
// hundred a second and no more is found, and asked for a twentieth of the old rate more once a second.
func TestAdaptNeverStarvesACarrierThatTakes(t *testing.T) {
	for name, c := range map[string]struct {
		takes    func(rate float64) float64
		low, top float64
	}{
		"every tenth is refused": {func(r float64) float64 { return .9 * r }, 10_000, 10_000},
		"a hundred a second":     {func(r float64) float64 { return min(r, 100) }, 50, 700},
	} {
		a, now, rate := NewAdapt(0), int64(1e18), 10_000.
		for range 120 {
			for range 2 {
				now += second / 2
				if taken := c.takes(rate); taken < rate {
					a.Slower(now, rate, taken)
				}
				a.Tick(now)
				if rate = a.Limit(); rate == 0 {
					rate = 10_000
				}
			}
		}
		if rate < c.low || rate > c.top {
			t.Errorf("%s: settles at %.0f a second, want %.0f to %.0f", name, rate, c.low, c.top)
		}
	}
}
