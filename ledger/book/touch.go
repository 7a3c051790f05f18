package book

import "smsplane/ledger"

// Nearly all time of a fold is waiting for memory: each record is about another message, each message stands in seven
// lines that nobody looked at since its last record. One after the other they are fetched one after the other. So
// before a few records are folded all their messages are looked at once: loads that do not depend on one another are
// on their way together.

// warmAhead is how many records are looked at together: their lines fit the first cache easily.
const warmAhead = 16

// Touch brings the lines of a message that most decisions look at near. It changes nothing.
func (b *Book) Touch(id ledger.MsgID) {
	s, ok := b.t.bySeq.get(id.Seq())
	if !ok {
		return
	}
	m := b.t.at(s)
	b.warm += uint64(m.ID) + m.Block + uint64(m.Committed) + uint64(m.Charge) + uint64(m.cid[16])
}
