package bench

import (
	"context"
	"fmt"
	"time"

	"smsplane/bench/peer"
)

// Flood is what a stand did while clients sent as fast as their windows allowed, or at a rate.
type Flood struct {
	Work
	Through float64 `json:"through_tps"`           // messages that ended, from the first submit_sm until nothing was on its way
	CPU     float64 `json:"cpu_us_per_message"`    // of the appliance, all of it
	Cores   float64 `json:"cores_used"`            // by the appliance while the load lasted
	Peers   float64 `json:"cores_used_peers"`      // by client and carriers meanwhile
	Journal float64 `json:"journal_bytes_message"` // written to the store
	PerSync float64 `json:"messages_per_sync"`
	Allocs  float64 `json:"allocations_message"` // objects on the appliance's heap until clients had the last answer and receipt

	Resp    peer.Latency `json:"resp"`
	Arrival peer.Latency `json:"arrival"`
}

// floodOptions say who sends what.
type floodOptions struct {
	clients, binds, window int // binds over all clients, window of each bind
	load                   peer.Load
	over                   time.Duration // send no new message after it; 0: all of load.Count
	early                  bool          // the run may end with messages throttled
	wait                   time.Duration // for everything to end; 0: 2 minutes
	base                   uint64        // messages that were on their way before, and stay

	calm func(ctx context.Context) ([]string, error) // behind the last answer, before all is accounted for; may be nil
}

// flood runs a load to its end and accounts for it.
func (s *stand) flood(ctx context.Context, o floodOptions) (f Flood, problems []string, err error) {
	if o.wait == 0 {
		o.wait = 2 * time.Minute
	}
	before, err := s.look(ctx)
	if err != nil {
		return f, nil, err
	}
	from, err := s.used()
	if err != nil {
		return f, nil, err
	}
	o.clients = max(1, o.clients)
	var runs []*run
	for i := range o.clients {
		l := o.load
		l.Count, l.Rate, l.Duration = max(1, l.Count/int64(o.clients)), l.Rate/float64(o.clients), o.over
		r, err := s.offer(ctx, i, share(o.binds, o.clients, i), o.window, l)
		if err != nil {
			return f, nil, err
		}
		r.ended = o.over > 0 || o.early
		runs = append(runs, r)
	}
	began := time.Now()
	for _, r := range runs {
		if err := r.wait(ctx); err != nil {
			return f, nil, err
		}
	}
	sent := time.Now()
	during, err := s.used()
	if err != nil {
		return f, nil, err
	}
	if o.calm == nil { // else some may be long in coming
		s.awaitReceipts(ctx, runs)
	}
	answered, err := s.look(ctx)
	if err != nil {
		return f, nil, err
	}
	var uneasy []string
	if o.calm != nil {
		if uneasy, err = o.calm(ctx); err != nil {
			return f, uneasy, err
		}
	}
	f.Work, problems, err = s.account(ctx, o.wait, o.base, runs...)
	problems = append(uneasy, problems...)
	if err != nil {
		return f, problems, err
	}
	ended := time.Now()
	to, err := s.used()
	if err != nil {
		return f, problems, err
	}
	after, err := s.look(ctx)
	if err != nil {
		return f, problems, err
	}
	rep := runs[0].client.Report()
	f.Resp, f.Arrival = rep.Resp, rep.Arrival
	n := float64(f.Accepted)
	if n == 0 {
		return f, append(problems, "no message was accepted"), nil
	}
	f.Through = n / ended.Sub(began).Seconds()
	f.CPU = float64((to.appliance - from.appliance).Microseconds()) / n
	f.Cores = (during.appliance - from.appliance).Seconds() / sent.Sub(began).Seconds()
	f.Peers = (during.peers - from.peers).Seconds() / sent.Sub(began).Seconds()
	a, b := &before.status.Journal, &after.status.Journal
	f.Journal = float64(b.Bytes-a.Bytes) / n
	f.Allocs = float64(answered.status.Process.Allocated-before.status.Process.Allocated) / n
	f.PerSync = n / max(1, float64(b.Syncs-a.Syncs))
	return f, problems, nil
}

// awaitReceipts waits for what clients asked for, but not for ever: account says what is missing.
func (s *stand) awaitReceipts(ctx context.Context, runs []*run) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, r := range runs {
		r.client.AwaitReceipts(ctx)
	}
}

// share is part i of n dealt over parts.
func share(n, parts, i int) int { return max(1, (n+parts-1-i)/parts) }

// account waits until the books are settled, but for base messages, then compares what the clients were told with what
// carriers took and with the books. The clients end.
func (s *stand) account(ctx context.Context, wait time.Duration, base uint64, runs ...*run) (w Work, problems []string, err error) {
	st, err := s.settled(ctx, wait, base)
	if err != nil {
		if ctx.Err() != nil || s.appliance.ended() {
			return w, nil, err
		}
		problems = append(problems, err.Error())
	}
	var works []Work
	for _, r := range runs {
		one, bad := r.account(ctx)
		works, problems = append(works, one), append(problems, bad...)
		w.Messages, w.Accepted, w.Arrived = w.Messages+one.Messages, w.Accepted+one.Accepted, w.Arrived+one.Arrived
		w.Lost, w.Twice, w.Receipts = w.Lost+one.Lost, w.Twice+one.Twice, w.Receipts+one.Receipts
		w.Seconds, w.TPS = max(w.Seconds, one.Seconds), w.TPS+one.TPS
	}
	w.Digest = works[0].Digest
	if len(works) > 1 {
		w.Digest = digestOf(works)
	}
	if grown := int64(st.Books.Accepted - runs[0].before.Accepted); grown != w.Accepted {
		problems = append(problems, fmt.Sprintf("the books accepted %d messages, clients were told so of %d", grown, w.Accepted))
	}
	if !st.Books.AddUp() {
		problems = append(problems, fmt.Sprintf("accepted %d is not what became of them, %d, or the ledger sum %d is not zero",
			st.Books.Accepted, becameOf(&st.Books), st.Books.LedgerSumMicro))
	}
	return w, problems, nil
}

// account is one client's: what it was told against what carriers took. The client ends.
func (r *run) account(ctx context.Context) (Work, []string) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r.client.AwaitReceipts(ctx)
	rep, a := r.client.Report(), r.client.Account(r.s.tallies()...)
	r.s.leave(r.client)
	if r.ended {
		rep.GivenUp = 0 // it was told to
	}
	return Work{Messages: rep.Messages, Accepted: rep.Accepted, Arrived: a.Arrived, Lost: a.Lost, Twice: a.Duplicated,
		Receipts: rep.Receipts.Matched, Seconds: rep.Elapsed, TPS: rep.TPS, Digest: a.Digest}, peer.Problems(&rep, &a)
}

// floodAlone runs a load on a stand of its own.
func floodAlone(ctx context.Context, at StandOptions, o floodOptions) (f Flood, problems []string, err error) {
	err = onStand(ctx, at, func(s *stand) (err error) {
		f, problems, err = s.flood(ctx, o)
		return err
	})
	return f, problems, err
}
