package mischief

import (
	"context"
	"fmt"
	"testing"
	"time"

	"smsplane/bench/peer"
)

// The benchmarks here are recorded runs: each runs once, takes up to two minutes, and prints what bench/results keeps.
//
//	nice -n 19 go test ./bench/mischief -run '^$' -bench NAME -benchtime 1x -timeout 20m

// run sends a load and returns when its time is over; queued messages need not have arrived.
func run(b *testing.B, c *peer.Client, l peer.Load) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := c.Run(ctx, l); err != nil {
		b.Error(err)
	}
}

// beside runs a load while something else is measured; it is cut short when the benchmark ends.
func beside(b *testing.B, c *peer.Client, l peer.Load) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Run(ctx, l) // what it says after it was cut short is of no interest
	}()
	b.Cleanup(func() { cancel(); <-done })
}

// A link of 100 a second is offered ten times that in bulk, and 20 otp a second beside.
func BenchmarkOTPBesideBulk(b *testing.B) {
	r := start(b, carrier{id: "north", behaviour: peer.Behaviour{Receipts: "all"}, links: "tps: 100\nwindow: 20"})
	r.bound("north", 1)
	const seconds = 30
	alone, bulk, otp := r.dial("otp"), r.dial("bulk"), r.dial("otp")
	run(b, alone, peer.Load{Count: 20 * seconds / 2, Rate: 20, To: "491610"}) // what disk and cores cost without any bulk
	before := r.taken("north")
	beside(b, bulk, peer.Load{Count: 1000 * seconds, Rate: 1000})
	run(b, otp, peer.Load{Count: 20 * seconds, Rate: 20, To: "491610"})
	taken := r.taken("north") - before
	rep, base := otp.Report(), alone.Report()
	b.ReportMetric(rep.Arrival.P99US/1e3, "otp-p99-ms")
	b.ReportMetric(float64(taken)/seconds, "taken/s")
	b.Logf("otp alone p50 %.1f ms p99 %.1f ms; with bulk beside", base.Arrival.P50US/1e3, base.Arrival.P99US/1e3)
	b.Logf("otp submit→carrier p50 %.1f ms p99 %.1f ms max %.1f ms of %d; carrier took %d in %d s, %d throttled; %d bulk wait", rep.Arrival.P50US/1e3, rep.Arrival.P99US/1e3,
		rep.Arrival.MaxUS/1e3, rep.Accepted, taken, seconds, r.carriers["north"].Tally().Throttled, r.waits("north"))
}

// One session with 100 ms round trip and window 50 should carry 500 a second. What a client that does nothing but fill its
// window gets out of the same carrier, before and after, tells what of the rest is the carrier's timer and this machine.
func BenchmarkWindowAtRoundTrip(b *testing.B) {
	const window, seconds = 50, 10
	r := start(b, carrier{id: "north", behaviour: peer.Behaviour{Receipts: "all", Latency: 100 * time.Millisecond}, links: fmt.Sprintf("window: %d", window)})
	r.bound("north", 1)
	plain := func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		c, err := peer.NewClient(peer.ClientOptions{Address: r.carriers["north"].Addr(), SystemID: "plain", Password: "x", Window: window})
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		if err := c.Dial(ctx); err != nil {
			b.Fatal(err)
		}
		const n = 5 * 500
		at := time.Now()
		if err := c.Run(ctx, peer.Load{Count: n}); err != nil {
			b.Fatal(err)
		}
		return n / time.Since(at).Seconds()
	}
	before := plain()
	c := r.dial("transactional")
	beside(b, c, peer.Load{Count: 10_000, Rate: 2000})
	await(b, 20*time.Second, "the pipe is full", func() bool { return r.taken("north") > 5*window+5*500 })
	from, at := r.taken("north"), time.Now()
	looks, unanswered, ahead, least := 0, 0, 0, window
	for end, look := time.After(seconds*time.Second), time.NewTicker(50*time.Millisecond); looks >= 0; {
		select {
		case <-end:
			look.Stop()
			end, looks = nil, -looks
		case <-look.C:
			links, _ := r.admin.Links(context.Background())
			looks++
			unanswered, ahead, least = unanswered+links[0].Unanswered, ahead+links[0].InFlight-links[0].Unanswered, min(least, links[0].InFlight-links[0].Unanswered)
		}
	}
	rate := float64(r.taken("north")-from) / time.Since(at).Seconds()
	links, _ := r.admin.Links(context.Background())
	r.order("pause", "north")
	bare := (before + plain()) / 2
	b.ReportMetric(rate, "taken/s")
	b.ReportMetric(rate/bare, "of-plain")
	b.ReportMetric(rate/(window/0.1), "of-W/RTT")
	b.Logf("%.1f a second, %.3f of window/100 ms, a plain client %.1f; %.1f of %d unanswered and %.1f ahead of them in the mean, %d at least; round trip %.1f ms; %s", rate, rate/(window/0.1), bare,
		float64(unanswered)/float64(-looks), window, float64(ahead)/float64(-looks), least, links[0].RoundTrip, links[0].Why)
}

// Messages that wait for a carrier when it dies: how long until the other one has them.
func BenchmarkNextTarget(b *testing.B) {
	const count = 5000
	r := start(b, carrier{id: "north", behaviour: peer.Behaviour{Latency: 10 * time.Second}, links: "window: 10"},
		carrier{id: "south", tier: 2, links: "window: 1000"})
	r.bound("north", 1)
	r.bound("south", 1)
	r.send("transactional", peer.Load{Count: count})
	await(b, 20*time.Second, "messages wait", func() bool { return r.waits("north") > count-50 })
	r.carriers["north"].Close()
	died := time.Now()
	await(b, 20*time.Second, "the first moved", func() bool { return r.taken("south") > 0 })
	first := time.Since(died)
	await(b, 20*time.Second, "nothing waits for the dead link", func() bool { return r.waits("north") == 0 })
	moved := time.Since(died)
	await(b, 20*time.Second, "all moved", func() bool { return r.taken("south") >= count-20 })
	b.ReportMetric(float64(moved.Milliseconds()), "moved-ms")
	b.Logf("first at the next target after %v, none left waiting after %v, all %d taken after %v", first.Round(time.Millisecond), moved.Round(time.Millisecond), count,
		time.Since(died).Round(time.Millisecond))
}

// South answers after 10 s at window 10 and has a million messages waiting; north's latency must not change, for a
// client that sends to both.
func BenchmarkSlowNeighbour(b *testing.B) {
	r := start(b, carrier{id: "north", prefix: "4915", links: "window: 100"},
		carrier{id: "south", prefix: "4916", behaviour: peer.Behaviour{Latency: 10 * time.Second}, links: "window: 10"})
	r.bound("north", 1)
	r.bound("south", 1)
	measure := func(both bool) peer.Latency {
		c := r.dial("transactional")
		if both {
			d := r.dial("transactional")
			beside(b, d, peer.Load{Count: 20_000, Rate: 100, Duration: 20 * time.Second, To: "491610"})
		}
		run(b, c, peer.Load{Count: 500 * 20, Rate: 500})
		await(b, time.Minute, "all arrived", func() bool { return c.Report().Arrival.Count >= 500*20 })
		return c.Report().Arrival
	}
	measure(false) // warms up
	before := measure(false)
	fill := r.dial("transactional")
	run(b, fill, peer.Load{Count: 1_000_000, To: "491620"})
	await(b, time.Minute, "a million wait", func() bool { return r.waits("south") > 990_000 })
	after := measure(true)
	b.ReportMetric(after.P99US/before.P99US, "p99-ratio")
	b.Logf("north submit→carrier p50 %.2f p99 %.2f ms without, p50 %.2f p99 %.2f ms with %d waiting for south", before.P50US/1e3, before.P99US/1e3, after.P50US/1e3, after.P99US/1e3,
		r.waits("south"))
}

// 500 links to 100 carriers, the sessions of half of them cut every second: the other half keeps its rate.
func BenchmarkFlappingHalf(b *testing.B) {
	var cs []carrier
	for i := range 100 {
		c := carrier{id: fmt.Sprintf("c%02d", i), plan: "transactional", several: 5}
		if i >= 50 {
			c.plan = "bulk"
		}
		cs = append(cs, c)
	}
	r := start(b, cs...)
	await(b, time.Minute, "500 sessions", func() bool {
		n := 0
		for _, c := range r.carriers {
			n += c.Binds()
		}
		return n == 500
	})
	const rate, seconds = 1000, 20
	stable := func() (n int64) {
		for i := range 50 {
			n += r.taken(fmt.Sprintf("c%02d", i))
		}
		return n
	}
	measure := func() float64 {
		c := r.dial("transactional")
		from, at := stable(), time.Now()
		run(b, c, peer.Load{Count: rate * seconds, Rate: rate})
		await(b, time.Minute, "all arrived", func() bool { return stable()-from >= rate*seconds })
		return float64(stable()-from) / time.Since(at).Seconds()
	}
	before := measure()
	stop, flaps := make(chan struct{}), 0
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for t := time.NewTicker(time.Second); ; {
			select {
			case <-stop:
				t.Stop()
				return
			case <-t.C:
				flaps++
				for i := 50; i < 100; i++ {
					r.carriers[fmt.Sprintf("c%02d", i)].Disconnect()
				}
			}
		}
	}()
	other := r.dial("bulk")
	beside(b, other, peer.Load{Count: 500 * seconds, Rate: 500})
	during := measure()
	close(stop)
	<-ended
	b.ReportMetric(during/before, "kept")
	b.Logf("stable half: %.1f a second before, %.1f while the other half was cut %d times; %d of %d messages for the other half taken meanwhile", before, during,
		flaps, func() (n int64) {
			for i := 50; i < 100; i++ {
				n += r.taken(fmt.Sprintf("c%02d", i))
			}
			return n
		}(), 500*seconds)
	r.prove()
}
