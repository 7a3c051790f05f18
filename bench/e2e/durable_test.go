//go:build e2e

package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"
)

// number is the n-th destination of a network; each message of a test has its own, so that a message is
// known by its destination wherever it turns up.
func number(prefix string, n int) string { return fmt.Sprintf("%s%07d", prefix, n) }

func text(to string) message {
	return message{from: "e2e", to: to, registered: wantReceipt, text: []byte("message for " + to)}
}

// sendAll sends messages from..to-1 over one session and waits for every answer.
func sendAll(t *testing.T, e *esme, prefix string, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := e.send(text(number(prefix, i))); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, patience, "every submit_sm is answered", e.settled)
}

// everythingBack waits until all accepted messages arrived and came back with a receipt.
func everythingBack(t *testing.T, box *outbox, carriers ...*carrier) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("accepted %d, arrived %d, receipts back %d, refused %v", box.accepted(), arrived(box, carriers...), box.returned(), box.refused)
		}
	}()
	advances(t, "all accepted messages arrive", box.accepted, func() int { return arrived(box, carriers...) })
	advances(t, "all receipts are back", box.accepted, box.returned)
}

// advances waits until count is what is wanted, which may still grow, for as long as it changes at least once a minute: a large backlog takes its time.
// Counting a large one costs, so it rests ten times as long as that took.
func advances(t *testing.T, what string, want, count func() int) {
	t.Helper()
	last, seen := time.Now(), -1
	for {
		began := time.Now()
		n := count()
		switch {
		case n == want():
			return
		case n != seen:
			last, seen = began, n
		case began.Sub(last) > time.Minute:
			t.Fatalf("%s: %d of %d, and no more within a minute", what, n, want())
		}
		<-time.After(max(20*time.Millisecond, 10*time.Since(began)))
	}
}

// A longer run of TestKillLosesNothing: go test -tags e2e ./bench/e2e -run KillLosesNothing -args -kills 20 -load 20 -apart 50000
var (
	killCount = flag.Int("kills", 4, "kills of TestKillLosesNothing")
	killLoad  = flag.Int("load", 4, "its sessions")
	killApart = flag.Int("apart", 8000, "the most messages accepted between two kills; each is at a random one")
)

func TestKillLosesNothing(t *testing.T) {
	const window = 1000
	kills, sessions := *killCount, *killLoad
	c := startCarrier(t)
	n, box := newNode(t, c.port).up(), newOutbox()
	n.linked(linkSessions)
	next, perSession, seed := 0, 50_000, uint64(time.Now().UnixNano())
	moment := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	for range kills {
		var load sync.WaitGroup
		for range sessions {
			e, first := mustBind(t, n, window, box), next
			next += perSession
			load.Go(func() {
				for i := range perSession {
					if e.send(text(number("49151", first+i))) != nil {
						return // killed
					}
				}
			})
		}
		want := box.accepted() + 1 + moment.IntN(*killApart)
		eventually(t, patience, "the load flows", func() bool { return box.accepted() >= want })
		n.proc.kill()
		load.Wait()
		n.up().linked(linkSessions)
	}
	mustBind(t, n, window, box) // for the receipts
	everythingBack(t, box, c)

	_, again := c.counts()
	type doubt struct{ ID, To string }
	resent := map[string]bool{}
	for _, d := range ask[[]doubt](n, "doubt", "list", "--resent") {
		resent[d.To] = true
	}
	duplicates := 0
	for to, k := range again {
		duplicates += k
		if !resent[to] {
			t.Errorf("%s arrived %d times more and is not in doubt list --resent", to, k)
		}
	}
	b := n.status().Books
	if most := uint64(kills * linkSessions * 2 * linkWindow); uint64(duplicates) > b.Resent || b.Resent > most {
		t.Errorf("%d duplicates, %d resent, bound %d: they must ascend", duplicates, b.Resent, most)
	}
	if b.Accepted < uint64(box.accepted()) {
		t.Errorf("%d answered with status 0, the books know %d", box.accepted(), b.Accepted)
	}
	t.Logf("%d kills: %d accepted, %d duplicates, %d resent", kills, box.accepted(), duplicates, b.Resent)
	n.proven()
}

// TestDoubtOutlivesKills: messages that are with a carrier at each of five kills are promised all the same. They go to it
// once more after each start, and arrive when it answers at last.
func TestDoubtOutlivesKills(t *testing.T) {
	const messages, kills = 50, 5
	c := startCarrier(t)
	c.silent(true)
	n, box := newNode(t, c.port).up(), newOutbox()
	n.linked(linkSessions)
	sendAll(t, mustBind(t, n, messages, box), "49151", 0, messages)
	for kill := range kills {
		eventually(t, patience, "all are on the wire", func() bool { return c.offeredTo("49151") == (kill+1)*messages })
		n.proc.kill()
		if kill == kills-1 {
			c.silent(false)
		}
		n.up()
	}
	mustBind(t, n, messages, box)
	everythingBack(t, box, c)
	if b := n.status().Books; b.Resent != kills*messages || b.Delivered != messages {
		t.Errorf("%d resent, %d delivered; want %d and %d", b.Resent, b.Delivered, kills*messages, messages)
	}
	if list := ask[[]struct{ ID string }](n, "doubt", "list", "--resent"); len(list) != messages {
		t.Errorf("doubt list --resent has %d; want %d", len(list), messages)
	}
	n.proven()
	n.stop()
}

func TestPausedLayersDecouple(t *testing.T) {
	for _, layer := range []string{"router", "egress"} {
		t.Run(layer, func(t *testing.T) {
			const messages = 10_000
			c := startCarrier(t)
			n, box := newNode(t, c.port).up(), newOutbox()
			n.linked(linkSessions)
			if code, out, errs := n.command("layer", "pause", layer); code != 0 {
				t.Fatalf("pause: exit %d\n%s%s", code, out, errs)
			}
			sendAll(t, mustBind(t, n, 500, box), "49151", 0, messages)
			if box.accepted() != messages {
				t.Fatalf("paused %s: %d of %d accepted, refused %v", layer, box.accepted(), messages, box.refused)
			}
			eventually(t, patience, "the queue before the layer holds everything", func() bool {
				held := 0
				for _, q := range ask[[]struct{ Depth int }](n, "queue", "list") {
					held += q.Depth
				}
				return held >= messages
			})
			if got, _ := c.counts(); got != 0 {
				t.Fatalf("paused %s: the carrier saw %d", layer, got)
			}
			n.proc.kill()
			n.up()
			if code, out, errs := n.command("layer", "resume", layer); code != 0 {
				t.Fatalf("resume: exit %d\n%s%s", code, out, errs)
			}
			mustBind(t, n, 500, box)
			everythingBack(t, box, c)
			if _, again := c.counts(); len(again) != 0 {
				t.Errorf("%d messages were never dispatched before the kill and arrived twice", len(again))
			}
			n.proven()
		})
	}
}

func TestDrain(t *testing.T) {
	c := startCarrier(t)
	n, box := newNode(t, c.port).up(), newOutbox()
	n.linked(linkSessions)
	e := mustBind(t, n, 200, box)
	var load sync.WaitGroup
	load.Go(func() {
		for i := 0; e.send(text(number("49151", i))) == nil; i++ {
		}
	})
	eventually(t, patience, "the load flows", func() bool { return box.accepted() >= 2000 })
	n.stop()
	load.Wait()
	if _, err := dialRaw(n.smpp); err == nil {
		t.Error("somebody still listens after the end")
	}
	st := n.status() // from the store
	if st.Books.Accepted != uint64(box.accepted()) {
		t.Errorf("%d answered with status 0, the books know %d: a drained node leaves no answer out", box.accepted(), st.Books.Accepted)
	}
	n.proven()
	n.up()
	mustBind(t, n, 200, box)
	everythingBack(t, box, c)
	if _, again := c.counts(); len(again) != 0 {
		t.Errorf("%d duplicates after a drain with a carrier that answers", len(again))
	}
	n.stop()
}

// TestSecondSignalSkipsTheWait: with a carrier that never answers a drain waits; /readyz says so and nobody
// is let in. A second signal ends it at once, and what was on the wire is in doubt by record.
func TestSecondSignalSkipsTheWait(t *testing.T) {
	const messages = 50
	c := startCarrier(t)
	c.silent(true)
	n, box := newNode(t, c.port).up(), newOutbox()
	n.linked(linkSessions)
	e := mustBind(t, n, messages, box)
	sendAll(t, e, "49151", 0, messages)
	eventually(t, patience, "all are on the wire", func() bool { return c.offeredTo("49151") == messages })

	n.proc.signal(syscall.SIGTERM)
	eventually(t, patience, "/readyz answers 503", func() bool { return n.readiness() == http.StatusServiceUnavailable })
	if _, status, err := bind(n.smpp, "demo", "secret", 1, box); err == nil && status == rOK {
		t.Error("a draining node took a bind")
	}
	if err := e.send(text(number("49152", 0))); err == nil {
		eventually(t, patience, "the late submit_sm is answered or its session closed", func() bool { return e.settled() || e.ended() })
	}
	if box.accepted() != messages {
		t.Errorf("a draining node accepted %d more", box.accepted()-messages)
	}
	n.proc.signal(syscall.SIGTERM)
	if code := n.proc.exit(t, 5*time.Second); code != 0 { // half of what one signal would wait
		t.Errorf("exit %d after the second signal:\n%s", code, n.proc.stderr.String())
	}

	if b := n.status().Books; b.InDoubt != messages {
		t.Errorf("%d in doubt; want the %d on the wire", b.InDoubt, messages)
	}
	if list := ask[[]struct{ ID string }](n, "doubt", "list"); len(list) != messages {
		t.Errorf("doubt list has %d; want %d", len(list), messages)
	}
	c.silent(false)
	n.up()
	mustBind(t, n, 10, box)
	everythingBack(t, box, c)
	if b := n.status().Books; b.Resent != messages {
		t.Errorf("%d resent; want %d", b.Resent, messages)
	}
	n.proven()
	n.stop()
}
