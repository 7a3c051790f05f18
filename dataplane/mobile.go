package dataplane

import (
	"github.com/cespare/xxhash/v2"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
	"smsplane/pdu/profile"
	"smsplane/pdu/text"
)

// fromMobile takes a message from a carrier for one of our clients, by the catalog's mo rules. One that no rule
// names is taken all the same, for nobody: many a carrier that is refused one stops all it has for us, receipts
// included.
func (x *executor) fromMobile(s *linkSession, e *event, reply ack, now int64) {
	x.straighten(e)
	if p := s.link.decl.Profile; !p.Standard() { // what is kept says what everybody means by it
		if out, changed := x.adapt.forward.Relay(nil, &x.view, p.Text, profile.Charsets{}, profile.PartsAsIs, false); changed && x.view.Parse(out) == pdu.ROK {
			e.data = out
		} else {
			x.view.Parse(e.data)
		}
	}
	account := x.addressee(s.carrier.n, &x.view, now)
	at := x.lanes[0]
	if account == nobody {
		x.counts.unrouted++
	} else if at = x.lanes[x.accounts[account].Lane]; !at.leading {
		x.hand(&handed{lane: at.n, what: givenMobile, id: ledger.MsgID(account), carrier: s.carrier.n, link: s.link, data: e.data, reply: reply.kept()})
		return
	}
	if !at.mayPark(account) {
		x.refuseMobile(&reply)
		return
	}
	l := x.addMO(account, s.carrier.n, e.data, now)
	l.acks = append(l.acks, reply)
	l.recorded(now)
}

// straighten takes from a message in the view what is a carrier's mistake and no part of it: a command_status in a request,
// and padding behind the last TLV, which not every client forgives as we do.
func (x *executor) straighten(e *event) {
	pdu.SetStatus(e.data, pdu.ROK)
	if end := x.view.OffTLV() + len(x.view.TLVs()); end < len(e.data) {
		e.data = pdu.Finish(e.data[:end], 0)[:end:end]
		x.view.Parse(e.data)
	}
}

// nobody is the account of messages that no rule names. They stand in lane 0, listed as unrouted, until a catalog
// names them or their time is over.
const nobody = 0

// addressee is the account that a message from a carrier is for. The keyword of a text in parts stands in the first; the
// others go where that went.
func (x *executor) addressee(carrier uint16, v *pdu.Message, now int64) uint32 {
	ref, total, seq, part := profile.PartOf(v)
	if !part {
		return x.byRule(carrier, v, firstWord(v))
	}
	key := mobileKey(carrier, v, ref, total)
	slot := &x.texts[key%mobileTexts]
	switch {
	case seq == 1:
		*slot = mobileText{key, now, x.byRule(carrier, v, firstWord(v))}
	case slot.key != key || now-slot.at >= groupOpen:
		return x.byRule(carrier, v, nil) // its first part is not here
	}
	if slot.at = now; x.accounts[slot.account] == nil {
		return nobody
	}
	return slot.account
}

func (x *executor) byRule(carrier uint16, v *pdu.Message, keyword []byte) uint32 {
	account, ok := x.table.MO(carrier, v.DstAddr(), keyword)
	if !ok || x.accounts[account] == nil {
		return nobody
	}
	return account
}

// mobileText is whom the parts of a text from a phone are for. One is remembered for each value of its key modulo
// mobileTexts, the one whose first part came last; none over a restart, as no group is.
type mobileText struct {
	key     uint64
	at      int64
	account uint32
}

const mobileTexts = 1 << 12

// mobileKey is the same for all parts of a text: carrier, addresses, reference and number of parts. Never 0.
func mobileKey(carrier uint16, v *pdu.Message, ref uint16, total uint8) uint64 {
	var b [64]byte
	k := append(b[:0], byte(carrier>>8), byte(carrier), byte(ref>>8), byte(ref), total)
	k = append(append(k, v.SrcAddr()...), 0)
	return xxhash.Sum64(append(k, v.DstAddr()...)) | 1
}

// firstWord is what keywords are compared with; keywords are ASCII, which all alphabets of single octets share.
func firstWord(v *pdu.Message) []byte {
	b := v.UserData()
	if v.UDHI() {
		b = b[min(pdu.UDHLen(b), len(b)):]
	}
	var word [64]byte
	s, ok := text.Decode(word[:0], v.DataCoding(), b[:min(len(b), len(word)/2)])
	if !ok {
		return nil
	}
	from := 0
	for from < len(s) && s[from] <= ' ' {
		from++
	}
	to := from
	for to < len(s) && s[to] > ' ' {
		to++
	}
	return s[from:to]
}

// addMO journals a message for an account; the caller calls recorded.
func (x *executor) addMO(account uint32, carrier uint16, p []byte, now int64) *lane {
	l := x.lanes[0]
	if a := x.accounts[account]; a != nil {
		l = x.lanes[a.Lane]
	}
	l.begin()
	l.open = ledger.AppendMO(l.open, x.billers.worker(), l.nextMO(), now, &ledger.MO{Account: account, Carrier: carrier, PDU: p})
	return l
}

// nextMO numbers messages from carriers; decisions run ahead of the book.
func (l *lane) nextMO() ledger.MsgID {
	l.mo = max(l.mo+1, l.book.NextMO())
	return l.mo
}

// reroute gives messages that were for nobody to the clients that the catalog in force names.
func (x *executor) reroute(now int64) {
	l := x.lanes[0]
	r := l.returns[nobody]
	if r == nil || !l.leading {
		return
	}
	var left book.List
	for m := l.book.Pop(&r.aside); m != nil; m = l.book.Pop(&r.aside) {
		p, err := l.book.PDU(m)
		if err != nil {
			x.fail(err)
			return
		}
		account := uint32(nobody)
		if x.view.Parse(p) == pdu.ROK {
			account = x.addressee(m.Carrier, &x.view, now)
		}
		if account == nobody {
			l.book.Push(&left, m)
			continue
		}
		lane := x.accounts[account].Lane
		if !x.reaches(lane) {
			l.book.Push(&left, m)
			x.guests.again = true
			continue
		}
		if !x.lanes[lane].leading {
			m.Phase = phaseReturned // in the list of nobody
			x.hand(&handed{lane: lane, what: givenMobile, id: ledger.MsgID(account), carrier: m.Carrier, data: p, aside: m.ID})
			continue
		}
		x.addMO(account, m.Carrier, p, now).recorded(now) // before it is released here: twice is better than never
		l.release(m, 0, pdu.ROK, now)
	}
	r.aside = left
}
