package mischief

import (
	"context"
	"strings"
	"testing"
	"time"

	"smsplane/bench/peer"
	"smsplane/dataplane/admin"
	"smsplane/pdu"
)

const n = 400

func receipts(m peer.Mischief) peer.Behaviour { return peer.Behaviour{Receipts: "all", Mischief: m} }

// What a carrier does wrong around messages that it takes, answers and reports: every message is delivered once, and
// nothing is ever in doubt.
func TestHarmless(t *testing.T) {
	for _, c := range []struct {
		name string
		b    peer.Behaviour
	}{
		{"answers twice", receipts(peer.Mischief{AnswerTwice: true})},
		{"answers out of order", peer.Behaviour{Receipts: "all", Latency: 20 * time.Millisecond, Mischief: peer.Mischief{Backwards: true}}},
		{"answers what nobody asked", receipts(peer.Mischief{StrangeAnswers: true})},
		{"receipt before answer", peer.Behaviour{Receipts: "all", ReceiptEarly: true, Latency: 20 * time.Millisecond}},
		{"slow", peer.Behaviour{Receipts: "all", Latency: 300 * time.Millisecond, ReceiptDelay: 20 * time.Millisecond}},
		{"each receipt twice", receipts(peer.Mischief{ReceiptsTwice: true})},
		{"refuses two binds", receipts(peer.Mischief{RefuseBinds: 2, RefuseStatus: pdu.RSysErr})},
		{"hex ids", peer.Behaviour{Receipts: "all", IDForm: "hex"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, carrier{id: "north", behaviour: c.b})
			client := r.send("transactional", peer.Load{Count: n})
			b := r.settled(30 * time.Second)
			r.want(b, admin.Books{Accepted: n, Delivered: n, ReceiptsReturned: n})
			report, account := client.Report(), client.Account(r.tallies()...)
			if p := peer.Problems(&report, &account); len(p) > 0 {
				t.Error(p)
			}
		})
	}
}

// The first final receipt decides: one that contradicts it moves no money, and stands in the trace.
func TestContradictingReceipts(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", behaviour: receipts(peer.Mischief{ReceiptsContradict: true})})
	client := r.send("transactional", peer.Load{Count: n})
	r.want(r.settled(30*time.Second), admin.Books{Accepted: n, Delivered: n, ReceiptsReturned: n})
	if rep := client.Report(); rep.Receipts.Delivered != n || rep.Receipts.Duplicate != 0 {
		t.Errorf("client: %+v", rep.Receipts)
	}
	r.traced("transactional", "receipt again", "UNDELIV")
}

// A carrier that throttles slows the link down and loses nothing; no attempt is counted, so nobody gives up.
func TestThrottling(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", behaviour: peer.Behaviour{Receipts: "all", TPS: 200}})
	client := r.send("transactional", peer.Load{Count: n})
	r.want(r.settled(40*time.Second), admin.Books{Accepted: n, Delivered: n, ReceiptsReturned: n})
	report, account := client.Report(), client.Account(r.tallies()...)
	if p := peer.Problems(&report, &account); len(p) > 0 {
		t.Error(p)
	}
	if th := r.carriers["north"].Tally().Throttled; th > n {
		t.Errorf("%d of %d messages had to be throttled: the rate did not adapt", th, n)
	}
}

// One carrier's table: 0x45 is the message's own fault there, 0x0B only this carrier's. The other carrier is next.
func TestOwnStatuses(t *testing.T) {
	t.Parallel()
	refuse := []peer.Refusal{{Prefix: "4915", Status: pdu.RSubmitFail}, {Prefix: "4916", Status: pdu.RInvDstAdr}}
	r := start(t, carrier{id: "north", behaviour: peer.Behaviour{Receipts: "all", Refuse: refuse}, also: "statuses: {0x45: reject, ESME_RINVDSTADR: elsewhere}"},
		carrier{id: "south", tier: 2, behaviour: peer.Behaviour{Receipts: "all"}})
	r.bound("north", 1)
	r.bound("south", 1)
	r.send("otp", peer.Load{Count: 20, To: "491510"})
	r.send("bulk", peer.Load{Count: 20, To: "491610"})
	r.want(r.settled(20*time.Second), admin.Books{Accepted: 40, Failed: 20, Delivered: 20, ReceiptsReturned: 40})
	if r.taken("north") != 0 || r.taken("south") != 20 {
		t.Errorf("north took %d, south %d", r.taken("north"), r.taken("south"))
	}
}

// A status that says that the session is unfit ends it: the message goes to the next target, and no attempt is lost.
func TestUnfitSession(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", behaviour: peer.Behaviour{Refuse: []peer.Refusal{{Prefix: "", Status: pdu.RInvBndSts}}}},
		carrier{id: "south", tier: 2, behaviour: peer.Behaviour{Receipts: "all"}})
	r.bound("north", 1)
	r.bound("south", 1)
	r.send("otp", peer.Load{Count: n})
	r.want(r.settled(20*time.Second), admin.Books{Accepted: n, Delivered: n, ReceiptsReturned: n})
	links, _ := r.admin.Links(context.Background())
	for _, l := range links {
		if l.Carrier == "north" && l.State != "refused" {
			t.Errorf("north is %s: %s", l.State, l.Reason)
		}
	}
}

// Sessions that die with unanswered messages: the receipts of what was taken resolve the doubt where they fit one
// message only, as soon as the link is bound again; whatever is sent twice is in the books as resent.
func TestResetsMidWindow(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", behaviour: peer.Behaviour{Receipts: "all", ReceiptDelay: 50 * time.Millisecond, Latency: 2 * time.Millisecond,
		Mischief: peer.Mischief{ResetEvery: 150}}}, carrier{id: "south", tier: 2, behaviour: peer.Behaviour{Receipts: "all"}})
	r.bound("north", 1)
	r.bound("south", 1)
	client := r.send("transactional", peer.Load{Count: n})
	b := r.settled(40 * time.Second)
	if b.Delivered+b.InDoubt != n || b.Failed+b.Expired+b.Unknown+b.Sent != 0 {
		t.Errorf("books %+v", b)
	}
	account := client.Account(r.tallies()...)
	if account.Lost != 0 || account.Duplicated > int64(b.Resent) {
		t.Errorf("account %+v, resent %d", account, b.Resent)
	}
	if tally := r.carriers["north"].Tally(); tally.Binds < 3 {
		t.Errorf("the session hardly ever died: %+v", tally)
	}
}

// A poisonous message takes each session down that carries it. It is held for the operator after three; the rest
// passes, and dropping it ends it as unknown, uncharged.
func TestPoison(t *testing.T) {
	t.Parallel()
	const poison = "49151000000007"
	b := peer.Behaviour{Mischief: peer.Mischief{PoisonTo: poison}, Receipts: "all"}
	r := start(t, carrier{id: "north", behaviour: b, links: "window: 1"}, carrier{id: "south", tier: 2, behaviour: b, links: "window: 1"},
		carrier{id: "west", tier: 3, behaviour: b, links: "window: 1"})
	for _, id := range []string{"north", "south", "west"} {
		r.carriers[id].Set(peer.Behaviour{Mischief: peer.Mischief{PoisonTo: poison}}) // no receipts that would tell
		r.bound(id, 1)
	}
	r.send("transactional", peer.Load{Count: 10})
	await(t, 20*time.Second, "the poison is held", func() bool {
		list, err := r.admin.Doubt(context.Background(), false)
		if err != nil {
			t.Fatal(err)
		}
		return len(list) == 1 && list[0].Policy == "hold" && list[0].To == poison
	})
	if got := r.books(); got.InDoubt != 1 || got.InFlight != 9 || got.Resent != 2 {
		t.Errorf("books %+v", got)
	}
	list, _ := r.admin.Doubt(context.Background(), false)
	if err := r.admin.DoubtOrder(context.Background(), admin.DoubtOrder{ID: list[0].ID, Verb: "drop", Author: "tester"}); err != nil {
		t.Fatal(err)
	}
	await(t, 5*time.Second, "it ended", func() bool { b := r.books(); return b.Unknown == 1 && b.InDoubt == 0 })
	r.prove()
	lines, err := r.admin.Trace(context.Background(), list[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	said := false
	for _, l := range lines {
		said = said || l.Event == "ordered" && l.Detail == "drop, by tester"
	}
	if !said {
		t.Errorf("the trace does not name who dropped it: %+v", lines)
	}
}

// Messages that are taken and never answered: the response timeout puts them in doubt, policy hold keeps them, and the
// receipts, each of which fits one message only, resolve them without a second copy.
func TestNeverAnswersAndReceiptsTell(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", also: "in_doubt: {default: hold}", links: "response_timeout: 1s",
		behaviour: peer.Behaviour{Receipts: "all", ReceiptDelay: 1500 * time.Millisecond, Mischief: peer.Mischief{NeverEvery: 4}}})
	client := r.send("transactional", peer.Load{Count: n})
	b := r.settled(30 * time.Second)
	await(t, 10*time.Second, "the receipts resolved the doubts", func() bool { b = r.books(); return b.Delivered == n })
	r.want(r.settled(10*time.Second), admin.Books{Accepted: n, Delivered: n, ReceiptsReturned: n})
	if a := client.Account(r.tallies()...); a.Duplicated != 0 || a.Lost != 0 {
		t.Errorf("account %+v", a)
	}
}

// Messages that vanish on a live session are sent again once to the same carrier, then to the next target.
func TestSwallows(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", links: "response_timeout: 1s", behaviour: peer.Behaviour{Receipts: "all", Mischief: peer.Mischief{SwallowEvery: 1}}},
		carrier{id: "south", tier: 2, behaviour: peer.Behaviour{Receipts: "all"}})
	r.bound("north", 1)
	r.bound("south", 1)
	client := r.send("transactional", peer.Load{Count: 40})
	r.want(r.settled(30*time.Second), admin.Books{Accepted: 40, Delivered: 40, Resent: 80, ReceiptsReturned: 40})
	if a := client.Account(r.tallies()...); a.Duplicated != 0 || a.Lost != 0 {
		t.Errorf("account %+v", a)
	}
}

// An answer behind its time ends the doubt of a message that is held.
func TestLateAnswers(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", also: "in_doubt: {default: hold}\nreceipts: asked", links: "response_timeout: 1s",
		behaviour: peer.Behaviour{Receipts: "asked", Latency: 2500 * time.Millisecond}})
	client := r.send("transactional", peer.Load{Count: 50})
	await(t, 20*time.Second, "late answers and receipts came", func() bool { return r.books().Delivered == 50 })
	r.want(r.settled(5*time.Second), admin.Books{Accepted: 50, Delivered: 50, ReceiptsReturned: 50})
	if a := client.Account(r.tallies()...); a.Duplicated != 0 || a.Lost != 0 {
		t.Errorf("account %+v", a)
	}
}

// A link that went half-open is found out by enquire_link; what it swallowed goes once more.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", links: "response_timeout: 1s\nenquire_link: 1s",
		behaviour: peer.Behaviour{Receipts: "all", Mischief: peer.Mischief{HalfOpenEvery: 30}}},
		carrier{id: "south", tier: 2, behaviour: peer.Behaviour{Receipts: "all"}})
	r.bound("north", 1)
	r.bound("south", 1)
	client := r.send("transactional", peer.Load{Count: 60})
	b := r.settled(40 * time.Second)
	if b.Delivered != 60 || b.InDoubt != 0 {
		t.Errorf("books %+v", b)
	}
	if a := client.Account(r.tallies()...); a.Lost != 0 || a.Duplicated > int64(b.Resent) {
		t.Errorf("account %+v", a)
	}
}

// A carrier that ends the connection at each enquire_link loses its session and nothing else.
func TestClosesOnEnquire(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", links: "enquire_link: 1s", behaviour: receipts(peer.Mischief{CloseOnEnquire: true})})
	r.bound("north", 1)
	await(t, 20*time.Second, "a session ended and another began", func() bool { return r.carriers["north"].Tally().Binds >= 2 })
	client := r.send("transactional", peer.Load{Count: n})
	b := r.settled(30 * time.Second)
	if b.Delivered+b.InDoubt != n {
		t.Errorf("books %+v", b)
	}
	if a := client.Account(r.tallies()...); a.Lost != 0 || a.Duplicated > int64(b.Resent) {
		t.Errorf("account %+v", a)
	}
}

// A carrier that unbinds answers what it owes first: nothing is in doubt, and the link binds again.
func TestUnbinds(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", behaviour: receipts(peer.Mischief{UnbindEvery: 90}), links: "window: 10"})
	client := r.send("transactional", peer.Load{Count: n})
	b := r.settled(40 * time.Second)
	if b.Delivered+b.InDoubt != n || b.InDoubt > 0 && b.Resent == 0 {
		t.Errorf("books %+v", b)
	}
	if a := client.Account(r.tallies()...); a.Lost != 0 || a.Duplicated > int64(b.Resent) {
		t.Errorf("account %+v", a)
	}
	if r.carriers["north"].Tally().Binds < 3 {
		t.Error("the link was hardly ever bound again")
	}
}

// Garbage ends the session; the books stay right.
func TestGarbage(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", behaviour: receipts(peer.Mischief{GarbageEvery: 100}), links: "window: 10"},
		carrier{id: "south", tier: 2, behaviour: peer.Behaviour{Receipts: "all"}})
	r.bound("north", 1)
	r.bound("south", 1)
	client := r.send("transactional", peer.Load{Count: n})
	b := r.settled(30 * time.Second)
	if b.Delivered+b.InDoubt != n {
		t.Errorf("books %+v", b)
	}
	if a := client.Account(r.tallies()...); a.Lost != 0 || a.Duplicated > int64(b.Resent) {
		t.Errorf("account %+v", a)
	}
}

// A carrier that admits one bind only has one; the other sessions are refused, and the one is never given up for them.
func TestAdmitsOneBind(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", behaviour: receipts(peer.Mischief{MaxBinds: 1}), links: "sessions: 2"})
	r.send("transactional", peer.Load{Count: n})
	r.want(r.settled(20*time.Second), admin.Books{Accepted: n, Delivered: n, ReceiptsReturned: n})
	states := map[string]int{}
	links, _ := r.admin.Links(context.Background())
	for _, l := range links {
		states[l.State]++
	}
	if states["bound"] != 1 || states["refused"] != 1 {
		t.Errorf("links %+v", links)
	}
	if tally := r.carriers["north"].Tally(); tally.BindsRefused > 3 {
		t.Errorf("a carrier that said no was asked %d times", tally.BindsRefused+1)
	}
	if err := func() error {
		_, err := r.admin.Link(context.Background(), admin.LinkOrder{Carrier: "north", Link: -1, Verb: "bounce", Author: "tester"})
		return err
	}(); err != nil {
		t.Fatal(err)
	}
	await(t, 20*time.Second, "one session is bound again after a bounce", func() bool {
		return r.carriers["north"].Tally().Binds >= 2 && r.carriers["north"].Binds() == 1
	})
}

// A carrier that says that the password is wrong is asked once by each session, and then not for long.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	r := start(t, carrier{id: "north", behaviour: receipts(peer.Mischief{RefuseBinds: 1 << 30, RefuseStatus: pdu.RInvPaswd}), links: "sessions: 3"})
	r.state("north", "refused")
	links, err := r.admin.Links(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		_, wait, _ := strings.Cut(l.Reason, "next try in ")
		if d, err := time.ParseDuration(wait); err != nil || d < 45*time.Second {
			t.Errorf("session %d: %s", l.Session, l.Reason)
		}
	}
	if tally := r.carriers["north"].Tally(); tally.BindsRefused != 3 {
		t.Errorf("asked %d times", tally.BindsRefused)
	}
}
