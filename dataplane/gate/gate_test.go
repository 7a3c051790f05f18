package gate

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"
)

func prefixes(ss ...string) (out []netip.Prefix) {
	for _, s := range ss {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func TestNetworks(t *testing.T) {
	for _, c := range []struct {
		name        string
		allow, deny []netip.Prefix
		from        string
		want        Verdict
	}{
		{"no lists", nil, nil, "192.0.2.1", Admitted},
		{"allowed", prefixes("192.0.2.0/24"), nil, "192.0.2.1", Admitted},
		{"allowed by none", prefixes("192.0.2.0/24", "10.0.0.0/8"), nil, "198.51.100.1", DeniedNetwork},
		{"denied", nil, prefixes("192.0.2.0/25"), "192.0.2.1", DeniedNetwork},
		{"outside the denied", nil, prefixes("192.0.2.0/25"), "192.0.2.200", Admitted},
		{"deny is stronger", prefixes("192.0.2.0/24"), prefixes("192.0.2.1/32"), "192.0.2.1", DeniedNetwork},
		{"mapped address", prefixes("192.0.2.0/24"), nil, "::ffff:192.0.2.1", Admitted},
		{"mapped address denied", nil, prefixes("192.0.2.0/24"), "::ffff:192.0.2.1", DeniedNetwork},
		{"IPv6", prefixes("2001:db8::/32"), nil, "2001:db8::1", Admitted},
		{"IPv6 not in IPv4 lists", prefixes("0.0.0.0/0"), nil, "2001:db8::1", DeniedNetwork},
		{"zone", prefixes("fe80::/10"), nil, "fe80::1%eth0", Admitted},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := New(Options{Allow: c.allow, Deny: c.deny})
			if got := g.Connect(netip.MustParseAddr(c.from)); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
			if want := map[bool]int{true: 1, false: 0}[c.want == Admitted]; g.Connections() != want {
				t.Errorf("%d slots taken, want %d", g.Connections(), want)
			}
		})
	}
}

func TestSetNetworks(t *testing.T) {
	g := New(Options{})
	a := netip.MustParseAddr("192.0.2.1")
	if g.Connect(a) != Admitted {
		t.Fatal("refused")
	}
	g.SetNetworks(nil, prefixes("192.0.2.0/24"))
	if g.Connect(a) != DeniedNetwork {
		t.Error("the new list does not count")
	}
	g.Disconnect(a) // of the one that stayed
}

func TestSourceIsOneAddressOrOne64(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1":             "192.0.2.1",
		"::ffff:192.0.2.1":      "192.0.2.1",
		"2001:db8:1:2:3:4:5:6":  "2001:db8:1:2::",
		"2001:db8:1:2:ffff::":   "2001:db8:1:2::",
		"fe80::aaaa%eth0":       "fe80::",
		"2001:db8:1:3::1":       "2001:db8:1:3::",
		"::ffff:192.0.2.1%zone": "192.0.2.1",
	} {
		if got := Source(netip.MustParseAddr(in)); got.String() != want {
			t.Errorf("Source(%s) = %v, want %s", in, got, want)
		}
	}
}

func addr(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("10.0.%d.%d", i/256, i%256)) }

// TestConnectionLimits compares random connects and disconnects with plain counting.
func TestConnectionLimits(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	g := New(Options{MaxConnections: 20, MaxPerSource: 6})
	open, total := make(map[int]int), 0
	for range 20_000 {
		i := rnd.IntN(7)
		if rnd.IntN(2) == 0 && open[i] > 0 {
			g.Disconnect(addr(i))
			open[i]--
			total--
			continue
		}
		want := Admitted
		if total >= 20 {
			want = TooMany
		} else if open[i] >= 6 {
			want = TooManySource
		}
		if got := g.Connect(addr(i)); got != want {
			t.Fatalf("%v, want %v (source %d, total %d)", got, want, open[i], total)
		}
		if want == Admitted {
			open[i]++
			total++
		}
		if g.Connections() != total {
			t.Fatalf("%d connections, want %d", g.Connections(), total)
		}
	}
	for i, n := range open {
		for range n {
			g.Disconnect(addr(i))
		}
	}
	if len(g.sources) != 0 || g.Connections() != 0 {
		t.Errorf("%d sources are remembered with no connection", len(g.sources))
	}
}

func TestDisconnectTooOftenPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	New(Options{}).Disconnect(addr(1))
}

func TestBinds(t *testing.T) {
	g := New(Options{})
	steps := []struct {
		account uint32
		kind    BindType
		limit   int
		want    bool
	}{
		{1, Transmitter, 0, false},
		{1, Transmitter, 2, true},
		{1, Transmitter, 2, true},
		{1, Transmitter, 2, false},
		{1, Receiver, 1, true}, // types are counted apart
		{1, Transceiver, 1, true},
		{2, Transmitter, 1, true}, // and so are accounts
		{1, Transmitter, 3, true}, // the catalog raised the limit
		{1, Transmitter, 1, false},
	}
	for i, s := range steps {
		if got := g.Bind(s.account, s.kind, s.limit); got != s.want {
			t.Errorf("step %d: %v, want %v", i, got, s.want)
		}
	}
	if got := g.Binds(1); got != [3]int{3, 1, 1} {
		t.Errorf("binds %v", got)
	}
	g.Unbind(1, Transmitter)
	if !g.Bind(1, Transmitter, 3) {
		t.Error("a bind given back is not free")
	}
	for range 3 {
		g.Unbind(1, Transmitter)
	}
	g.Unbind(1, Receiver)
	g.Unbind(1, Transceiver)
	g.Unbind(2, Transmitter)
	if len(g.binds) != 0 {
		t.Errorf("%d accounts remembered without binds", len(g.binds))
	}
	defer func() {
		if recover() == nil {
			t.Error("unbind of nothing: no panic")
		}
	}()
	g.Unbind(1, Receiver)
}

const second = int64(time.Second)

func TestFailDelayGrowsAndDecays(t *testing.T) {
	g := New(Options{FailDelay: time.Second, MaxFailDelay: 10 * time.Second, FailDecay: 5 * time.Second})
	a, b := addr(1), addr(2)
	now := 1_000 * second
	for i, want := range []time.Duration{1, 2, 4, 8, 10, 10, 10} {
		if got := g.BindFailed(a, now); got != want*time.Second {
			t.Errorf("failure %d: %v, want %v s", i, got, int(want))
		}
	}
	if got := g.BindFailed(b, now); got != time.Second {
		t.Errorf("another source waits %v", got)
	}
	now += 5 * second // one is forgiven: of 4 levels 3 are left
	if got := g.BindFailed(a, now); got != 8*time.Second {
		t.Errorf("after one decay %v, want 8 s", got)
	}
	now += 12 * second // two of four
	if got := g.BindFailed(a, now); got != 4*time.Second {
		t.Errorf("after two decays %v, want 4 s", got)
	}
	now += 3600 * second
	if got := g.BindFailed(a, now); got != time.Second {
		t.Errorf("after an hour %v, want 1 s", got)
	}
	if got := g.BindFailed(a, now-7200*second); got != 2*time.Second {
		t.Errorf("clock set back: %v, want 2 s", got)
	}
}

// TestPenaltiesAreBounded: a flood of sources pushes out the lightest, not the worst offender.
func TestPenaltiesAreBounded(t *testing.T) {
	g := New(Options{FailDelay: time.Second, MaxFailDelay: time.Minute, FailDecay: time.Hour})
	g.penalties.limit = 8
	worst := addr(1)
	for range 5 {
		g.BindFailed(worst, 0)
	}
	for i := range 100 {
		g.BindFailed(addr(10+i), second)
		if n := len(g.penalties.bySource); n > 8 {
			t.Fatalf("%d sources remembered, limit 8", n)
		}
	}
	if got := g.BindFailed(worst, 2*second); got != 32*time.Second {
		t.Errorf("the worst offender waits %v, want 32 s", got)
	}
}

func TestManyGoroutines(t *testing.T) {
	g := New(Options{MaxConnections: 10, MaxPerSource: 5})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := range 500 {
				a := addr(i % 2)
				if g.Connect(a) == Admitted {
					g.Disconnect(a)
				}
				g.BindFailed(a, int64(n)*second)
				if g.Bind(uint32(i%2), Receiver, 1) {
					g.Unbind(uint32(i%2), Receiver)
				}
			}
		}()
	}
	wg.Wait()
	if g.Connections() != 0 || g.Binds(0) != [3]int{} || g.Binds(1) != [3]int{} {
		t.Errorf("left: %d connections, binds %v %v", g.Connections(), g.Binds(0), g.Binds(1))
	}
}
