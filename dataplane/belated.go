package dataplane

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/journal"
	"smsplane/pdu"
	"smsplane/pdu/profile"
)

// belated are receipts that fit no message which is alive or ended lately: their messages may be in the archive. They
// were kept as orphans; every lookBackEvery the archive is read for all that came since, on a goroutine of its own. That
// takes the longer the larger the archive is, so it rests for lookBackRest times as long as it took. What is found is noted
// with its message, and a client that was told "unknown" is told more.
type belated struct {
	asked map[earlyKey]*link
	on    bool
	next  int64
}

const (
	maxBelated    = 1 << 16
	lookBackEvery = int64(time.Second)
	lookBackRest  = 20
)

func (b *belated) add(carrier uint16, k *link, id []byte) {
	if b.asked == nil {
		b.asked = map[earlyKey]*link{}
	}
	if len(b.asked) < maxBelated && len(id) > 0 {
		b.asked[earlyKey{carrier, string(id)}] = k
	}
}

// past is a message of the archive that a receipt may be about.
type past struct {
	edr  *book.EDR
	told bool // a final receipt came behind its end already
}

// lookBack begins to read the archive when something is to be looked for.
func (x *executor) lookBack(now int64) {
	b := &x.belated
	if b.on || len(b.asked) == 0 || now < b.next {
		return
	}
	asked, began := b.asked, now
	b.asked, b.on = nil, true
	hashes, names := map[uint32]bool{}, map[earlyKey]earlyKey{} // by how the answer named it
	for k, link := range asked {
		for _, id := range [][]byte{[]byte(k.id), link.ids.Answer(nil, []byte(k.id))} {
			hashes[book.HashText(id)] = true
			names[earlyKey{k.carrier, string(id)}] = k
		}
	}
	x.searching.Add(1)
	for _, l := range x.lanes { // what ended just now must be found, too
		if l.leading && l.book.Dirty() {
			l.flushNow(now)
		}
	}
	x.db.Write(journal.NewBatch(), func() {
		x.aside(func() {
			defer x.searching.Done()
			found, err := x.searchPast(hashes, names)
			x.post(func() {
				b.on, b.next = false, x.now+max(lookBackEvery, lookBackRest*(x.now-began))
				if err != nil {
					x.log.Error("searching the archive for the messages of receipts", "err", err)
				}
				if x.fellows != nil && (x.guests == nil || !x.reachesAll()) { // nothing can be noted now
					if b.asked == nil {
						b.asked = asked
					}
					return
				}
				for k, v := range found {
					x.remembered(k, v, asked[k], x.now)
				}
			})
		})
	})
}

// aside runs f on a goroutine of its own, or at once where nobody else runs.
func (x *executor) aside(f func()) {
	if x.stepped {
		f()
	} else {
		go f()
	}
}

// searchPast reads the packs of all lanes. Any goroutine may call it.
func (x *executor) searchPast(hashes map[uint32]bool, names map[earlyKey]earlyKey) (map[earlyKey]*past, error) {
	found, byID := map[earlyKey]*past{}, map[ledger.MsgID]*past{}
	var errs []error
	for _, l := range x.lanes {
		errs = append(errs, book.SearchAny(x.db, l.n, hashes, book.Past{EDR: func(e *book.EDR) error {
			if k, ok := names[earlyKey{e.Carrier, string(e.CarrierID)}]; ok && found[k] == nil { // newest first
				v := &past{edr: cloneEDR(e)}
				v.edr.Dst = bytes.Clone(e.Dst)
				found[k], byID[e.ID] = v, v
			}
			return nil
		}}))
	}
	again := map[uint32]bool{}
	for id, v := range byID {
		if v.edr.End == ledger.EndUnknown {
			again[book.HashID(id)] = true
		}
	}
	for _, l := range x.lanes {
		if len(again) == 0 {
			break
		}
		errs = append(errs, book.SearchAny(x.db, l.n, again, book.Past{Repeated: func(r *book.Repeated) error {
			if v := byID[r.ID]; v != nil && pdu.State(r.State).Final() {
				v.told = true
			}
			return nil
		}}))
	}
	return found, errors.Join(errs...)
}

// remembered gives an orphan to the message of the archive that it is about.
func (x *executor) remembered(k earlyKey, v *past, via *link, now int64) {
	e := v.edr
	var view pdu.Message
	var r pdu.Receipt
	p := x.orphan(k.carrier, []byte(k.id))
	if p == nil || view.Parse(p) != pdu.ROK || !via.decl.Profile.ParseReceipt(&view, &r) {
		return // it found its message meanwhile
	}
	if profile.FitNumber(view.SrcAddr(), e.Number) != profile.Equal && profile.FitNumber(view.DstAddr(), e.Number) != profile.Equal {
		return // the carrier gave its id out again
	}
	all := [][]byte{p}
	if s := x.strays.byID[strayKey{k.carrier, k.id}]; s != nil {
		all = append(all, s.more...)
		x.strays.drop(s)
	}
	l := x.lanes[e.ID.Lane()]
	for _, p := range all {
		if view.Parse(p) == pdu.ROK && via.decl.Profile.ParseReceipt(&view, &r) {
			x.claim(k.carrier, p, &r)
		}
	}
	if l.leading {
		l.remember(v, via.decl.Profile, all, nil, now)
	} else {
		x.handPast(v, via, all)
	}
	x.ended.add(k.carrier, e.CarrierID, e.ID, e.End == ledger.EndUnknown && !v.told)
}

// remember notes receipts with a message that is in the archive; reply goes out when that is committed. False: none is one.
func (l *lane) remember(v *past, p *profile.Link, receipts [][]byte, reply *ack, now int64) (noted bool) {
	e := v.edr
	var view pdu.Message
	var r pdu.Receipt
	for _, b := range receipts {
		if view.Parse(b) != pdu.ROK || !p.ParseReceipt(&view, &r) {
			continue
		}
		l.repeated(e.ID, &r, reply, now)
		reply, noted = nil, true
		if e.End == ledger.EndUnknown && !v.told {
			v.told = l.recall(e) && l.news(&book.Msg{ID: e.ID, Account: e.Account, Carrier: e.Carrier, Registered: e.Registered, Parts: e.Parts,
				ShortID: e.ShortID, Behind: e.Behind, Accepted: e.Accepted}, &r, now)
		}
	}
	return noted
}

// recall points the lane's view at what the archive knows of a message: its addresses. Their kinds are not kept.
func (l *lane) recall(e *book.EDR) bool {
	s := pdu.Submit{Src: e.Src, SrcTON: 1, SrcNPI: 1, Dst: e.Dst, DstTON: 1, DstNPI: 1}
	if slices.ContainsFunc(e.Src, func(c byte) bool { return c < '0' || c > '9' }) {
		s.SrcTON, s.SrcNPI = 5, 0
	}
	return l.view.Parse(s.Append(nil, 0)) == pdu.ROK
}
