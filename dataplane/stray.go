package dataplane

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"smsplane/ledger/book"
	"smsplane/pdu"
)

// strays are receipts that found no message when they came, by the ids of the answers that they may be about. The
// receipts themselves are with the early ones.
type strays struct {
	byKey   map[strayKey][]*stray
	byID    map[strayKey]*stray
	order   []*stray // as they came; some are gone
	young   []*stray // the newest of them, not yet tried once more after patience
	stirred bool     // some link's rule changed: all are tried again
	loaded  bool
	mores   int            // receipts in the more of all
	old     []*book.Orphan // from before the start, whose carriers are not bound yet
	swept   int64
}

type strayKey struct {
	carrier uint16
	text    string
}

type stray struct {
	id   strayKey // as the receipt wrote it
	more [][]byte // receipts with the same id that came behind it
	link *link    // nil: came before a restart
	keys []string
	at   int64
	gone bool
}

const (
	// patience is how long a receipt that fits a message under rules still to be learned waits for an answer that it
	// fits better.
	patience   = time.Second
	straySweep = time.Minute
)

// maxMore bounds the receipts of one id that wait: notifications, and the final one.
const maxMore = 8

// add remembers a receipt of a link.
func (s *strays) add(carrier uint16, k *link, id, p []byte, now int64) {
	key := strayKey{carrier, string(id)}
	if s.byID == nil {
		s.byID, s.byKey = map[strayKey]*stray{}, map[strayKey][]*stray{}
	}
	if v := s.byID[key]; v != nil {
		if len(v.more) < maxMore && s.mores < maxEarly/8 {
			v.more = append(v.more, bytes.Clone(p))
			s.mores++
		}
		return
	}
	if len(id) == 0 || k == nil {
		return
	}
	for len(s.byID) >= maxEarly { // the oldest gives way, as it does among the early ones
		s.drop(s.order[0])
		s.order = s.order[1:]
	}
	if len(s.order) >= 2*maxEarly { // mostly such as are gone
		s.order = slices.DeleteFunc(s.order, func(v *stray) bool { return v.gone })
	}
	v := &stray{id: key, link: k, keys: k.ids.ReceiptKeys(id), at: now}
	s.byID[key] = v
	s.order = append(s.order, v)
	s.young = append(s.young, v)
	for _, t := range v.keys {
		t := strayKey{carrier, t}
		s.byKey[t] = append(s.byKey[t], v)
	}
}

func (s *strays) drop(v *stray) {
	if v.gone {
		return
	}
	v.gone = true
	delete(s.byID, v.id)
	s.mores -= len(v.more)
	for _, t := range v.keys {
		key := strayKey{v.id.carrier, t}
		list := s.byKey[key]
		for i, o := range list {
			if o == v {
				list = append(list[:i], list[i+1:]...)
				break
			}
		}
		if s.byKey[key] = list; len(list) == 0 {
			delete(s.byKey, key)
		}
	}
}

// awaited gives the message that an answer just named the receipt that came before, if any.
func (x *executor) awaited(carrier uint16, id []byte, now int64) {
	var key [128]byte
	for _, s := range x.carrier(carrier).sessions { // any of them may know of a prefix
		for _, v := range slices.Clone(x.strays.byKey[strayKey{carrier, string(s.link.ids.AnswerKey(key[:0], id))}]) {
			if x.again(v, false, now) {
				return
			}
		}
	}
}

// again tries a stray once more and reports whether it found its message.
func (x *executor) again(v *stray, calm bool, now int64) bool {
	p := x.orphan(v.id.carrier, []byte(v.id.text))
	var view pdu.Message
	if p == nil || view.Parse(p) != pdu.ROK {
		x.strays.drop(v)
		return false
	}
	x.seek.link = v.link
	l, m, part := x.message(v.link.ids.Again([]byte(v.id.text), calm, x.seekFor(v.id.carrier, &view)))
	if m == nil {
		return false
	}
	x.strays.drop(v)
	x.adopt(l, m, part, p, now)
	for _, p := range v.more {
		x.adopt(l, m, part, p, now)
	}
	return true
}

// tryStrays tries those again that may have more luck now: all after a rule has changed, each after patience.
func (x *executor) tryStrays(now int64) {
	s := &x.strays
	if s.stirred {
		s.stirred = false
		for _, v := range s.byID {
			x.again(v, false, now)
		}
	}
	for len(s.young) > 0 && now-s.young[0].at >= int64(patience) {
		v := s.young[0]
		s.young = s.young[1:]
		if s.byID[v.id] == v {
			x.again(v, true, now)
		}
	}
	if now-s.swept >= int64(straySweep) {
		s.swept = now
		for _, v := range s.byID {
			if x.orphan(v.id.carrier, []byte(v.id.text)) == nil {
				s.drop(v)
			}
		}
	}
	if !s.loaded || len(s.old) > 0 {
		x.loadStrays(now)
	}
}

// loadStrays remembers what was an orphan before the node started, once their carriers' links are known.
func (x *executor) loadStrays(now int64) {
	s := &x.strays
	if !s.loaded {
		s.loaded = true
		for _, o := range x.lanes[0].book.System.Orphans {
			s.old = append(s.old, o)
		}
		slices.SortFunc(s.old, func(a, b *book.Orphan) int { return cmp.Compare(a.N, b.N) })
	}
	var v pdu.Message
	var r pdu.Receipt
	s.old = slices.DeleteFunc(s.old, func(o *book.Orphan) bool {
		c := x.carriers[o.Carrier]
		if c == nil || len(c.sessions) == 0 {
			return now-o.At > int64(orphanKeep)
		}
		k := c.sessions[0].link
		if v.Parse(o.PDU) == pdu.ROK && k.decl.Profile.ParseReceipt(&v, &r) {
			s.add(o.Carrier, k, r.ID, o.PDU, now)
			x.belated.add(o.Carrier, k, r.ID)
		}
		return true
	})
}
