package sim

import (
	crand "crypto/rand"
	"math/rand/v2"
	"testing"
	"time"

	"smsplane/ledger/replica"
	"smsplane/pdu"
)

// TestFullDisks: a host whose disk is full leads nothing but lane 0. Of a pair each disk is needed, so clients are refused by the
// other on its behalf; three hosts go on without it, and it takes nothing that clients send. With room again all is as it was.
func TestFullDisks(t *testing.T) {
	real := crand.Reader
	defer func() { crand.Reader = real }()
	for name, witness := range map[string]bool{"pair": true, "three": false} {
		t.Run(name, func(t *testing.T) {
			crand.Reader = rand.NewChaCha8([32]byte{8})
			if _, problem := run(8, false, func(w *world) { w.fills(t, witness) }); problem != "" {
				t.Fatal(problem)
			}
		})
	}
}

func (w *world) fills(t *testing.T, witness bool) {
	w.sharing(witness)
	w.until("each host leads the lane of one client", time.Minute, func() bool { return w.apart() && w.answers(pdu.ROK) > 50 }, w.unrest)
	for _, owner := range []bool{false, true} {
		full := w.leader()
		for _, h := range w.hosts {
			if !owner && h.s != nil && !h.s.Leads(0) && (h.s.Leads(1) || h.s.Leads(2)) {
				full = h
			}
		}
		w.tell("the disk of %s is full", full.name)
		full.s.TellRoom(replica.Full)
		w.until("it leads no client's lane", time.Minute, func() bool { return w.leader() != nil && !full.s.Leads(1) && !full.s.Leads(2) }, w.unrest)
		w.pass(time.Second)
		taken, refused, applied := w.answers(pdu.ROK), w.answers(pdu.RMsgQFul), full.s.Applied(1)+full.s.Applied(2)
		w.pass(3 * time.Second)
		more, none := w.answers(pdu.ROK)-taken, w.answers(pdu.RMsgQFul)-refused
		t.Logf("%s is full, and keeps the links: %v; %d accepted, %d refused, %d entries taken there", full.name, owner, more, none, full.s.Applied(1)+full.s.Applied(2)-applied)
		if witness && (more > 0 || none == 0) {
			t.Errorf("%d accepted and %d refused for want of room, where each disk is needed", more, none)
		}
		if !witness && (more < 50 || none > 0 || full.s.Applied(1)+full.s.Applied(2) != applied) {
			t.Errorf("%d accepted, %d refused, %d entries taken by the full host, where two others have room", more, none, full.s.Applied(1)+full.s.Applied(2)-applied)
		}
		w.tell("it has room again")
		full.s.TellRoom(replica.Roomy)
		taken = w.answers(pdu.ROK)
		w.until("all is as it was", time.Minute, func() bool { return w.apart() && w.answers(pdu.ROK) > taken+50 }, w.unrest)
	}
	w.clear()
	w.rest()
	w.equal(w.judge(w.leader()))
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	for end := w.now + int64(d); w.now < end; {
		w.step()
	}
}

// answers counts messages by the status that clients heard.
func (w *world) answers(st pdu.Status) (n int) {
	for _, m := range w.messages {
		if m.answered && m.status == st {
			n++
		}
	}
	return n
}

// TestLaneWithoutRoom: a host that was away for so long that it must be sent whole lanes refuses them while its disk has no room for
// them, however often it is asked, and takes them once it has. The others go on meanwhile.
func TestLaneWithoutRoom(t *testing.T) {
	sceneOf(t, 11, func(w *world) {
		w.linkWindow, w.deliverWindow = 30, 20
		w.sharers(true)
		room := uint64(1 << 50)
		for _, h := range w.hosts {
			h.hold, h.free = 4<<10, func() uint64 { return room }
			h.start()
		}
		w.until("each host leads the lane of one client", time.Minute, func() bool { return w.apart() && w.answers(pdu.ROK) > 50 }, w.unrest)
		away := w.hosts[0]
		if away.s.Leads(0) {
			away = w.hosts[1]
		}
		away.spare = true // it stays so
		away.die("kill -9", away.disk.killed(), false)
		taken := w.answers(pdu.ROK)
		w.until("the others go on", time.Minute, func() bool { return w.answers(pdu.ROK) > taken+400 }, w.unrest)
		room, away.spare = 1<<20, false // less than the ballast
		away.start()
		w.until("it is asked to take a lane", time.Minute, func() bool { return w.faults["pieces of lanes sent to a host"] > 0 }, w.unrest)
		taken = w.answers(pdu.ROK)
		at := away.s.Applied(1)
		w.pass(3 * time.Second)
		if got := w.answers(pdu.ROK); got < taken+50 || away.s.Applied(1) != at || w.leader() == nil {
			t.Errorf("%d messages accepted while it refuses lanes; it went from %d to %d", got-taken, at, away.s.Applied(1))
		}
		t.Logf("%d pieces in all, the size and the beginning of one lane after the other", w.faults["pieces of lanes sent to a host"])
		room = 1 << 50
		w.until("it follows", time.Minute, func() bool { return away.s.Applied(1) > at }, w.unrest)
		w.clear()
		w.rest()
		w.equal(w.judge(w.leader()))
	})
}
