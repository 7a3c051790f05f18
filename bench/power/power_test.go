//go:build power

package power

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"os/exec"
	"testing"
	"time"

	"smsplane/bench/peer"
)

var (
	cuts     = flag.Int("cuts", 120, "how often the power goes off")
	oneSeed  = flag.Uint64("seed", 1, "of the moments, and of what survives")
	rateOf   = flag.Float64("rate", 2000, "submit_sm per second")
	longest  = flag.Duration("longest", 2*time.Second, "longest time under load before a cut")
	checking = flag.Int("check", 10, "store check behind every so many cuts")
)

// outcome is what a run of cuts came to.
type outcome struct {
	cuts, inRecovery          int
	report                    peer.Report
	account                   peer.Account
	sectorsKept, sectorsLost  int
	flushes, writes           int
	missing                   int64 // acknowledged and not in the books, by the first look that found some
	accepted, resent, unknown uint64
	broken                    error // the file system or the store could not be used any more
}

// run lets the power go off and come back, under one client's load all along.
func (r *rig) run(n int, rng *rand.Rand) (o outcome) {
	t := r.t
	if err := r.mount(); err != nil {
		t.Fatal(err)
	}
	if err := r.start(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ready(); err != nil {
		t.Fatal(err)
	}
	client, err := peer.Dial(t.Context(), peer.ClientOptions{Address: r.smpp, SystemID: "acme", Password: "x", Connections: 4, Window: 200, Reconnect: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	load, stop := context.WithCancel(t.Context())
	defer stop()
	ran := make(chan error, 1)
	go func() {
		ran <- client.Run(load, peer.Load{Count: 1 << 25, Rate: *rateOf, Receipts: true, Drain: 5 * time.Minute})
	}()
	defer func() {
		o.sectorsKept, o.sectorsLost, o.flushes, o.writes = r.disk.kept, r.disk.lost, r.disk.flushes, r.disk.writes
	}()
	for o.cuts < n {
		select { // under load for a while, then at some request
		case <-time.After(time.Duration(rng.Int64N(int64(*longest)))):
		case err := <-r.exited:
			t.Fatalf("the appliance ended under load: %v\n%s", err, r.words.take())
		}
		r.disk.arm(1 + rng.IntN(60))
		select {
		case <-r.disk.lostPower():
		case <-time.After(5 * time.Second): // nothing is written any more
			r.disk.powerOff()
		}
		told := client.Report().Accepted
		o.cuts++
		if o.broken = r.recover(&o, rng); o.broken != nil {
			return o
		}
		c, err := r.ready()
		if err != nil {
			o.broken = err
			return o
		}
		st, err := c.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if o.missing = told - int64(st.Books.Accepted); o.missing > 0 {
			return o
		}
		o.missing = 0
		if o.cuts%20 == 0 {
			t.Logf("%d cuts, %d of them during recovery: %d answered with status 0, the books have %d", o.cuts, o.inRecovery, told, st.Books.Accepted)
		}
	}
	client.Halt()
	if err := <-ran; err != nil {
		t.Error(err)
	}
	wait, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	client.AwaitReceipts(wait)
	o.report, o.account = client.Report(), client.Account(r.carriers[0].Tally(), r.carriers[1].Tally())
	c, err := r.ready()
	if err != nil {
		t.Fatal(err)
	}
	st, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o.accepted, o.resent, o.unknown = st.Books.Accepted, st.Books.Resent, st.Books.Unknown
	return o
}

// recover gives power back until the appliance serves again; it may go off once more before that.
func (r *rig) recover(o *outcome, rng *rand.Rand) error {
	for {
		r.kill()
		r.words.take()
		r.unmount()
		r.disk.on()
		again := rng.IntN(3) == 0
		if again {
			r.disk.arm(1 + rng.IntN(250))
		}
		err := r.mount()
		if err == nil && *checking > 0 && o.cuts%*checking == 0 && !again {
			if out, err := exec.Command(r.program, "store", "check", "--config", r.path("smsplane.yaml")).CombinedOutput(); err != nil {
				return errors.Join(errors.New("store check: "+string(out)), err)
			}
		}
		if err == nil {
			if err = r.start(); err == nil {
				_, err = r.ready()
			}
		}
		select {
		case <-r.disk.lostPower():
			o.cuts++
			o.inRecovery++
			continue
		default:
		}
		r.disk.arm(0)
		return err
	}
}

func TestPowerLoss(t *testing.T) {
	r := newRig(t, *oneSeed, "", 0)
	o := r.run(*cuts, rand.New(rand.NewPCG(*oneSeed, 4)))
	if o.broken != nil {
		t.Fatalf("after %d cuts: %v", o.cuts, o.broken)
	}
	if o.missing > 0 {
		t.Fatalf("after %d cuts %d messages answered with status 0 are not in the books", o.cuts, o.missing)
	}
	a, p := &o.account, &o.report
	t.Logf("%d cuts, %d of them during recovery; %d requests wrote, %d flushed; of what was not flushed %d sectors survived and %d did not",
		o.cuts, o.inRecovery, o.writes, o.flushes, o.sectorsKept, o.sectorsLost)
	t.Logf("%d answered with status 0, %d never answered; arrived %d, lost %d, receipts missing %d, arrived twice %d, resent %d; the books have %d",
		p.Accepted, p.Unanswered, a.Arrived, a.Lost, p.Receipts.Missing, a.Duplicated, o.resent, o.accepted)
	if a.Lost > 0 || p.Receipts.Missing > 0 || o.accepted < uint64(p.Accepted) || uint64(a.Duplicated) > o.resent || a.Contradicted > 0 {
		t.Errorf("%+v %+v", *a, p.Receipts)
	}
	if p.Accepted == 0 || o.inRecovery == 0 || o.sectorsLost == 0 {
		t.Error("the cuts came at the wrong time to show anything")
	}
}

// With fsync made to do nothing (the file system sends no flush, the cache writes back when it holds a megabyte) the same
// run must find messages missing.
func TestWithoutBarrierMessagesAreLost(t *testing.T) {
	r := newRig(t, *oneSeed, ",nobarrier", 1<<20)
	o := r.run(20, rand.New(rand.NewPCG(*oneSeed, 4)))
	switch {
	case o.missing > 0:
		t.Logf("after %d cut(s) %d messages answered with status 0 are not in the books", o.cuts, o.missing)
	case o.broken != nil:
		t.Logf("after %d cut(s) the store cannot be used: %v", o.cuts, o.broken)
	default:
		t.Errorf("%d cuts without a sync, and nothing is missing", o.cuts)
	}
}
