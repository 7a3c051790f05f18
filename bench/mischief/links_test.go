package mischief

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"smsplane/bench/peer"
	"smsplane/dataplane/admin"
	"smsplane/pdu"
)

// order gives an order about a carrier's links.
func (r *rig) order(verb, id string) {
	r.t.Helper()
	if _, err := r.admin.Link(context.Background(), admin.LinkOrder{Carrier: id, Link: -1, Verb: verb, Author: "tester"}); err != nil {
		r.t.Fatal(err)
	}
}

// state waits until every session of a carrier is in that state.
func (r *rig) state(id, want string) {
	r.t.Helper()
	await(r.t, 20*time.Second, id+" is "+want, func() bool {
		links, err := r.admin.Links(context.Background())
		if err != nil {
			r.t.Fatal(err)
		}
		return !slices.ContainsFunc(links, func(l admin.LinkInfo) bool { return l.Carrier == id && l.State != want })
	})
}

// waits is how many messages stand in the queues before a carrier.
func (r *rig) waits(id string) (n int) {
	r.t.Helper()
	queues, err := r.admin.Queues(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, q := range queues {
		if q.Carrier == id {
			n += q.Depth
		}
	}
	return n
}

// What waits for a carrier goes to the next target when the carrier dies, and nothing is lost or sent twice that was
// not in doubt.
func TestQueuedMessagesLeaveADeadCarrier(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", behaviour: peer.Behaviour{Receipts: "all", Latency: 10 * time.Second}, links: "window: 10"},
		carrier{id: "south", tier: 2, behaviour: peer.Behaviour{Receipts: "all"}})
	r.bound("north", 1)
	r.bound("south", 1)
	client := r.send("transactional", peer.Load{Count: n})
	await(t, 10*time.Second, "messages wait for north", func() bool { return r.waits("north") >= n-30 })
	r.carriers["north"].Close()
	await(t, 20*time.Second, "all but those in doubt went on", func() bool { return r.taken("south") >= n-20 })
	b := r.settled(20 * time.Second)
	if b.Delivered != n || b.InDoubt != 0 {
		t.Errorf("books %+v", b)
	}
	if a := client.Account(r.tallies()...); a.Lost != 0 || a.Duplicated > int64(b.Resent) {
		t.Errorf("account %+v", a)
	}
}

// A carrier that comes up takes over what waits in vain for another.
func TestACarrierThatComesUpFetches(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", behaviour: peer.Behaviour{Receipts: "all"}},
		carrier{id: "south", tier: 2, behaviour: peer.Behaviour{Receipts: "all", Mischief: peer.Mischief{RefuseBinds: 1 << 30, RefuseStatus: pdu.RSysErr}}})
	r.bound("north", 1)
	r.order("drain", "north")
	r.state("north", "drained")
	r.send("transactional", peer.Load{Count: n})
	if r.waits("north") != n {
		t.Fatalf("%d messages wait for north, want all", r.waits("north"))
	}
	if err := r.carriers["south"].Set(peer.Behaviour{Receipts: "all"}); err != nil {
		t.Fatal(err)
	}
	r.want(r.settled(40*time.Second), admin.Books{Accepted: n, Delivered: n, ReceiptsReturned: n})
	if r.taken("south") != n {
		t.Errorf("south took %d", r.taken("south"))
	}
}

// A pause keeps the sessions, sends nothing, and stands over a restart until it is ended.
func TestPauseSurvivesARestart(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", behaviour: peer.Behaviour{Receipts: "all"}})
	r.bound("north", 1)
	r.order("pause", "north")
	r.state("north", "paused")
	r.send("transactional", peer.Load{Count: 50})
	await(t, 10*time.Second, "all wait", func() bool { return r.waits("north") == 50 })
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r.serve()
	await(t, 20*time.Second, "it serves again", func() bool { return r.admin.Ready() })
	r.state("north", "paused")
	if r.waits("north") != 50 || r.taken("north") != 0 {
		t.Fatalf("%d wait, %d were taken", r.waits("north"), r.taken("north"))
	}
	r.order("resume", "north")
	r.state("north", "bound")
	await(t, 10*time.Second, "all are delivered", func() bool { return r.books().Delivered == 50 })
	r.prove()
}

// A drain ends the sessions in order: what they have is answered, nothing is in doubt.
func TestDrainAndResume(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", behaviour: peer.Behaviour{Receipts: "all", Latency: 300 * time.Millisecond}, links: "window: 5"})
	r.bound("north", 1)
	r.send("transactional", peer.Load{Count: 60})
	r.order("drain", "north")
	r.state("north", "drained")
	if b := r.books(); b.InDoubt != 0 || b.Resent != 0 || r.carriers["north"].Binds() != 0 {
		t.Errorf("books %+v, %d binds", b, r.carriers["north"].Binds())
	}
	r.order("resume", "north")
	r.want(r.settled(30*time.Second), admin.Books{Accepted: 60, Delivered: 60, ReceiptsReturned: 60})
}

// Messages planned before it was known that a carrier only fails for their prefix leave its queue without trying it.
func TestFailingRangeIsLeft(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", behaviour: peer.Behaviour{Latency: 100 * time.Millisecond, Refuse: []peer.Refusal{{Prefix: "4915", Status: pdu.RSysErr}}}, links: "window: 4"},
		carrier{id: "south", tier: 2, behaviour: peer.Behaviour{Receipts: "all"}})
	r.bound("north", 1)
	r.bound("south", 1)
	r.send("transactional", peer.Load{Count: n})
	r.want(r.settled(20*time.Second), admin.Books{Accepted: n, Delivered: n, ReceiptsReturned: n})
	if tried := r.carriers["north"].Tally().Submits; tried > n/4 {
		t.Errorf("north was tried %d times for a range where it only fails", tried)
	}
}

// A message whose receipt never comes ends as unknown after receipt_wait. A receipt behind that moves no money; the
// client is told what it says, once, however often it comes.
func TestReceiptsBehindUnknown(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", also: "receipt_wait: 1s", behaviour: peer.Behaviour{Receipts: "all", ReceiptDelay: 8 * time.Second,
		Mischief: peer.Mischief{ReceiptsTwice: true}}})
	client := r.send("transactional", peer.Load{Count: 30})
	r.want(r.settled(20*time.Second), admin.Books{Accepted: 30, Unknown: 30, ReceiptsReturned: 30})
	await(t, 20*time.Second, "the carrier's receipts were answered", func() bool { return r.carriers["north"].Tally().ReceiptsAnswered == 60 })
	await(t, 20*time.Second, "the client was told", func() bool { return client.Report().Receipts.Resolved == 30 })
	r.want(r.settled(20*time.Second), admin.Books{Accepted: 30, Unknown: 30, ReceiptsReturned: 30})
	if rep := client.Report(); rep.Receipts.Matched != 30 || rep.Receipts.Duplicate != 0 || rep.Receipts.Delivered != 0 {
		t.Errorf("client: %+v", rep.Receipts)
	}
	r.traced("transactional", "receipt again", "DELIVERED")
}

// So it is when the process that gave the message up is not the one that hears of it: the archive knows it.
func TestReceiptsBehindUnknownAndARestart(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", also: "receipt_wait: 1s", behaviour: peer.Behaviour{Receipts: "all", ReceiptDelay: 8 * time.Second}})
	r.send("transactional", peer.Load{Count: 30})
	r.want(r.settled(20*time.Second), admin.Books{Accepted: 30, Unknown: 30, ReceiptsReturned: 30})
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r.serve()
	await(t, 20*time.Second, "it serves again", func() bool { return r.admin.Ready() })
	await(t, 20*time.Second, "what the client must be told is parked", func() bool { return r.books().ReceiptsParked == 30 })
	r.prove()
	r.traced("transactional", "receipt again", "DELIVERED")
}

// traced waits until a message of a client has an event in its trace whose detail begins so.
func (r *rig) traced(client, event, detail string) {
	r.t.Helper()
	found, err := r.admin.Find(context.Background(), admin.FindQuery{Client: client, Limit: 1})
	if err != nil || len(found) != 1 {
		r.t.Fatal(found, err)
	}
	await(r.t, 5*time.Second, event+" "+detail+" is in the trace", func() bool {
		lines, err := r.admin.Trace(context.Background(), found[0].ID)
		if err != nil {
			r.t.Fatal(err)
		}
		return slices.ContainsFunc(lines, func(l admin.TraceLine) bool { return l.Event == event && strings.HasPrefix(l.Detail, detail) })
	})
}

// The line that says why a link is not faster names what is in the way.
func TestWhyNotFaster(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", prefix: "4915", behaviour: peer.Behaviour{Latency: 200 * time.Millisecond}, links: "window: 2"},
		carrier{id: "south", prefix: "4916", links: "tps: 10"}, carrier{id: "west", prefix: "4917"},
		carrier{id: "east", prefix: "4918", also: "tps: 10", several: 2})
	for _, id := range []string{"north", "south", "west", "east"} {
		r.bound(id, 1)
	}
	r.send("otp", peer.Load{Count: 200, To: "491510"})
	r.send("otp", peer.Load{Count: 200, To: "491610"})
	r.send("otp", peer.Load{Count: 200, To: "491810"})
	for id, want := range map[string]string{"north": "window", "south": "rate: tps 10", "west": "nothing to send", "east": "rate: tps 10 of the carrier"} {
		await(t, 10*time.Second, id+" says "+want, func() bool {
			links, err := r.admin.Links(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			return slices.ContainsFunc(links, func(l admin.LinkInfo) bool {
				return l.Carrier == id && len(l.Why) >= len(want) && l.Why[:len(want)] == want
			})
		})
	}
}

// A class that never ends takes its turns before lower ones, and no more: neither the rate nor the window of a link
// starves bulk beside otp without end.
func TestNoClassStarves(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]carrier{
		"rate":   {links: "tps: 100"},
		"window": {links: "window: 4", behaviour: peer.Behaviour{Latency: 40 * time.Millisecond}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c.id = "north"
			r := start(t, c)
			r.bound("north", 1)
			r.order("pause", "north")
			r.state("north", "paused")
			r.send("otp", peer.Load{Count: 2000, To: "491610"})
			bulk := r.send("bulk", peer.Load{Count: n, To: "491510"})
			await(t, 20*time.Second, "all wait", func() bool { return r.waits("north") == 2000+n })
			r.order("resume", "north")
			await(t, 20*time.Second, "some were taken", func() bool { return r.taken("north") >= 300 })
			taken, low := r.taken("north"), int64(bulk.Report().Arrival.Count)
			if low < taken/40 || low > taken/10 { // its weight is 1 of 17 beside otp alone
				t.Errorf("of %d taken %d were bulk", taken, low)
			}
		})
	}
}
