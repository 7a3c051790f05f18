package measure

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"smsplane/ledger"
)

const (
	depth  = 8 // blocks in flight
	pairs  = 5
	budget = 3 // times depth × block: messages whose lives may be unfinished before accepting waits

	// warmUp is how much the store has written when it writes over logs of before, each as long as the next, as raw does over its
	// file. Pebble begins with logs of 256 KiB and doubles them; at full speed it has five such small ones to use again when it has come to
	// 128 MiB, which then grow while they are written. A sync of a log that grows takes two to five times as long.
	warmUp = 3 << 29 // octets
)

// drive sends blocks of messages through the lane to the end of their lives, depth ACCEPT blocks in flight, one every pace.
func (l *lane) drive(blocks [][]byte, each int, pace time.Duration) time.Duration {
	began, want := time.Now(), l.ended+len(blocks)*each
	next, sent := time.Now(), 0
	for l.ended < want {
		for sent < len(blocks) && len(l.proposed) < depth && !(pace > 0 && time.Now().Before(next)) && sent*each-(l.ended-(want-len(blocks)*each)) < budget*depth*each {
			if !l.rep.Propose(blocks[sent]) {
				break // raft has its fill
			}
			l.proposed = append(l.proposed, time.Now())
			sent++
			next = next.Add(pace)
		}
		if l.work() == 0 && l.ended < want {
			d := flushEvery
			if pace > 0 && sent < len(blocks) && len(l.proposed) < depth { // at the full depth it waits for a commit
				d = min(d, max(time.Until(next), 0))
			}
			l.wait(d)
		}
	}
	return time.Since(began)
}

func (l *lane) blocks(n, each int) (all [][]byte) {
	for range n {
		all = append(all, l.accepts(each))
	}
	return all
}

// figures are what one pair came to.
type figures struct {
	lane, raw, ratio, cpu, octets float64
}

// pair lets the lane and raw take their turns with n blocks of so many messages.
func pair(b testing.TB, l *lane, n, each int) (v figures) {
	blocks := l.blocks(n, each)
	before, used := l.db.Stats(), cpu()
	took := l.drive(blocks, each, 0)
	used = cpu() - used
	messages := float64(n * each)
	defer l.clear()
	v.octets = float64(l.db.Stats().Bytes-before.Bytes) / messages
	v.lane, v.cpu = messages/took.Seconds(), float64(used.Nanoseconds())/messages/1000
	f := rawFile(b, b.TempDir())
	defer f.Close()
	took, _ = raw(b, f, slices.Repeat([]byte{0xA5}, int(v.octets*float64(each))), n, depth, 0)
	v.raw = messages / took.Seconds()
	v.ratio = v.lane / v.raw
	return v
}

func medianOf(all []figures, of func(*figures) float64) float64 {
	var v []float64
	for i := range all {
		v = append(v, of(&all[i]))
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// BenchmarkRatios is what `lane against raw` comes to: rates, CPU, and latency at a quarter of the maximum; for what a
// submit_sm_resp waits for (accept: the block is committed, folded, and the books' state flushed), and for whole lives.
// One round is the whole measurement: run it with -benchtime 1x, alone on the machine.
func BenchmarkRatios(b *testing.B) {
	for _, c := range []struct {
		what  string
		until ledger.Kind
		each  int
	}{{"accept", ledger.KindAccept, 128}, {"accept", ledger.KindAccept, 512}, {"life", ledger.KindFinal, 128}, {"life", ledger.KindFinal, 512}} {
		b.Run(fmt.Sprintf("%s/block=%d", c.what, c.each), func(b *testing.B) {
			l, each := openLane(b, b.TempDir()), c.each
			defer l.close()
			l.until = c.until
			for l.db.Stats().Bytes < warmUp {
				pair(b, l, 204_800/each, each)
			}
			var all []figures
			for range pairs {
				all = append(all, pair(b, l, 204_800/each, each))
			}
			for i, v := range all {
				b.Logf("pair %d: lane %.0f/s, raw %.0f/s, ratio %.2f, %.2f µs CPU and %.0f octets a message", i+1, v.lane, v.raw, v.ratio, v.cpu, v.octets)
			}
			best := medianOf(all, func(v *figures) float64 { return v.lane })
			b.ReportMetric(best, "msg/s")
			b.ReportMetric(medianOf(all, func(v *figures) float64 { return v.ratio }), "of-raw")
			b.ReportMetric(medianOf(all, func(v *figures) float64 { return v.cpu }), "cpu-us/msg")
			latencies(b, l, each, best/4, medianOf(all, func(v *figures) float64 { return v.octets }))
		})
	}
}

// latencies compares commits at a rate with raw at the same, in turns.
func latencies(b *testing.B, l *lane, each int, rate, octets float64) {
	pace := time.Duration(float64(each) / rate * 1e9)
	f := rawFile(b, b.TempDir())
	defer f.Close()
	var ours, theirs [2][]float64
	for range pairs {
		l.latency = nil
		n := int(2 * time.Second / pace)
		l.drive(l.blocks(n, each), each, pace)
		l.clear()
		_, lat := raw(b, f, slices.Repeat([]byte{0xA5}, int(octets*float64(each))), n, depth, pace)
		for i, q := range []float64{0.5, 0.99} {
			ours[i], theirs[i] = append(ours[i], quantile(l.latency, q)), append(theirs[i], quantile(lat, q))
		}
	}
	for i, name := range []string{"p50", "p99"} {
		b.Logf("%s ms at %.0f/s: lane %.2f, raw %.2f", name, rate, ours[i], theirs[i])
		slices.Sort(ours[i])
		slices.Sort(theirs[i])
		b.ReportMetric(ours[i][pairs/2], name+"-ms")
		b.ReportMetric(theirs[i][pairs/2], "raw-"+name+"-ms")
	}
}

// quantile in milliseconds.
func quantile(v []time.Duration, q float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return float64(s[min(int(q*float64(len(s))), len(s)-1)].Nanoseconds()) / 1e6
}

// The measurement cannot rot: small, it accounts for every message.
func TestMeasurement(t *testing.T) {
	l := openLane(t, t.TempDir())
	v := pair(t, l, 6, 64)
	l.drive(l.blocks(4, 64), 64, time.Millisecond)
	if l.book.Counts.Accepted != 640 || l.ended != 640 || l.book.InMemory() != 0 || len(l.latency) != 10 {
		t.Errorf("%+v, %d ended, %d in memory, %d latencies", l.book.Counts, l.ended, l.book.InMemory(), len(l.latency))
	}
	l.until = ledger.KindAccept
	if v := pair(t, l, 6, 64); v.ratio <= 0 || l.book.InMemory() != 0 || l.book.Counts.Accepted != 1024 {
		t.Errorf("accepts alone: %+v, %d in memory, %+v", v, l.book.InMemory(), l.book.Counts)
	}
	if v.ratio <= 0 || v.cpu <= 0 || v.octets < pduOctets {
		t.Errorf("%+v", v)
	}
	for _, err := range l.book.Check() {
		t.Error(err)
	}
	l.close()
	l = openLane(t, l.dir)
	defer l.close()
	if l.book.Counts.Accepted != 1024 {
		t.Errorf("after a restart: %+v", l.book.Counts)
	}
}
