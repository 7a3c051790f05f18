package crash

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// clerk decides for a host. What he knows of a lane runs ahead of its book: a decision counts from when it is proposed.
type clerk struct {
	rng   *rand.Rand
	h     *host
	now   int64
	desks [lanes]*desk
}

// desk is what the clerk knows of one lane.
type desk struct {
	l    *lane
	ids  []ledger.MsgID // live, in order of number
	of   map[ledger.MsgID]*note
	runs []uint32 // on disk only, in order
	seq  uint64
	mo   uint64
	run  uint32
	sys  uint32 // accounts and catalogs made

	loaded bool // the open block ends with a LOAD: nobody decides about its messages before it is committed
}

// note is one live message.
type note struct {
	state    book.State
	hold     ledger.Micro
	targets  uint8
	target   uint8
	attempts uint8
	taken    bool
	held     bool
	mo       bool
	run      uint32 // that it is in, on disk only
}

const carriers = 3

// newClerk begins with what the books say.
func newClerk(rng *rand.Rand, h *host) (c *clerk, err error) {
	c = &clerk{rng: rng, h: h, now: h.told.now}
	for i, l := range h.lanes {
		d := &desk{l: l, of: map[ledger.MsgID]*note{}, seq: l.book.NextSeq(), mo: l.book.NextMO().Seq(), run: l.book.NextRun(0)}
		look := func(m *book.Msg, run uint32) error {
			return d.add(m.ID, &note{state: m.State, hold: m.Hold, targets: m.N, target: m.Target, attempts: m.Attempts, taken: m.WasTaken, held: m.Held, mo: m.MO, run: run})
		}
		l.book.Each(0, l.book.Slots()+1, func(m *book.Msg) { err = errors.Join(err, look(m, 0)) })
		for _, r := range l.book.Runs() {
			d.runs = append(d.runs, r.ID)
			err = errors.Join(err, l.book.EachOfRun(r.ID, func(m *book.Msg, _ []byte) error { return look(m, r.ID) }))
		}
		if err != nil {
			return nil, err
		}
		if l.book.System != nil {
			d.sys = max(l.book.System.Version, uint32(len(l.book.System.Accounts)))
		}
		c.desks[i] = d
	}
	return c, nil
}

func (d *desk) add(id ledger.MsgID, n *note) error {
	at, twice := slices.BinarySearch(d.ids, id)
	if twice {
		return fmt.Errorf("message %v is live twice: %+v and %+v", id, *d.of[id], *n)
	}
	d.ids = slices.Insert(d.ids, at, id)
	d.of[id] = n
	return nil
}

// new adds a message of the clerk's own.
func (d *desk) new(id ledger.MsgID, n *note) {
	if err := d.add(id, n); err != nil {
		panic(err)
	}
}

func (d *desk) drop(id ledger.MsgID) {
	at, _ := slices.BinarySearch(d.ids, id)
	d.ids = slices.Delete(d.ids, at, at+1)
	delete(d.of, id)
}

// pick is some message that fits, 0 when none does.
func (c *clerk) pick(d *desk, fits func(n *note) bool) (ledger.MsgID, *note) {
	if len(d.ids) == 0 {
		return 0, nil
	}
	for at, k := c.rng.IntN(len(d.ids)), 0; k < len(d.ids); k++ {
		id := d.ids[(at+k)%len(d.ids)]
		if n := d.of[id]; n.run == 0 && fits(n) {
			return id, n
		}
	}
	return 0, nil
}

func in(states ...book.State) func(n *note) bool {
	return func(n *note) bool { return !n.mo && slices.Contains(states, n.state) }
}

// textOf is what a message says: the judge knows it from the id alone, and how often it was replaced.
func textOf(id ledger.MsgID, at int64) []byte { return fmt.Appendf(nil, "%v of %d", id, at) }

func body(id ledger.MsgID, at int64) []byte {
	s := pdu.Submit{Src: []byte("me"), Dst: fmt.Appendf(nil, "49151%08d", id.Seq()), DstTON: 1, DstNPI: 1, Registered: 1, Text: textOf(id, at)}
	return s.Append(nil, 1)
}

// act makes one decision, or lets the host do one of its own works.
func (c *clerk) act() error {
	c.now += int64(c.rng.IntN(4000)) * int64(time.Millisecond)
	c.h.mu.Lock()
	c.h.told.now = c.now
	c.h.mu.Unlock()
	d := c.desks[c.rng.IntN(lanes)]
	switch k := c.rng.IntN(100); {
	case k < 58:
		c.decide(d)
		if c.rng.IntN(4) == 0 || len(d.l.open) > 8<<10 || d.loaded {
			d.loaded = false
			return d.l.cut(c.now)
		}
		return nil
	case k < 70:
		c.h.db.Step(1 + c.rng.IntN(6))
		return nil
	case k < 82:
		c.h.db.Sync()
		return d.l.work()
	case k < 86:
		return d.l.work()
	}
	return c.upkeep(d)
}

func (d *desk) begin() []byte {
	if d.l.records == 0 {
		d.l.open = ledger.OpenBlock(nil)
	}
	d.l.records++
	return d.l.open
}

// decide appends one or a few records to the lane's open block.
func (c *clerk) decide(d *desk) {
	decisions := [...]func(d *desk){c.accept, c.accept, c.accept, c.route, c.route, c.route, c.dispatch, c.dispatch, c.dispatch, c.answer, c.answer,
		c.answer, c.end, c.end, c.returns, c.returns, c.doubt, c.replace, c.operate, c.move, c.load, c.load, c.mobile, c.system, c.giveUp}
	decisions[c.rng.IntN(len(decisions))](d)
}

func (c *clerk) accept(d *desk) {
	for range 1 + c.rng.IntN(6) {
		id := ledger.MakeMsgID(d.l.n, d.seq)
		d.seq++
		hold := ledger.Micro(c.rng.IntN(9))
		d.l.open = ledger.AppendAccept(d.begin(), uint8(c.rng.IntN(5)), id, c.now, &ledger.Accept{Account: 1 + uint32(c.rng.IntN(3)), Class: ledger.Class(c.rng.IntN(ledger.Classes)),
			Parts: 1, Registered: 1, Price: hold, Number: 4915100000000 + id.Seq(), ValidUntil: c.now + int64(time.Hour), PDU: body(id, c.now)})
		d.new(id, &note{state: book.StateAccepted, hold: hold})
	}
}

func (c *clerk) route(d *desk) {
	for range 1 + c.rng.IntN(5) {
		id, n := c.pick(d, in(book.StateAccepted))
		if n == nil || n.held {
			return
		}
		r := ledger.Route{CommittedAt: c.now, RoutedAt: c.now, N: uint8(1 + c.rng.IntN(3))}
		for i := range r.Targets[:r.N] {
			r.Targets[i] = ledger.PlanTarget{Carrier: uint16(1 + (i+c.rng.IntN(carriers))%carriers), Tier: 1, Weight: 1, Buy: 3}
		}
		d.l.open = ledger.AppendRoute(d.begin(), 1, id, c.now, &r)
		n.state, n.targets, n.target = book.StateRouted, r.N, 0
	}
}

func (c *clerk) dispatch(d *desk) {
	for range 1 + c.rng.IntN(5) {
		id, n := c.pick(d, in(book.StateRouted, book.StateDoubt))
		if n == nil || n.held {
			return
		}
		flags := uint8(0)
		if n.state == book.StateDoubt {
			flags = ledger.FlagResend
		}
		n.attempts++
		d.l.open = ledger.AppendDispatch(d.begin(), 2, flags, id, c.now, &ledger.Dispatch{Carrier: uint16(1 + c.rng.IntN(carriers)), Target: n.target, Attempt: n.attempts, Session: 7, Buy: 3})
		n.state = book.StateDispatched
	}
}

func (c *clerk) answer(d *desk) {
	for range 1 + c.rng.IntN(5) {
		id, n := c.pick(d, in(book.StateDispatched, book.StateDoubt))
		if n == nil {
			return
		}
		a := ledger.Answer{Outcome: ledger.Taken, Cost: ledger.Micro(c.rng.IntN(4)), CarrierID: fmt.Appendf(nil, "%x", c.rng.Uint32())}
		n.taken = true
		if k := c.rng.IntN(6); k < 2 && n.state == book.StateDispatched {
			a = ledger.Answer{Status: 0x58, Outcome: ledger.Retry, Target: n.target, Due: c.now + int64(time.Second)}
			if k == 1 && n.target+1 < n.targets {
				a.Outcome, a.Target = ledger.Next, n.target+1
				n.target++
			}
			n.taken = false
		}
		d.l.open = ledger.AppendAnswer(d.begin(), 2, id, c.now, &a)
		n.state = book.StateTaken
		if a.Outcome != ledger.Taken {
			n.state = book.StateRouted
		}
	}
}

func (c *clerk) doubt(d *desk) {
	if id, n := c.pick(d, in(book.StateDispatched)); n != nil {
		d.l.open = ledger.AppendDoubt(d.begin(), 2, id, c.now, ledger.Policy(1+c.rng.IntN(3)), n.target)
		n.state = book.StateDoubt
	}
}

// end lets receipts decide, once inferred ones.
func (c *clerk) end(d *desk) {
	for range 1 + c.rng.IntN(4) {
		id, n := c.pick(d, in(book.StateTaken, book.StateDoubt))
		if n == nil {
			return
		}
		r := ledger.Receipt{State: uint8(pdu.StateDelivered), Done: c.now, Cost: ledger.Micro(c.rng.IntN(2)), ID: []byte("r"), Inferred: n.state == book.StateDoubt}
		d.l.open = ledger.AppendReceipt(d.begin(), 3, id, c.now, &r)
		n.taken = true
		c.final(d, id, n, ledger.EndDelivered, ledger.ReasonReceipt)
	}
}

// giveUp ends a message that nobody delivered.
func (c *clerk) giveUp(d *desk) {
	id, n := c.pick(d, in(book.StateAccepted, book.StateRouted, book.StateTaken, book.StateDoubt))
	switch {
	case n == nil:
	case n.state == book.StateTaken || n.state == book.StateDoubt:
		c.final(d, id, n, ledger.EndUnknown, ledger.ReasonReceiptWait)
	default:
		c.final(d, id, n, ledger.EndExpired, ledger.ReasonValidity)
	}
}

func (c *clerk) final(d *desk, id ledger.MsgID, n *note, end ledger.End, why ledger.Reason) {
	f := ledger.Final{End: end, Reason: why, Hold: n.hold, Return: c.rng.IntN(3) > 0}
	if c.rng.IntN(2) == 0 {
		f.Charge = n.hold
	}
	d.l.open = ledger.AppendFinal(d.begin(), 4, id, c.now, &f)
	if n.state = book.StateEnded; !f.Return {
		d.drop(id)
	}
}

func (c *clerk) returns(d *desk) {
	for range 1 + c.rng.IntN(4) {
		id, n := c.pick(d, func(n *note) bool { return n.state == book.StateEnded })
		if n == nil {
			return
		}
		d.l.open = ledger.AppendReturn(d.begin(), 4, id, c.now, &ledger.Return{Session: uint32(c.rng.IntN(3))})
		d.drop(id)
	}
}

func (c *clerk) replace(d *desk) {
	if id, n := c.pick(d, in(book.StateAccepted, book.StateRouted)); n != nil {
		n.hold, n.state, n.targets, n.target = ledger.Micro(c.rng.IntN(9)), book.StateAccepted, 0, 0
		d.l.open = ledger.AppendReplace(d.begin(), 0, id, c.now, &ledger.Replace{Parts: 1, Registered: 1, Price: n.hold, ValidUntil: c.now + int64(time.Hour), PDU: body(id, c.now)})
	}
}

// operate holds, releases, plans anew or purges a few messages.
func (c *clerk) operate(d *desk) {
	o := ledger.Operator{Action: ledger.Action(1 + c.rng.IntN(int(ledger.ActionPurge))), Author: []byte("clerk"), Reason: []byte("at random")}
	seen := map[ledger.MsgID]bool{}
	var purged []ledger.MsgID
	for range 1 + c.rng.IntN(4) {
		id, n := c.pick(d, in(book.StateAccepted, book.StateRouted, book.StateDoubt))
		if n == nil || seen[id] {
			break
		}
		seen[id] = true
		o.IDs = append(o.IDs, id)
		switch o.Action {
		case ledger.ActionHold:
			n.held = true
		case ledger.ActionReroute:
			n.held, n.state, n.targets, n.target = false, book.StateAccepted, 0, 0
		case ledger.ActionPurge:
			n.held = false
			purged = append(purged, id)
		default:
			n.held = false
		}
	}
	if len(o.IDs) == 0 {
		return
	}
	d.l.open = ledger.AppendOperator(d.begin(), c.now, &o)
	for _, id := range purged {
		c.final(d, id, d.of[id], ledger.EndFailed, ledger.ReasonOperator)
	}
}

// move lets a part of a queue leave memory.
func (c *clerk) move(d *desk) {
	q, state := ledger.RunInternal, book.StateRouted
	if c.rng.IntN(3) == 0 {
		q, state = ledger.RunExternal, book.StateAccepted
	}
	m := ledger.Move{Run: d.run, Order: d.run, Queue: q, Carrier: 1}
	most := 1 + c.rng.IntN(12)
	for _, id := range d.ids {
		if n := d.of[id]; n.run == 0 && !n.held && !n.mo && n.state == state && most > 0 {
			m.IDs = ledger.AppendID(m.IDs, id)
			n.run = d.run
			most--
		}
	}
	if len(m.IDs) > 0 {
		d.l.open = ledger.AppendMove(d.begin(), c.now, &m)
		d.runs = append(d.runs, d.run)
		d.run++
	}
}

func (c *clerk) load(d *desk) {
	if len(d.runs) == 0 {
		return
	}
	at := c.rng.IntN(len(d.runs))
	run := d.runs[at]
	d.runs = slices.Delete(d.runs, at, at+1)
	d.l.open = ledger.AppendLoad(d.begin(), c.now, run)
	d.loaded = true
	for _, n := range d.of {
		if n.run == run {
			n.run = 0
		}
	}
}

// mobile takes a message from a carrier.
func (c *clerk) mobile(d *desk) {
	id := ledger.MakeMsgID(d.l.n, d.mo)
	d.mo++
	s := pdu.Submit{Command: pdu.DeliverSM, Src: []byte("491511"), Dst: []byte("me"), Text: textOf(id, c.now)}
	d.l.open = ledger.AppendMO(d.begin(), 1, id, c.now, &ledger.MO{Account: 1, Carrier: 2, PDU: s.Append(nil, 1)})
	d.new(id, &note{state: book.StateEnded, mo: true})
}

// system is what only lane 0 does.
func (c *clerk) system(d *desk) {
	if d.l.n != 0 {
		return
	}
	switch d.sys++; c.rng.IntN(3) {
	case 0:
		d.l.open = ledger.AppendAccount(d.begin(), c.now, &ledger.Account{Party: ledger.PartyClient, Number: d.sys, Lane: uint16(d.sys) % lanes, Name: fmt.Appendf(nil, "client%d", d.sys)})
	case 1:
		d.l.open = ledger.AppendCatalog(d.begin(), c.now, &ledger.Catalog{Version: d.sys, Author: []byte("clerk"), Files: ledger.EncodeFiles(map[string][]byte{"a": fmt.Appendf(nil, "%d", d.sys)})})
	default:
		d.l.open = ledger.AppendOrphan(d.begin(), c.now, 2, fmt.Appendf(nil, "receipt %d", d.sys))
	}
}
