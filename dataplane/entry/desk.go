package entry

import (
	"sync/atomic"
	"time"

	"smsplane/egress"
	"smsplane/ledger"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
	"smsplane/pdu/profile"
	"smsplane/router"
)

// Up is where a desk's decisions go: the executor, over the loop's ring.
type Up interface {
	// Block is a sealed block of a lane, to be proposed in this order.
	Block(lane uint16, block []byte)
	// Answered is a client's answer to a deliver_sm; Unanswered one that will not come: the client is silent, or
	// the session ended or cannot take it.
	Answered(session uint32, id ledger.MsgID, st pdu.Status)
	Unanswered(session uint32, id ledger.MsgID, silent bool)
	// Asked is a query_sm, cancel_sm or replace_sm about a message of the client, or a query_broadcast_sm or
	// cancel_broadcast_sm about a broadcast of it; p is the call's to read.
	// It is answered through Session.Answer.
	Asked(session uint32, lane uint16, account, seq uint32, p []byte)
}

// worker is one of the layer's workers: binds are dealt to them, and each admits at most its rating. What is refused does not count.
type worker struct {
	bucket egress.Bucket
	binds  int
}

// workerDepth is how deep a rated worker's bucket is.
const workerDepth = 100 * time.Millisecond

// Counts of a desk since start.
type Counts struct {
	Accepted uint64
	Refused  [Refusals]uint64
	Latency  Histogram // submit_sm read to submit_sm_resp written
}

// Desk admits messages on one loop.
type Desk struct {
	Counts Counts
	// Draining refuses every new message: the node stops.
	Draining bool
	// Ceding puts every new message off with ESME_RTHROTTLED: another host is about to lead.
	Ceding bool
	// Full refuses new messages with ESME_RMSGQFUL: the store or its disk has reached a bound.
	Full bool
	// First is the number of the desk's first worker in the layer.
	First uint8
	// MaxWaiting bounds a client's messages between accept and carrier.
	MaxWaiting int64
	// Ordered is how many messages of in_order clients wait between accept and carrier; they stay in memory, so they have
	// a bound of their own, all together, and half of it each. nil: none.
	Ordered    *atomic.Int64
	MaxOrdered int64
	// Live is how many messages of all clients are in memory. A client may have as many with carriers as are left of MaxLive, so
	// that who gets no receipts leaves room to the others. nil: none.
	Live    *atomic.Int64
	MaxLive int64

	up      Up
	table   func() *router.Table
	lanes   []*Lane // by lane number; nil for those of other loops
	workers []worker
	view    pdu.Message
	accept  ledger.Accept
	idText  []byte
	copy    []byte                   // one message of a submit_multi
	multis  map[ledger.MsgID][]byte  // answers to submit_multi, by the last message
	ends    map[ledger.MsgID]pending // transactions whose message has not ended
	pacing  []*Session               // that have messages above their client's rate
	kept    []*Session               // scratch of Pace
}

// NewDesk makes a desk of rated workers (tps 0: unrated) that serves the lanes given.
func NewDesk(up Up, table func() *router.Table, lanes []*Lane, workers, tps int) *Desk {
	d := &Desk{up: up, table: table, lanes: lanes, workers: make([]worker, workers), MaxWaiting: 1 << 62,
		multis: map[ledger.MsgID][]byte{}, ends: map[ledger.MsgID]pending{}}
	for i := range d.workers {
		d.workers[i].bucket = egress.NewBucket(tps, workerDepth)
	}
	return d
}

// Close stops a lane that is not led here: nothing enters it, and those who wait for an answer get none. Lead
// lets it begin, with the sequence for its next message. Closed says that nothing enters now.
func (d *Desk) Close(lane uint16) {
	d.lanes[lane].close()
	for id := range d.multis {
		if id.Lane() == lane {
			delete(d.multis, id)
		}
	}
	for id := range d.ends {
		if id.Lane() == lane {
			delete(d.ends, id)
		}
	}
}

func (d *Desk) Lead(lane uint16, next uint64) { d.lanes[lane].lead(next) }

// Cramp refuses new messages of a lane with ESME_RMSGQFUL, or takes them again: they would have to be kept by another host, too,
// whose disk has reached its reserve.
func (d *Desk) Cramp(lane uint16, cramped bool) { d.lanes[lane].cramped = cramped }

func (d *Desk) Has(lane uint16) bool    { return int(lane) < len(d.lanes) && d.lanes[lane] != nil }
func (d *Desk) Closed(lane uint16) bool { return !d.Has(lane) || d.lanes[lane].closed }

// Workers is the number of the layer's workers at this desk.
func (d *Desk) Workers() int { return len(d.workers) }

// deal gives a bind to the worker with the fewest.
func (d *Desk) deal() uint8 {
	best := 0
	for i := range d.workers {
		if d.workers[i].binds < d.workers[best].binds {
			best = i
		}
	}
	d.workers[best].binds++
	return uint8(best)
}

// Client is what the catalog in force says of an account, nil when that has left it.
func (d *Desk) Client(account uint32) *catalog.Client { return d.table().ClientOf(account) }

func (d *Desk) refuse(why Refused, st pdu.Status) pdu.Status {
	d.Counts.Refused[why]++
	return st
}

// submit decides about one submit_sm, data_sm, submit_multi or broadcast_sm. ROK means that it will be answered: it is in the
// open block, or waits for its client's rate.
func (d *Desk) submit(s *Session, h pdu.Header, p []byte, now int64) pdu.Status {
	c := d.table().ClientOf(s.Account.Number)
	if c != nil && h.Command == pdu.SubmitMulti && c.OverRate != catalog.Pace { // each of its messages by itself
		return d.submitMulti(s, h, p, now)
	}
	if c != nil && (s.late.listed || !s.Account.take(now, c.TPS)) {
		if c.OverRate == catalog.Pace && d.hold(s, p) {
			return pdu.ROK
		}
		return d.refuse(RefusedRate, pdu.RThrottled)
	}
	return d.submitNow(s, c, h, p, now)
}

// submitNow is submit of what the client's rate has let through.
func (d *Desk) submitNow(s *Session, c *catalog.Client, h pdu.Header, p []byte, now int64) pdu.Status {
	switch h.Command {
	case pdu.SubmitMulti:
		return d.submitMulti(s, h, p, now)
	case pdu.BroadcastSM:
		return d.broadcast(s, h, p, now)
	}
	l := d.lanes[s.Account.Lane]
	st := d.ready(s, c, l, now)
	if st == pdu.ROK {
		st = d.check(s, c, p, now)
	}
	if st == pdu.ROK {
		d.enter(s, l, p, ticket{s: s, command: h.Command, seq: h.Sequence, at: now, wait: d.accept.Transact})
	}
	return st
}

// ready says whether a message may come in now at all.
func (d *Desk) ready(s *Session, c *catalog.Client, l *Lane, now int64) pdu.Status {
	switch {
	case d.Draining || l.closed:
		return d.refuse(RefusedDraining, pdu.RSysErr)
	case d.Ceding:
		return d.refuse(RefusedDraining, pdu.RThrottled)
	case c == nil:
		return d.refuse(RefusedDraining, pdu.RInvBndSts) // its account left the catalog; the bind is about to end
	case d.workers[s.worker].bucket.Whole(now) == 0:
		return d.refuse(RefusedWorker, pdu.RThrottled)
	case l.slow(now):
		return d.refuse(RefusedSlow, pdu.RThrottled)
	case d.Full || l.cramped || s.Account.Waiting.Load() >= d.MaxWaiting:
		return d.refuse(RefusedFull, pdu.RMsgQFul)
	case d.Live != nil && d.Live.Load()+s.Account.Awaited.Load() >= d.MaxLive:
		return d.refuse(RefusedFull, pdu.RMsgQFul)
	case c.InOrder && d.Ordered != nil && (s.Account.Waiting.Load() >= d.MaxOrdered/2 || d.Ordered.Load() >= d.MaxOrdered):
		return d.refuse(RefusedFull, pdu.RMsgQFul)
	}
	return pdu.ROK
}

// check decides about a message by itself and leaves the record of it in d.accept.
func (d *Desk) check(s *Session, c *catalog.Client, p []byte, now int64) pdu.Status {
	if st := d.view.Parse(p); st != pdu.ROK {
		return d.refuse(RefusedFields, st)
	}
	st, why := admit(&d.accept, &d.view, c, s.Account, d.table(), now)
	if st != pdu.ROK || why != Admitted {
		if st == pdu.ROK {
			st = pdu.RSubmitFail
		}
		return d.refuse(why, st)
	}
	d.accept.Session, d.accept.ShortID = s.ID, s.short
	_, _, _, d.accept.Part = profile.PartOf(&d.view)
	return pdu.ROK
}

// enter puts what check passed into the open block.
func (d *Desk) enter(s *Session, l *Lane, p []byte, t ticket) ledger.MsgID {
	d.accept.PDU = p
	d.workers[s.worker].bucket.Take(t.at)
	if l.full() {
		d.cut(l, t.at, true)
	}
	id := l.add(d.First+s.worker, &d.accept, t)
	s.Account.Waiting.Add(1)
	d.Counts.Accepted++
	return id
}

func (d *Desk) cut(l *Lane, now int64, force bool) {
	if b, _ := l.cut(now, force); b != nil {
		d.up.Block(l.Number, b)
	}
}

// Cut ends a turn: open blocks go on their way unless they had better wait for those before them.
func (d *Desk) Cut(now int64) {
	for _, l := range d.lanes {
		if l != nil && l.n > 0 {
			d.cut(l, now, false)
		}
	}
}

// Committed answers the messages of the lane's oldest block on its way.
func (d *Desk) Committed(lane uint16, now int64) {
	l := d.lanes[lane]
	l.committed(func(t *ticket) {
		d.Counts.Latency.Add(now - t.at)
		if t.s != nil { // in a submit_multi the last message answers for all
			d.accepted(t, l)
		}
	})
	if l.n > 0 {
		d.cut(l, now, false)
	}
}

// accepted answers a message that is on stable storage.
func (d *Desk) accepted(t *ticket, l *Lane) {
	s := t.s
	if t.command == pdu.SubmitMulti {
		p := d.multis[t.id]
		delete(d.multis, t.id)
		s.Answer(t.command, pdu.ROK, t.seq, p)
		return
	}
	if s.gone {
		return
	}
	if t.wait { // Ended answers it
		d.ends[t.id] = pending{s, t.command, t.seq}
		return
	}
	d.idText = s.appendID(d.idText[:0], t.id)
	if load := d.load(s, l); load > 0 {
		d.copy = pdu.AppendMessageResp(d.copy[:0], t.command, pdu.ROK, t.seq, d.idText)
		d.copy = pdu.Finish(pdu.AppendTLV8(d.copy, pdu.TagCongestionState, load), 0)
		s.Answer(t.command, pdu.ROK, t.seq, d.copy)
		return
	}
	s.reply(t.command, pdu.ROK, t.seq, d.idText)
}

// pending is a request whose answer waits for the end of its message (3.4 §2.10.2).
type pending struct {
	s       *Session
	command pdu.Command
	seq     uint32
}

// Ended answers a transaction: its message has ended. Its session may be gone; then nobody is told. Of a broadcast areas
// are the TLVs that tell of its areas.
func (d *Desk) Ended(id ledger.MsgID, st pdu.Status, reason uint8, areas []byte) {
	p, ok := d.ends[id]
	if !ok {
		return
	}
	delete(d.ends, id)
	if p.s.gone {
		return
	}
	if p.command == pdu.BroadcastSM {
		p.s.broadcasted(id, st, p.seq, areas)
		return
	}
	d.idText = p.s.appendID(d.idText[:0], id)
	d.copy = pdu.AppendMessageResp(d.copy[:0], p.command, st, p.seq, d.idText)
	if st != pdu.ROK && p.s.version >= pdu.Version34 {
		d.copy = pdu.Finish(pdu.AppendTLV8(d.copy, pdu.TagDeliveryFailureReason, reason), 0)
	}
	p.s.Answer(p.command, st, p.seq, d.copy)
}

// loaded is the share of a bound, in percent, from which on clients of 5.0 are told: "high" in 5.0 §4.8.4.18.
const loaded = 50

// load is the congestion_state for a client that understands it, 0 when there is nothing to tell: how near the
// next bound is, of blocks that the store has not taken yet or of messages that the client has waiting.
func (d *Desk) load(s *Session, l *Lane) uint8 {
	if s.version < pdu.Version50 {
		return 0
	}
	share := max(int64(l.InFlight())*100/stalled, s.Account.Waiting.Load()*100/d.MaxWaiting)
	if d.Live != nil {
		share = max(share, (d.Live.Load()+s.Account.Awaited.Load())*100/d.MaxLive)
	}
	if d.Full || l.cramped {
		share = 100
	}
	if share < loaded {
		return 0
	}
	return uint8(min(share, 100))
}

// InFlight is the number of blocks of all lanes on their way.
func (d *Desk) InFlight() int {
	n := 0
	for _, l := range d.lanes {
		if l != nil {
			n += l.InFlight()
			if l.n > 0 {
				n++
			}
		}
	}
	return n
}
