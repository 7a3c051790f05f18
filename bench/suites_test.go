package bench

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"smsplane/bench/peer"
)

// product builds the appliance once for all tests of this package: a suite that cannot run against it has rotted.
var product = sync.OnceValues(func() (string, error) {
	dir := productDir
	out, err := exec.Command("go", "build", "-o", dir+"/", "smsplane/cmd/smsplane", "smsplane/cmd/smsbench").CombinedOutput()
	if err != nil {
		return "", &buildError{err, string(out)}
	}
	return dir, nil
})

type buildError struct {
	err error
	out string
}

func (e *buildError) Error() string { return e.err.Error() + "\n" + e.out }

func bin(t *testing.T) string {
	t.Helper()
	dir, err := product()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func minutes(t *testing.T, n int) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(n)*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// printed checks that a result can be read by people and says what it should.
func printed(t *testing.T, s Suite, want ...string) {
	t.Helper()
	var b strings.Builder
	s.Print(&b)
	for _, w := range want {
		if !strings.Contains(b.String(), w) {
			t.Errorf("%q is not in\n%s", w, b.String())
		}
	}
	t.Log("\n" + b.String())
}

// broken are the problems that no slow machine explains: messages lost or doubled, books that do not add up.
func broken(problems []string) (bad []string) {
	for _, p := range problems {
		if !strings.Contains(p, "rating") && !strings.Contains(p, "off the difference") && !strings.Contains(p, "samples are too few") {
			bad = append(bad, p)
		}
	}
	return bad
}

// The rated run at a tenth. How exact the ratings come out is for an idle machine to say; that every phase is gone through,
// every row is measured and no message is lost is for any.
func TestCapacity(t *testing.T) {
	o := QuickCapacity()
	o.Stand.Bin, o.Stand.Receipts, o.Out = bin(t), true, t.TempDir()
	if testing.Short() {
		o.Hold, o.Backlog = 2*time.Second, 1000
	}
	r, err := Capacity(minutes(t, 3), o)
	if err != nil {
		t.Fatal(err)
	}
	printed(t, r, "inbound: entry accepts", "outbound: delivery", "overload: routing", "digest")
	if bad := broken(r.Problems); len(bad) > 0 || r.Throttled == 0 || r.File == "" {
		t.Errorf("throttled %d, file %q, problems %q", r.Throttled, r.File, bad)
	}
	for _, row := range r.Rows {
		if row.Seconds <= 0 && !strings.Contains(row.Why, "samples are too few") {
			t.Errorf("not measured: %+v", row)
		}
	}
}

// smallest are stands that every machine can start in a test.
func smallest(t *testing.T) StandOptions {
	return StandOptions{Bin: bin(t), Receipts: true}
}

func TestMaximum(t *testing.T) {
	r, err := Maximum(minutes(t, 2), MaximumOptions{Stand: smallest(t), Messages: 2000, For: 500 * time.Millisecond, Binds: 2, Window: 100, Out: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	printed(t, r, "router", "egress", "whole path", "everything adds up")
	if len(r.Rows) != 5 || r.Whole.CPU <= 0 || r.Whole.Journal < 150 || r.Whole.PerSync <= 0 {
		t.Errorf("%+v", r)
	}
	for _, row := range r.Rows {
		if row.TPS <= 0 {
			t.Errorf("%+v", row)
		}
	}
}

// What a message costs in allocations over the whole path, receipts included: that of blocks, batches, syncs and buffers
// that grow, shared by many messages, and nothing of its own. A block of few messages, which is what a starved machine
// makes, shares its objects among few; an allocation of a message's own is in every round, so the best of some rounds
// tells the two apart.
func TestNothingAllocatesPerMessage(t *testing.T) {
	ctx := minutes(t, 3)
	o := floodOptions{binds: 4, window: 500, load: peer.Load{Count: 20_000, Receipts: true}}
	err := onStand(ctx, smallest(t), func(s *stand) error {
		least := math.Inf(1)
		for round := 0; round < 6 && least >= 1; round++ {
			f, problems, err := s.flood(ctx, o)
			if err != nil {
				return err
			}
			t.Logf("round %d: %d messages, %.3f objects each", round, f.Accepted, f.Allocs)
			if len(problems) > 0 {
				t.Error(problems)
			}
			if round > 0 { // the first one warms up
				least = min(least, f.Allocs)
			}
		}
		if least >= 1 {
			t.Errorf("%.3f objects allocated for each message in the best of all rounds", least)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCeiling(t *testing.T) {
	r, err := Ceiling(minutes(t, 2), CeilingOptions{Stand: smallest(t), Rounds: 1, For: 300 * time.Millisecond, Binds: 2, Window: 100, Out: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	printed(t, r, bareResponder, inMemory, rawAppend, "everything adds up")
	for _, row := range r.Rows {
		if row.TPS <= 0 || row.Ratio <= 0 {
			t.Errorf("%+v", row)
		}
	}
}

func TestLatency(t *testing.T) {
	r, err := Latency(minutes(t, 2), LatencyOptions{Stand: smallest(t), Shares: []float64{0.1}, Rates: []float64{200}, For: 500 * time.Millisecond, Binds: 2, Window: 100, Out: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	printed(t, r, "submit to carrier", "10 % of maximum", "external", "everything adds up")
	if len(r.Steps) != 2 || r.Steps[1].Flood.Accepted < 50 || r.Steps[1].Flood.Arrival.Count != uint64(r.Steps[1].Flood.Accepted) {
		t.Errorf("%+v", r.Steps)
	}
	if svg, err := os.ReadFile(r.Picture); err != nil || !strings.Contains(string(svg), "submit to resp p99.9") {
		t.Errorf("the picture %s: %v", svg, err)
	}
}

func TestOverload(t *testing.T) {
	r, err := Overload(minutes(t, 2), OverloadOptions{Stand: smallest(t), Maximum: 500, For: 900 * time.Millisecond, Slice: 300 * time.Millisecond, Binds: 2, Window: 100, Out: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	printed(t, r, "2 times that offered", "p99 of accepted", "everything adds up")
	if len(r.Slices) != 3 || r.Kept <= 0 || r.Growth <= 0 || r.Runs[0].Accepted < 100 {
		t.Errorf("%+v", r)
	}
}

func TestSoak(t *testing.T) {
	r, err := Soak(minutes(t, 2), SoakOptions{Stand: smallest(t), For: 5 * time.Second, Maximum: 1000, Round: 150, Every: 50 * time.Millisecond, Binds: 2, Out: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	printed(t, r, "goroutines", "everything adds up")
	if len(r.Rounds) < 2 || len(r.Looks) < leastLooks || len(r.Audit) == 0 {
		t.Errorf("%d rounds, %d looks, audit %q", len(r.Rounds), len(r.Looks), r.Audit)
	}
}

// A process that grows is found; one that was only warming up is not.
func TestSoakFindsLeaks(t *testing.T) {
	r := &SoakResult{Options: SoakOptions{For: longEnough}}
	for i := range 40 {
		r.Looks = append(r.Looks, SoakLook{RSS: int64(1000 + 100*i), FDs: 50, Goroutines: 20 + min(i, 9)*50})
	}
	r.drift()
	if len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "resident bytes grew") {
		t.Errorf("%q", r.Problems)
	}
}

func TestScale(t *testing.T) {
	r, err := Scale(minutes(t, 3), ScaleOptions{Stand: smallest(t), Messages: 500, Flight: 200,
		Binds: []int{1, 1002}, Carriers: []int{3}, Routes: []int{1000}, Depths: []int{300}, Lanes: []int{2}, Cores: []int{1}, Out: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	printed(t, r, "queue depth", "everything adds up")
	if len(r.Steps) != 7 {
		t.Errorf("%d steps", len(r.Steps))
	}
	for _, s := range r.Steps {
		if s.Flood.Accepted < 500 || s.Flood.CPU <= 0 {
			t.Errorf("%+v", s)
		}
	}
}

func TestProfile(t *testing.T) {
	dir := t.TempDir()
	var b strings.Builder
	o := ProfileOptions{Stand: smallest(t), For: time.Second, Kinds: []string{"cpu", "goroutine"}, Rate: 200, Binds: 2, Dir: dir, Out: &b}
	if err := Profile(minutes(t, 1), o); err != nil {
		t.Fatal(err)
	}
	for _, kind := range o.Kinds {
		if f, err := os.Stat(filepath.Join(dir, kind+".pprof")); err != nil || f.Size() == 0 {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if !strings.Contains(b.String(), "everything adds up") {
		t.Error(b.String())
	}
}

// Rates come out of samples with what their instants leave open granted.
func TestRateOf(t *testing.T) {
	at := time.Unix(1000, 0)
	var in []sample
	for i, n := range []uint64{0, 100, 200, 330, 400} {
		asked := at.Add(time.Duration(i) * time.Second)
		in = append(in, sample{asked: asked, told: asked.Add(10 * time.Millisecond), messages: map[string]uint64{"router": n}})
	}
	r, err := rateOf(in, 100, messages("router"))
	if err != nil || r.Mean != 100 || r.Seconds != 4 || r.Most != 130 || r.Least != 70 {
		t.Errorf("%+v %v", r, err)
	}
	if r.Over < 28.9 || r.Over > 29.1 || r.Under < 28.9 || r.Under > 29.1 {
		t.Errorf("over %v, under %v; want 29", r.Over, r.Under)
	}
	if _, err := rateOf(in[:2], 100, messages("router")); err == nil {
		t.Error("two samples told a rate")
	}
}

// The outage, small: every stretch is gone through and nothing is lost, whatever the figures of two seconds say.
func TestOutage(t *testing.T) {
	r, err := Outage(minutes(t, 2), OutageOptions{Stand: StandOptions{Bin: bin(t), Receipts: true}, For: 6 * time.Second, Away: time.Second, Maximum: 1000, Out: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	printed(t, r, "one carrier away", "everything adds up")
	if r.Overtaken[0] > 0 || r.Overtaken[1] > r.InDoubt || r.Stretches[outageAway].Queued == 0 {
		t.Errorf("overtaken %d, %+v", r.Overtaken, r.Stretches)
	}
}
