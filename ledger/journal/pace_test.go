package journal

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// run has a budget spend chunks for so long, with so many octets a second going to the log, and tells how many went.
func (b *budget) run(over time.Duration, chunk int, logRate float64) (spent int64) {
	const start = int64(time.Hour)
	for now := start; now < start+int64(over); {
		logged := int64(logRate * float64(now-start) / 1e9)
		wait := b.spend(chunk, logged, now)
		for wait > 0 {
			now += int64(wait)
			logged = int64(logRate * float64(now-start) / 1e9)
			wait = b.spend(0, logged, now)
		}
		spent += int64(chunk)
		now += 1000 // the writing itself
	}
	return spent
}

// A table is written at the base pace, and faster by what goes to the log: memtables are emptied faster than they fill.
func TestTablesArePaced(t *testing.T) {
	const over = 10 * time.Second
	for _, logRate := range []float64{0, 10 << 20, 400 << 20} {
		for _, share := range []float64{flushShare, compactShare} {
			b := budget{share: share}
			got := float64(b.run(over, 64<<10, logRate)) / over.Seconds()
			if want := paceBase + share*logRate; got < 0.98*want || got > 1.02*want {
				t.Errorf("%.0f octets a second beside %.0f of the log, want %.0f", got, logRate, want)
			}
		}
	}
	// What was not spent for an hour may go at once, and not more than that.
	b := budget{share: flushShare}
	b.spend(0, 0, 1)
	if b.spend(paceBurst, 1<<40, int64(time.Hour)) != 0 {
		t.Error("the first octets after an hour wait")
	}
	if d := b.spend(paceBase, 1<<40, int64(time.Hour)); d != paceStep {
		t.Errorf("a second's worth more waits %v before it looks again, want %v", d, paceStep)
	}
}

// Beside a log at full speed nothing is paced, nor for some time after.
func TestNothingIsPacedAtFullSpeed(t *testing.T) {
	var p paces
	p.on.Store(true)
	now := int64(time.Hour)
	write := func(rate float64, over time.Duration) {
		for end := now + int64(over); now < end; now += int64(time.Millisecond) {
			p.log(int(rate/1000), now)
		}
	}
	for i, c := range []struct {
		rate  float64
		over  time.Duration
		paced bool
	}{
		{0.9 * fullSpeed, time.Second, true},
		{1.1 * fullSpeed, rateOver / 2, true},
		{1.1 * fullSpeed, 2 * rateOver, false},
		{0.5 * fullSpeed, fullFor / 2, false},
		{0.5 * fullSpeed, fullFor, true},
	} {
		if write(c.rate, c.over); p.paced(now) != c.paced {
			t.Errorf("%d: %+v: paced %v", i, c, !c.paced)
		}
	}
}

// Budgets count the time that passes, whatever the machine's clock is set to meanwhile: an hour back would be a debt of an hour.
func TestPacesKeepTheirOwnTime(t *testing.T) {
	began := time.Now()
	d := mustOpen(t, testOptions(vfs.NewMem()))
	defer mustClose(t, d)
	d.Pace()
	d.paces.wait(&d.paces.flush, 1)
	if at, most := d.paces.flush.last, int64(time.Since(began)); at <= 0 || at > most {
		t.Errorf("a budget took its first octet at %d ns, want one of the %d ns that the store is open", at, most)
	}
}
