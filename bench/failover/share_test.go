//go:build e2e

package failover

import (
	"maps"
	"strings"
	"testing"
	"time"

	"smsplane/bench/peer"
)

// shareFor is how long each part of TestShares is looked at.
const shareFor = 3 * time.Second

// TestShares: a carrier that admits one bind and a hundred messages a second is shared by two hosts, each of which leads the lane of
// one client. It never sees a second bind, never throttles, and serves both clients alike: at first, over the death of the host
// that keeps the link, and when both lead again.
func TestShares(t *testing.T) {
	s := &site{t: t, dir: t.TempDir(), together: "  settle: 1s\n", catalog: maps.Clone(catalogFiles)}
	s.manners[0] = peer.Behaviour{Receipts: "all", Latency: time.Millisecond, TPS: 100, Mischief: peer.Mischief{MaxBinds: 1}}
	s.catalog["carriers.yaml"] = strings.Replace(s.catalog["carriers.yaml"], "sessions: 2, window: 500, tps: unlimited", "sessions: 1, window: 50, tps: 100", 1)
	s.catalog["clients.yaml"] = postpaid(s.catalog["clients.yaml"])
	s.catalog["routes.csv"] = "plan,prefix,mcc,mnc,class,tier,weight,carrier\nstandard,,,,,1,1,north\n"
	s.up("", 0)
	t.Cleanup(s.heal)
	eventually(t, time.Minute, "each host leads the lane of one client", s.apart)
	clients := map[uint32]*client{1: newClient("load", 1, 2, 100, 65, 0, "127.77.0.1:2775", "127.77.0.2:2775"),
		2: newClient("pre", 2, 2, 100, 65, 0, "127.77.0.2:2775", "127.77.0.1:2775")}
	for _, c := range clients {
		defer c.close()
		eventually(t, 30*time.Second, "messages are accepted", func() bool { _, acked, _ := c.counts(); return acked > 20 })
	}
	wait(time.Second)
	s.share("led by both", shareFor)
	if !s.apart() {
		t.Error("lanes were handed over meanwhile")
	}
	l := s.leader()
	l.kill()
	s.share("over the failover", 2*shareFor) // the lanes of the dead host are led again one after the other
	l.start()
	eventually(t, time.Minute, "each host leads the lane of one client again", s.apart)
	wait(time.Second)
	s.share("led by both again", shareFor)
	for run, c := range clients {
		c.halt()
		s.account(c, run)
	}
	for run, c := range clients {
		c.mu.Lock()
		t.Logf("client %d: refused %v", run, c.refused)
		c.mu.Unlock()
	}
	v := s.carriers[0].Tally()
	t.Logf("the carrier: %d binds, %d refused; %d messages, %d throttled", v.Binds, v.BindsRefused, v.Submits, v.Throttled)
	if v.BindsRefused > 0 || v.Throttled > 0 {
		t.Errorf("%d second binds, %d messages over the rate", v.BindsRefused, v.Throttled)
	}
}

// postpaid has the second client pay later.
func postpaid(clients string) string {
	return strings.Replace(clients, "mode: prepaid, currency: EUR, credit_limit: 20,", "mode: postpaid, currency: EUR, credit_limit: 1000000,", 1)
}

// apart says that two hosts lead the lanes of the first two clients.
func (s *site) apart() bool {
	by := [2]int{}
	for h, m := range []*member{s.a, s.b} {
		st, err := m.status()
		if err != nil || len(st.Lanes) < 3 {
			return false
		}
		for i := range by {
			if st.Lanes[1+i].Leader {
				by[i] += h + 1
			}
		}
	}
	return by == [2]int{1, 2} || by == [2]int{2, 1}
}

// share lets time pass and counts what the first carrier took of each client meanwhile.
func (s *site) share(when string, d time.Duration) {
	s.t.Helper()
	w := &s.first[0]
	w.mu.Lock()
	from := len(w.runs)
	w.mu.Unlock()
	wait(d)
	w.mu.Lock()
	defer w.mu.Unlock()
	n := map[uint32]int{}
	for _, run := range w.runs[from:] {
		n[run]++
	}
	s.t.Logf("%s: %d and %d messages in %v", when, n[1], n[2], d)
	if mean := float64(n[1]+n[2]) / 2; mean == 0 || float64(n[1]) < 0.9*mean || float64(n[1]) > 1.1*mean {
		s.t.Errorf("%s: the clients of the two hosts are not served alike", when)
	}
}
