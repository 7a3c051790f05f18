package sim

import (
	crand "crypto/rand"
	"math/rand/v2"
	"testing"
	"time"

	"smsplane/pdu"
)

// TestDeposedLaneFoldsWhatLives: a host that went on alone keeps the log for the other one. When it loses its quorum for a moment, and
// with it its lanes, nobody else can lead them, and they are led again as soon as what lives in them was folded anew: not all that is kept.
func TestDeposedLaneFoldsWhatLives(t *testing.T) {
	sceneOf(t, 9, func(w *world) { w.foldsAnew(t) })
}

// TestLaneWithoutBooks: a host that folds a lane anew is not given it meanwhile, since whoever would hand it over leads it to work, and
// leaves it to that one when it was elected, because the other was away.
func TestLaneWithoutBooks(t *testing.T) {
	sceneOf(t, 10, func(w *world) {
		w.linkWindow, w.deliverWindow = 30, 20
		w.sharing(true)
		w.until("each host leads the lane of one client", time.Minute, func() bool { return w.apart() && w.answers(pdu.ROK) > 50 }, w.unrest)
		lane, _ := w.laneOf(w.clients[0])
		slow, quick := w.hosts[0], w.hosts[1]
		if quick.s.Leads(lane) {
			slow, quick = quick, slow
		}
		slow.s.ReloadTurn(0)
		slow.s.Hand(lane, quick.id(slow))
		slow.warm()
		w.until("another host leads it", time.Minute, func() bool { return quick.s.Leads(lane) }, w.unrest)
		term, taken := quick.s.Term(lane), w.answers(pdu.ROK)
		for range 3 {
			quick.s.Hand(lane, slow.id(quick))
			quick.warm()
			w.pass(time.Second)
		}
		if got := w.answers(pdu.ROK); !quick.s.Leads(lane) || quick.s.Term(lane) != term || got < taken+50 {
			t.Errorf("the lane was handed to a host without its books: %d messages were accepted, it is led there: %v", got-taken, quick.s.Leads(lane))
		}
		w.tell("%s is alone", quick.name)
		for _, h := range w.hosts {
			w.net.cut[way{quick, h}], w.net.cut[way{h, quick}] = true, true
		}
		w.until("the other one is elected", time.Minute, func() bool { return slow.s.Term(lane) > term && !quick.s.Leads(lane) }, w.unrest)
		w.pass(time.Second)
		clear(w.net.cut)
		w.until("it leaves the lane", time.Minute, func() bool { return quick.s.Leads(lane) }, w.unrest)
		slow.s.ReloadTurn(1 << 20)
		w.clear()
		w.rest()
		w.equal(w.judge(w.leader()))
	})
}

// sceneOf plays one history of a cluster.
func sceneOf(t *testing.T, seed uint64, play func(w *world)) {
	t.Helper()
	real := crand.Reader
	defer func() { crand.Reader = real }()
	crand.Reader = rand.NewChaCha8([32]byte{byte(seed)})
	if _, problem := run(seed, false, play); problem != "" {
		t.Fatal(problem)
	}
}

func (w *world) foldsAnew(t *testing.T) {
	w.linkWindow, w.deliverWindow = 30, 20
	w.sharers(true)
	for _, h := range w.hosts {
		h.hold = 0 // the default, which is more than all that is sent here
		h.start()
	}
	w.until("each host leads the lane of one client", time.Minute, func() bool { return w.apart() && w.answers(pdu.ROK) > 50 }, w.unrest)
	var witness, other *host
	for _, h := range w.hosts {
		switch {
		case h.witness():
			witness = h
		case !h.s.Leads(0):
			other = h
		}
	}
	l := w.leader()
	other.spare = true // it stays away
	other.die("kill -9", other.disk.killed(), false)
	lane, _ := w.laneOf(w.clients[0])
	from, taken := l.s.Applied(lane), w.answers(pdu.ROK)
	w.until("the host goes on alone", time.Minute, func() bool { return l.leadsAll() && w.answers(pdu.ROK) > taken+800 }, w.unrest)
	w.calm = true // the clients send no more
	w.until("all is delivered and told", 5*time.Minute, func() bool { b := l.s.Books(); return b.InFlight+b.InDoubt+b.ReceiptsParked == 0 }, w.unrest)
	kept := l.s.Applied(lane) - from
	w.net.cut[way{l, witness}], w.net.cut[way{witness, l}] = true, true
	w.until("it is deposed", time.Minute, func() bool { return !l.s.Leads(lane) }, w.unrest)
	clear(w.net.cut)
	w.until("it leads again", time.Minute, l.leadsAll, w.unrest)
	got := l.s.Refolded(lane)
	t.Logf("%d entries came since the other host died, %d were folded anew", kept, got)
	if kept < 200 || got > kept/4 {
		t.Errorf("%d entries were folded anew of the %d that are kept for the other host", got, kept)
	}
	other.spare = false
	w.clear()
	w.rest()
	w.equal(w.judge(w.leader()))
}
