package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"smsplane/bench/peer"
	"smsplane/dataplane/admin"
	"smsplane/pdu"
)

// unruly is how a carrier may misbehave during a soak: for some seconds, then it keeps the rules again, or breaks others.
// n is around the number of messages between two strikes.
var unruly = []struct {
	name string
	do   func(b *peer.Behaviour, n int)
}{
	{"slow", func(b *peer.Behaviour, n int) { b.Latency = time.Duration(n) * time.Millisecond }},
	{"throttling", func(b *peer.Behaviour, n int) { b.TPS = float64(n) }},
	{"queue full now and then", func(b *peer.Behaviour, n int) { b.ErrorPercent, b.ErrorStatus = 5, pdu.RMsgQFul }},
	{"receipts before answers", func(b *peer.Behaviour, n int) { b.ReceiptEarly, b.Latency = true, 20*time.Millisecond }},
	{"answers twice", func(b *peer.Behaviour, n int) { b.Mischief.AnswerTwice = true }},
	{"answers out of order", func(b *peer.Behaviour, n int) { b.Mischief.Backwards, b.Latency = true, 10*time.Millisecond }},
	{"answers to nobody", func(b *peer.Behaviour, n int) { b.Mischief.StrangeAnswers = true }},
	{"never answers some", func(b *peer.Behaviour, n int) { b.Mischief.NeverEvery = n }},
	{"swallows some", func(b *peer.Behaviour, n int) { b.Mischief.SwallowEvery = n }},
	{"resets", func(b *peer.Behaviour, n int) { b.Mischief.ResetEvery = n }},
	{"unbinds", func(b *peer.Behaviour, n int) { b.Mischief.UnbindEvery = n }},
	{"garbage", func(b *peer.Behaviour, n int) { b.Mischief.GarbageEvery = n }},
	{"half-open", func(b *peer.Behaviour, n int) { b.Mischief.HalfOpenEvery = n }},
	{"closes on enquire_link", func(b *peer.Behaviour, n int) { b.Mischief.CloseOnEnquire = true }},
	{"admits one bind", func(b *peer.Behaviour, n int) { b.Mischief.MaxBinds = 1 }},
	{"receipts twice", func(b *peer.Behaviour, n int) { b.Mischief.ReceiptsTwice = true }},
	{"receipts that contradict", func(b *peer.Behaviour, n int) { b.Mischief.ReceiptsContradict = true }},
}

// unrulyEvery is about how long a carrier does one thing.
const unrulyEvery = 3 * time.Second

// misbehave lets carriers misbehave at random until ctx ends, and counts what they did.
func (s *stand) misbehave(ctx context.Context, rnd *rand.Rand, did map[string]int) {
	for {
		c := s.carriers[rnd.IntN(len(s.carriers))]
		b := s.behaviour()
		if rnd.IntN(3) > 0 { // a third of the time it keeps the rules
			what := unruly[rnd.IntN(len(unruly))]
			what.do(&b, 100+rnd.IntN(900))
			did[what.name]++
		}
		if err := c.Set(b); err != nil {
			panic(fmt.Sprintf("bench: %v", err)) // of ours
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(unrulyEvery/2 + rand.N(unrulyEvery)/time.Duration(len(s.carriers))):
		}
	}
}

// calm lets all carriers keep the rules, waits until nothing is on its way, and gives up what is in doubt: nobody but
// the carrier could say what became of it. All that is in doubt must be listed.
func (s *stand) calm(ctx context.Context, wait time.Duration) (dropped int, problems []string, err error) {
	for _, c := range s.carriers {
		if err := c.Set(s.behaviour()); err != nil {
			return 0, nil, err
		}
	}
	var held uint64
	var list []admin.DoubtInfo
	err = s.await(ctx, wait, "all that is not held in doubt to end", func(ctx context.Context) (bool, error) {
		if list, err = s.node.Doubt(ctx, false); err != nil {
			return false, err
		}
		st, err := s.node.Status(ctx)
		if err != nil {
			return false, err
		}
		held = st.Books.InDoubt
		again := slices.ContainsFunc(list, func(d admin.DoubtInfo) bool { return d.Policy != "hold" })
		return st.Books.InFlight == 0 && !again, fmt.Errorf("%d in flight, %d in doubt", st.Books.InFlight, held)
	})
	if err != nil {
		return 0, nil, err
	}
	if int(held) > len(list) { // fewer: some were resolved since
		problems = append(problems, fmt.Sprintf("%d messages are in doubt, %d are listed", held, len(list)))
	}
	for _, d := range list {
		if err := s.node.DoubtOrder(ctx, admin.DoubtOrder{ID: d.ID, Verb: "drop", Author: "smsbench"}); err == nil {
			dropped++
		}
	}
	return dropped, problems, nil
}

// knownTwice leaves out the complaint about messages that arrived twice when the appliance says that it sent as many again.
func knownTwice(problems []string, twice int64, resent uint64) (rest []string) {
	for _, p := range problems {
		if strings.HasSuffix(p, peer.SaysTwice) && twice <= int64(resent) {
			continue
		}
		rest = append(rest, p)
	}
	return rest
}
