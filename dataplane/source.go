package dataplane

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sort"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/entry"
	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/router"
)

// source answers operators: from a running node, or from the store of one that does not run. do runs a
// question where the books may be read; it is false when the node is not there yet, or gone.
type source struct {
	n      *Node // its loops, links and lobby are nil when the node does not run
	do     func(f func()) bool
	broken error // the store is damaged: nothing can be folded, and only what needs no fold is answered
}

func (n *Node) source() *source {
	return &source{n: n, do: func(f func()) bool {
		st := n.state.Load()
		return (st == stateServing || st == stateDraining) && n.x.call(f)
	}}
}

var errNotNow = admin.Unavailable("the node is starting or stopping; ask again")

// ask runs f where the books may be read.
func (s *source) ask(f func(x *executor) error) (err error) {
	if s.broken != nil {
		return s.broken
	}
	if !s.do(func() { err = f(s.n.x) }) {
		return errNotNow
	}
	return err
}

// Ready implements admin.Source.
func (s *source) Ready() bool { return s.n.ready.Load() || s.n.passes() }

// buildVersion is what this binary was built from.
func buildVersion() string {
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, v := range b.Settings {
		if v.Key == "vcs.revision" {
			return v.Value[:min(len(v.Value), 12)]
		}
	}
	return b.Main.Version
}

// Status implements admin.Source.
func (s *source) Status(ctx context.Context) (admin.Status, error) {
	state, _ := s.n.state.Load().(string)
	st := admin.Status{Node: s.n.cfg.Name, Version: buildVersion(), State: state, Started: s.n.started}
	if state == stateStarting || state == stateWitnessing {
		st.Layers, st.Recovery = s.starting(), s.n.progress.get()
		if st.Cluster = s.n.cluster(); st.Cluster != nil {
			st.Cluster.Quorum = state == stateWitnessing
		}
		if state == stateWitnessing {
			st.Journal, st.Process = s.journal(), process()
		}
		return st, nil
	}
	loops := s.loops()
	st.Cluster = s.n.cluster()
	err := s.ask(func(x *executor) error {
		x.muster(st.Cluster)
		st.Books = x.books()
		st.Alerts = addAlerts(loops.alerts, x.alerts)
		st.Layers = x.layers(s.n, loops)
		st.Lanes = x.laneStatus()
		st.Queues = x.queues()
		st.Threads = s.n.threadStatus(loops.duties)
		sys := x.lanes[0].book.System
		st.Catalog = admin.CatalogStatus{Version: sys.Version, Author: sys.Author, Folder: s.n.cfg.Catalog}
		if sys.AppliedAt > 0 {
			st.Catalog.Applied = time.Unix(0, sys.AppliedAt).UTC()
		}
		return nil
	})
	if err != nil {
		return st, err
	}
	st.Sessions = loops.sessions
	st.Journal, st.Process = s.journal(), process()
	s.n.folder.differs(&st.Catalog, s.n.x.shared.Load().Catalog())
	st.Links, err = s.Links(ctx)
	return st, err
}

func (s *source) starting() (ls []admin.LayerStatus) {
	for _, name := range layerNames {
		ls = append(ls, admin.LayerStatus{Name: name})
	}
	return ls
}

// books adds the lanes up. The identity of the counts is checked by Audit, not made here: what is in flight
// is counted message by message.
func (x *executor) books() (b admin.Books) {
	var sum ledger.Micro
	for _, l := range x.lanes {
		c := &l.book.Counts
		b.Accepted += c.Accepted
		b.Delivered += c.Ends[ledger.EndDelivered]
		b.Failed += c.Ends[ledger.EndFailed]
		b.Expired += c.Ends[ledger.EndExpired]
		b.Sent += c.Ends[ledger.EndSent]
		b.Unknown += c.Ends[ledger.EndUnknown]
		b.InFlight += inFlight(l.book)
		b.InDoubt += uint64(l.book.Live[book.StateDoubt])
		b.Resent += c.Resent
		b.ReceiptsReturned += c.Returned
		b.ReceiptsParked += uint64(l.book.Parked)
		sum += l.book.Sum()
	}
	b.LedgerSumMicro = int64(sum)
	return b
}

var layerNames = [...]string{"security", "entry", "external", "router", "internal", "verifier", "egress", "billing"}

// loopFacts is what the loops know, copied on each of them.
type loopFacts struct {
	counts   entry.Counts
	sessions admin.Sessions
	rate     float64
	alerts   admin.Alerts
	duties   []float64 // by loop; -1: not known
}

// loops asks every loop; one that does not answer in time is left out.
func (s *source) loops() (f loopFacts) {
	f.duties = slices.Repeat([]float64{-1}, len(s.n.loops))
	if s.n.engine == nil {
		return f
	}
	for i, l := range s.n.loops {
		got := make(chan loopFacts, 1)
		if !s.n.engine.Post(l.index, func() {
			p := loopFacts{counts: l.desk.Counts, rate: l.accepted.perSecond(), alerts: l.alerts, duties: []float64{l.duty}}
			p.sessions.Bound = len(l.clients)
			for _, c := range l.clients {
				if c.bind.Receives() {
					p.sessions.Receiver++
				}
			}
			got <- p
		}) {
			continue
		}
		select {
		case p := <-got:
			f.duties[i] = p.duties[0]
			f.counts.Accepted += p.counts.Accepted
			for why, n := range p.counts.Refused {
				f.counts.Refused[why] += n
			}
			f.counts.Latency.Merge(&p.counts.Latency)
			f.rate += p.rate
			f.alerts = addAlerts(f.alerts, p.alerts)
			f.sessions.Bound += p.sessions.Bound
			f.sessions.Receiver += p.sessions.Receiver
		case <-time.After(time.Second):
		}
	}
	if s.n.lobby != nil {
		f.sessions.PreBind = s.n.lobby.Stats().Pending
	}
	return f
}

// layers tells the eight layers in the order in which a message passes them.
func (x *executor) layers(n *Node, f loopFacts) []admin.LayerStatus {
	w := n.cfg.Workers
	security := admin.LayerStatus{Name: layerNames[0], Workers: 1}
	if n.lobby != nil {
		st := n.lobby.Stats()
		security.Messages = st.Accepted
		security.Reasons = map[string]uint64{"denied": st.Denied, "connections": st.TooMany + st.TooManySource + st.Full, "no TLS": st.Handshake, "no bind in time": st.Timeout,
			"garbage": st.Garbage, "not a bind": st.NotBind, "bind refused": st.Refused}
		security.Refusals = total(security.Reasons)
		p50, p99 := n.admissions.quantiles()
		security.P50, security.P99 = ms(p50), ms(p99)
	}
	in := admin.LayerStatus{Name: layerNames[1], Workers: w.Entry.Count, Messages: f.counts.Accepted, TPS: f.rate, Limit: float64(w.Entry.Count * w.Entry.TPS),
		P50: ms(f.counts.Latency.Quantile(.5)), P99: ms(f.counts.Latency.Quantile(.99)), Reasons: map[string]uint64{}}
	for i, k := range f.counts.Refused {
		if k > 0 {
			in.Reasons[entry.Refused(i).String()] = k
			in.Refusals += k
		}
	}
	internal := x.status(x.verifiers, layerNames[4])
	internal.Workers, internal.Limit, internal.Refusals, internal.Paused = 1, 0, 0, false
	internal.P50, internal.P99 = ms(x.senders.latency.Quantile(.5)), ms(x.senders.latency.Quantile(.99))
	out := x.status(x.senders, layerNames[6])
	out.P50, out.P99 = ms(x.answers.Quantile(.5)), ms(x.answers.Quantile(.99))
	out.Refusals = x.counts.refusedByCarriers
	bill := x.status(x.billers, layerNames[7])
	bill.Reasons = map[string]uint64{}
	for reason, n := range map[string]uint64{"orphan dropped": x.lanes[0].book.System.Dropped, "receipt given up": x.counts.givenUp,
		"mobile originated": x.counts.mobileRefused} {
		if n > 0 {
			bill.Reasons[reason] = n
		}
	}
	return []admin.LayerStatus{security, in, x.status(x.external, layerNames[2]), x.status(x.routers, layerNames[3]), internal,
		x.status(x.verifiers, layerNames[5]), out, bill}
}

func (x *executor) status(l *layer, name string) admin.LayerStatus {
	return admin.LayerStatus{Name: name, Workers: len(l.workers), Messages: l.messages, TPS: l.rate.perSecond(), Limit: float64(len(l.workers) * l.tps),
		P50: ms(l.latency.Quantile(.5)), P99: ms(l.latency.Quantile(.99)), Refusals: l.refused, Paused: l.paused}
}

func ms(ns int64) float64 { return float64(ns) / 1e6 }

func total(m map[string]uint64) (n uint64) {
	for _, k := range m {
		n += k
	}
	return n
}

func (x *executor) laneStatus() (ls []admin.LaneStatus) {
	for _, l := range x.lanes {
		accounts := 0
		for _, a := range x.accounts {
			if a.Lane == l.n {
				accounts++
			}
		}
		st := admin.LaneStatus{Lane: l.n, Leader: l.leading, Applied: l.book.Applied(), First: l.log.First(), Resident: l.log.Resident(), Accounts: accounts}
		if l.rep != nil {
			st.Committed, st.Term = l.rep.Committed(), l.log.Vote().Term
		}
		l.ranked(&st)
		ls = append(ls, st)
	}
	return ls
}

// queues lists what waits, by lane: before the router, before and behind the verifier, towards clients.
func (x *executor) queues() (qs []admin.QueueInfo) {
	add := func(q admin.QueueInfo, l *lane, depth int, oldest int64) {
		if q.Depth = depth; depth > 0 {
			q.Lane = l.n
			q.OldestAge = float64(x.now-oldest) / 1e9
			qs = append(qs, q)
		}
	}
	list := func(q admin.QueueInfo, l *lane, list *book.List) {
		if m := l.book.Front(list); m != nil {
			add(q, l, list.Len(), m.Accepted)
		}
	}
	for _, l := range x.lanes {
		add(admin.QueueInfo{Queue: "external"}, l, l.routing.Len(), l.routing.oldest(l.book))
		list(admin.QueueInfo{Queue: "verifier"}, l, &l.verifying)
		list(admin.QueueInfo{Queue: "held"}, l, &l.kept)
		for n, classes := range l.queues {
			for c := range classes {
				q := &classes[c]
				add(admin.QueueInfo{Queue: "internal", Carrier: x.carrierName(n), Class: ledger.Class(c).String()}, l, q.Len(), q.oldest(l.book))
			}
		}
		for id := range l.aside {
			if r := l.book.RunOf(id); r != nil {
				add(admin.QueueInfo{Queue: "damaged", Carrier: x.carrierName(r.Carrier), Class: r.Class.String()}, l, int(r.Count), r.Oldest)
			}
		}
		for account, r := range l.returns {
			list(admin.QueueInfo{Queue: "receipts", Client: x.clientName(account)}, l, &r.fresh)
			list(admin.QueueInfo{Queue: "backlog", Client: x.clientName(account)}, l, &r.backlog)
			aside := "set_aside"
			if account == nobody {
				aside = "unrouted"
			}
			list(admin.QueueInfo{Queue: aside, Client: x.clientName(account)}, l, &r.aside)
		}
		if k := len(l.resting); k > 0 {
			qs = append(qs, admin.QueueInfo{Queue: "resting", Lane: l.n, Depth: k})
		}
	}
	sort.Slice(qs, func(i, j int) bool {
		a, b := qs[i], qs[j]
		return fmt.Sprint(a.Lane, a.Queue, a.Carrier, a.Client, a.Class) < fmt.Sprint(b.Lane, b.Queue, b.Carrier, b.Client, b.Class)
	})
	return qs
}

func (x *executor) carrierName(n uint16) string { return x.name(ledger.PartyCarrier, uint32(n)) }
func (x *executor) clientName(n uint32) string  { return x.name(ledger.PartyClient, n) }

// name is what the catalog calls an account number; the number itself for none.
func (x *executor) name(p ledger.Party, n uint32) string {
	switch name, ok := x.lanes[0].book.System.Name(p, n); {
	case ok:
		return name
	case n == 0:
		return ""
	}
	return fmt.Sprintf("#%d", n)
}

// Queues implements admin.Source.
func (s *source) Queues(context.Context) (qs []admin.QueueInfo, err error) {
	err = s.ask(func(x *executor) error {
		qs = x.queues()
		return nil
	})
	return qs, err
}

// unanswered asks the loops how many messages each session has written and heard nothing of.
func (s *source) unanswered() map[uint32]int {
	all := map[uint32]int{}
	for _, l := range s.n.loops {
		got := make(chan map[uint32]int, 1)
		count := func() {
			of := make(map[uint32]int, len(l.links))
			for id, k := range l.links {
				of[id] = k.sess.Unanswered()
			}
			got <- of
		}
		if s.n.engine == nil {
			count()
		} else if !s.n.engine.Post(l.index, count) {
			continue
		}
		select {
		case of := <-got:
			maps.Copy(all, of)
		case <-time.After(time.Second):
		}
	}
	return all
}

// Links implements admin.Source.
func (s *source) Links(context.Context) (ls []admin.LinkInfo, err error) {
	ls = []admin.LinkInfo{}
	if s.n.links == nil {
		return ls, nil
	}
	ids, unanswered := []uint32{}, s.unanswered()
	s.n.links.each(func(kp *keeper) {
		kp.mu.Lock()
		defer kp.mu.Unlock()
		ids = append(ids, kp.session)
		ls = append(ls, admin.LinkInfo{Carrier: kp.link.carrier, Link: kp.link.index, Session: kp.slot, Address: kp.address, State: kp.state,
			Since: kp.since.UTC(), Reason: kp.reason, Window: kp.link.decl.Window, Limit: float64(kp.link.decl.TPS), Unanswered: unanswered[kp.session]})
	})
	err = s.ask(func(x *executor) error {
		for i, id := range ids {
			if v := x.links[id]; v != nil {
				ls[i].InFlight, ls[i].Sent, ls[i].Answered, ls[i].Refused = v.out, v.sent, v.answered, v.refused
				ls[i].IDRule, ls[i].IDRuleBy = v.link.ids.Rule()
				ls[i].Receipts, ls[i].MatchRate = v.link.ids.Matched+v.link.ids.Orphaned, v.link.ids.MatchRate()
				ls[i].TPS = v.link.rate.perSecond() / float64(max(1, v.link.decl.Sessions))
				ls[i].RoundTrip, ls[i].Bears, ls[i].Why = ms(v.trip), v.link.adapt.Limit(), v.why(x, ls[i].Unanswered, x.now)
				ls[i].CarrierLimit, ls[i].CarrierWindow = float64(v.carrier.tps), v.carrier.window
			}
		}
		return nil
	})
	slices.SortFunc(ls, func(a, b admin.LinkInfo) int {
		if c := compare(a.Carrier, b.Carrier); c != 0 {
			return c
		}
		return 1000*(a.Link-b.Link) + a.Session - b.Session
	})
	return ls, err
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Apply implements admin.Source.
func (s *source) Apply(_ context.Context, a admin.Application) (r admin.ApplyResult, err error) {
	r.Changes, r.Problems = []string{}, []string{}
	if s.n.links == nil {
		return r, admin.Unavailable("a catalog is applied by a running node; start it first")
	}
	if s.n.state.Load() != stateServing {
		return r, errNotNow
	}
	if !a.Dry {
		if err := s.ask(func(x *executor) error { return x.mustLead(x.lanes[0]) }); err != nil {
			return r, err
		}
	}
	changes, err := s.n.applyCatalog(a.Files, a.Dry, a.Author)
	var ps interface{ Strings() []string }
	if errors.As(err, &ps) {
		r.Problems = ps.Strings()
		err = nil
	}
	r.Changes = lines(changes)
	r.Version = s.n.x.shared.Load().Version()
	r.Applied = err == nil && !a.Dry && len(r.Problems) == 0 && len(changes) > 0
	return r, err
}

// Explain implements admin.Source.
func (s *source) Explain(_ context.Context, client, from, to string) (e admin.Explain, err error) {
	err = s.ask(func(x *executor) error {
		row, ok := x.lanes[0].book.System.Number(ledger.PartyClient, client)
		c := x.table.ClientOf(row.Number)
		if !ok || c == nil {
			return admin.NotFound("there is no client %q", client)
		}
		ton := uint8(0)
		n, _ := router.Normalize([]byte(to), ton, 0, c.Country)
		e = x.table.Explain(row.Number, []byte(from), n, x.table.ClassOf(row.Number, n, c.ClassOf([]byte(from))), x.now, x.recent)
		return nil
	})
	return e, err
}

// Layer implements admin.Source.
func (s *source) Layer(_ context.Context, name, action string) error {
	if s.n.links == nil {
		return admin.Unavailable("the node does not run")
	}
	return s.ask(func(x *executor) error {
		l := map[string]*layer{"router": x.routers, "verifier": x.verifiers, "egress": x.senders}[name]
		if l == nil {
			return admin.BadRequest("layer %q cannot be paused: router, verifier or egress", name)
		}
		switch action {
		case "pause":
			l.paused = true
		case "resume":
			l.paused = false
		default:
			return admin.BadRequest("action %q: pause or resume", action)
		}
		x.rememberPauses()
		x.log.Info("layer "+action+"d by an operator", "layer", name)
		return nil
	})
}
