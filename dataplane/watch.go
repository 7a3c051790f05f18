package dataplane

import (
	"slices"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// A data host folds the lanes that others lead, and notes what it must know of them as the owner of the links, which it is or
// may become: which messages ended lately, and which are in doubt. To the owner an answer that is folded also tells who has been
// named; most it knew when it passed them on, the rest from before it was the owner.

// watch notes a record of a lane that is led elsewhere.
func (l *lane) watch(r *ledger.Record, m *book.Msg) {
	x := l.x
	switch r.Kind {
	case ledger.KindAnswer:
		var a ledger.Answer
		if x.guests == nil || l.loading || !r.Answer(&a) || a.Outcome != ledger.Taken || len(a.CarrierID) == 0 {
			return
		}
		delete(x.guests.named, strayKey{m.Carrier, string(a.CarrierID)})
		if len(x.strays.byID) > 0 {
			x.awaited(m.Carrier, a.CarrierID, x.now)
		}
	case ledger.KindDoubt:
		x.watchDoubt(m)
		if x.guests != nil && !l.loading {
			x.revealAbroad(m)
		}
	case ledger.KindFinal:
		if m.WasTaken {
			x.ended.add(m.Carrier, m.CarrierID(), m.ID, m.End == ledger.EndUnknown && m.Of == 0)
		}
		if m.Of > 0 {
			l.book.EachPartID(m, func(id []byte) { x.ended.add(m.Carrier, id, m.ID, false) })
		}
	}
}

// maxDoubted is how many numbers may have messages noted as in doubt before those are forgotten that are not any more.
const maxDoubted = 1 << 12

func (x *executor) watchDoubt(m *book.Msg) {
	if x.doubted == nil {
		x.doubted = map[party][]ledger.MsgID{}
	}
	k := party{m.Carrier, m.Number}
	if len(x.doubted) >= maxDoubted && x.doubted[k] == nil {
		for k := range x.doubted {
			x.stillDoubted(k)
		}
	}
	if !slices.Contains(x.doubted[k], m.ID) {
		x.doubted[k] = append(x.doubted[k], m.ID)
	}
}

// stillDoubted forgets those of a number that are not in doubt any more.
func (x *executor) stillDoubted(k party) []ledger.MsgID {
	ids := slices.DeleteFunc(x.doubted[k], func(id ledger.MsgID) bool {
		m := x.lanes[id.Lane()].book.Get(id)
		return m == nil || m.State != book.StateDoubt || m.Carrier != k.carrier
	})
	if x.doubted[k] = ids; len(ids) == 0 {
		delete(x.doubted, k)
	}
	return ids
}

// recallDoubts finds what is in doubt in the lanes that are led elsewhere: this host is the owner of the links now.
func (x *executor) recallDoubts() {
	x.doubted = nil
	for _, l := range x.lanes {
		if !l.leading && !l.loading { // one that is being loaded does it then
			l.eachDoubt(x.watchDoubt)
		}
	}
}

// eachDoubt visits what is in doubt in the lane's book.
func (l *lane) eachDoubt(f func(m *book.Msg)) {
	if l.book.Live[book.StateDoubt] == 0 {
		return
	}
	l.book.Each(0, l.book.Slots()+1, func(m *book.Msg) {
		if m.State == book.StateDoubt {
			f(m)
		}
	})
}

// doubtful lists the messages to a number that are in doubt, here and at guests.
func (x *executor) doubtful(k party) (ids []ledger.MsgID) {
	for _, id := range x.doubts[k] {
		if m := x.lanes[id.Lane()].book.Get(id); m != nil && open(m) {
			ids = append(ids, id)
		}
	}
	if x.guests == nil || len(x.doubted) == 0 {
		return ids
	}
	for _, id := range x.stillDoubted(k) {
		if !x.lanes[id.Lane()].leading {
			ids = append(ids, id)
		}
	}
	return ids
}

// revealAbroad does for a message that came in doubt at a guest what revealed does for one of ours.
func (x *executor) revealAbroad(m *book.Msg) {
	who := party{m.Carrier, m.Number}
	if m.Of > 0 || x.early.parties[who] == 0 {
		return
	}
	for k, o := range x.early.byID {
		if o.party != who || x.view.Parse(o.pdu) != pdu.ROK || !pdu.ParseReceipt(&x.view, &x.receipt) || o.at < m.Dispatched {
			continue
		}
		if _, only := x.infer(k.carrier, x.now); only == m {
			x.handReceipt(givenInferred, m.ID, 0, k.carrier, nil, o.pdu, nil)
			return
		}
	}
}

// acknowledge answers for what was journaled: the carrier, or the owner of the links who handed it over.
func (x *executor) acknowledge(a *ack, st pdu.Status) {
	switch {
	case a.stay == 0:
		x.reply(a.session, a.command, a.seq, st)
	case a.stay == x.far.stay:
		x.tellOwner(event{kind: evTook, seq: a.seq, status: uint32(st)})
	}
}
