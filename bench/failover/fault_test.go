//go:build e2e

package failover

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// fault is something that happens to the site at a random moment and is over some time later. l leads when it begins: the client's
// lane, or by turns lane 0, with the links to carriers.
type fault struct {
	name  string
	lasts [2]time.Duration // from, to; zero: until the pair has got over it
	begin func(s *site, l *member, rng *rand.Rand)
	end   func(s *site, l *member)
	halts bool // clients are expected to notice
}

// faults, by name.
var faults = []fault{
	{name: "kill-leader", halts: true, begin: func(s *site, l *member, _ *rand.Rand) { l.kill() }, end: func(s *site, l *member) { l.start() }},
	{name: "kill-follower", begin: func(s *site, l *member, _ *rand.Rand) { s.other(l).kill() }, end: func(s *site, l *member) { s.other(l).start() }},
	{name: "kill-witness", begin: func(s *site, l *member, _ *rand.Rand) { s.w.kill() }, end: func(s *site, l *member) { s.w.start() }},
	{name: "kill-both", halts: true, begin: func(s *site, l *member, _ *rand.Rand) { l.kill(); s.other(l).kill() },
		end: func(s *site, l *member) { l.start(); s.other(l).start() }},
	{name: "kill-all", halts: true, begin: func(s *site, l *member, _ *rand.Rand) { l.kill(); s.other(l).kill(); s.w.kill() },
		end: func(s *site, l *member) { s.w.start(); l.start(); s.other(l).start() }},
	{name: "stop-leader", halts: true, lasts: [2]time.Duration{100 * time.Millisecond, 3 * time.Second},
		begin: func(s *site, l *member, _ *rand.Rand) { l.signal(syscall.SIGSTOP) }, end: func(s *site, l *member) { l.signal(syscall.SIGCONT) }},
	{name: "stop-follower", lasts: [2]time.Duration{100 * time.Millisecond, 3 * time.Second},
		begin: func(s *site, l *member, _ *rand.Rand) { s.other(l).signal(syscall.SIGSTOP) }, end: func(s *site, l *member) { s.other(l).signal(syscall.SIGCONT) }},
	{name: "stop-all", lasts: [2]time.Duration{350 * time.Millisecond, 700 * time.Millisecond}, // as on a machine that stands still: leases end, and mostly nobody is deposed
		begin: func(s *site, _ *member, _ *rand.Rand) { s.signal(syscall.SIGSTOP) }, end: func(s *site, _ *member) { s.signal(syscall.SIGCONT) }},
	{name: "partition-leader", halts: true, lasts: [2]time.Duration{100 * time.Millisecond, 3 * time.Second},
		begin: func(s *site, l *member, _ *rand.Rand) { s.cut(l, s.other(l), true); s.cut(l, s.w, true) }, end: mend},
	{name: "partition-follower", lasts: [2]time.Duration{100 * time.Millisecond, 3 * time.Second},
		begin: func(s *site, l *member, _ *rand.Rand) { o := s.other(l); s.cut(o, l, true); s.cut(o, s.w, true) }, end: mend},
	{name: "partition-between", lasts: [2]time.Duration{100 * time.Millisecond, 3 * time.Second},
		begin: func(s *site, l *member, _ *rand.Rand) { s.cut(l, s.other(l), true) }, end: mend},
	{name: "deaf-leader", lasts: [2]time.Duration{100 * time.Millisecond, 3 * time.Second}, // it is heard and hears nobody
		begin: func(s *site, l *member, _ *rand.Rand) { s.cut(s.other(l), l, false); s.cut(s.w, l, false) }, end: mend},
	{name: "mute-leader", halts: true, lasts: [2]time.Duration{100 * time.Millisecond, 3 * time.Second}, // it hears and nobody hears it
		begin: func(s *site, l *member, _ *rand.Rand) { s.cut(l, s.other(l), false); s.cut(l, s.w, false) }, end: mend},
	{name: "unplug-leader", halts: true, lasts: [2]time.Duration{500 * time.Millisecond, 4 * time.Second},
		begin: func(s *site, l *member, _ *rand.Rand) { must(s.t, "ip", "link", "set", "to-"+l.name, "down") },
		end:   func(s *site, l *member) { must(s.t, "ip", "link", "set", "to-"+l.name, "up") }},
	{name: "flapping", halts: true, begin: func(s *site, l *member, rng *rand.Rand) {
		for range 8 {
			s.cut(l, s.other(l), true)
			s.cut(l, s.w, true)
			wait(time.Duration(50+rng.IntN(300)) * time.Millisecond)
			mend(s, l)
			wait(time.Duration(50+rng.IntN(300)) * time.Millisecond)
		}
	}, end: mend},
	{name: "slow-link", lasts: [2]time.Duration{time.Second, 4 * time.Second},
		begin: func(s *site, l *member, _ *rand.Rand) {
			l.net.run(s.t, "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "3mbit", "burst", "16kb", "latency", "300ms")
		},
		end: func(s *site, l *member) { l.net.run(s.t, "tc", "qdisc", "del", "dev", "eth0", "root") }},
}

// signal sends one to every member.
func (s *site) signal(sig syscall.Signal) {
	for _, m := range s.all() {
		m.signal(sig)
	}
}

// cut drops what goes from one host to another, and what comes back when both is set.
func (s *site) cut(from, to *member, both bool) {
	s.t.Helper()
	from.net.run(s.t, "nft", fmt.Sprintf("add rule inet faults out ip daddr %s drop", to.net.addr))
	if both {
		from.net.run(s.t, "nft", fmt.Sprintf("add rule inet faults in ip saddr %s drop", to.net.addr))
	}
}

// mend ends every cut.
func mend(s *site, _ *member) {
	s.t.Helper()
	for _, m := range s.all() {
		m.net.run(s.t, "nft", "flush table inet faults")
	}
}

// wait lets real time pass: the faults are about it.
func wait(d time.Duration) { <-time.After(d) }

// heal makes sure that nothing of any fault is left, whatever a test has come to.
func (s *site) heal() {
	for _, m := range s.all() {
		m.signal(syscall.SIGCONT)
		_ = m.net.command("nft", "flush", "table", "inet", "faults").Run()
		_ = m.net.command("tc", "qdisc", "del", "dev", "eth0", "root").Run()
		_ = exec.Command("ip", "link", "set", "to-"+m.name, "up").Run()
	}
}

func findFault(t *testing.T, name string) *fault {
	for i := range faults {
		if faults[i].name == name {
			return &faults[i]
		}
	}
	t.Fatalf("there is no fault %q", name)
	return nil
}
