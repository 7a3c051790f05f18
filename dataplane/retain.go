package dataplane

import (
	"context"
	"fmt"
	"time"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/journal"
	"smsplane/pdu"
)

// What leaves when, with bodies: 24h.
//
//	end of a message + at most 12 h   no block as old as that is needed any more: live messages of it have
//	                                  moved to keys of their own, parked receipts to keys without a text; what was kept of
//	                                  messages that clients took from carriers is dropped
//	                 + a minute       the log is dropped behind it, as a range
//	                 + at most 4 h    what tables and WAL still hold of dropped ranges is written anew without it
//
// From then on nothing in the store has the text. The file system may: in free blocks, and in WAL files that
// are kept to be written over. EDR packs go as ranges, up to the newest seal that is older than their time.
//
// journal: {retain: all} keeps the log, and with it all bodies.
const (
	agedShare  = 2 // a block is aged after this part of the time that bodies are kept
	expelShare = 6 // tables are written anew as often as this in that time
	leapGap    = 24 * time.Hour
	leapWait   = 24 * time.Hour
)

// retention is the upkeep's memory of what it did.
type retention struct {
	from    int64 // the past is not dropped before: the clock may have leapt
	expelAt int64
	next    int64
}

// retentionEvery is how often the past is looked at.
const retentionEvery = time.Minute

// heedClock compares the clock with the newest block. Ids, timers and receipts do not care how it stands; but
// a clock that leapt ahead must not cost the past, so nothing of it is dropped, and no receipt given up, for a
// day of running. Validities pass by the clock all the same.
func (n *Node) heedClock() {
	last := int64(0)
	for _, l := range n.x.lanes {
		last = max(last, l.book.LastAt())
	}
	now := n.clock()
	switch gap := time.Duration(now - last); {
	case last == 0:
	case gap < 0:
		n.log.Warn("the clock stands behind the newest record", "by", -gap)
	case gap > leapGap:
		n.retention.from = now + int64(leapWait)
		n.x.spareUntil = n.retention.from
		n.log.Warn("the clock stands far ahead of the newest record: it was set, or the node was down; nothing of the past is dropped for a day", "by", gap)
	}
}

// retain does what is due. It runs on the upkeep's goroutine.
func (n *Node) retain(ctx context.Context, now int64) error {
	if now < n.retention.next {
		return nil
	}
	r := &n.cfg.Retention
	n.retention.next = now + min(int64(retentionEvery), int64(r.Bodies)/expelShare)
	if now < n.retention.from {
		return nil
	}
	for _, l := range n.x.lanes {
		w := journal.NewBatch()
		gone, err := book.DropPast(n.db, l.n, now-int64(r.EDR), now, w)
		if err != nil {
			return err
		}
		if err := book.DropTexts(n.db, l.n, now-n.x.aged, now, w); err != nil {
			return err
		}
		if n.db.Write(w, nil); gone > 0 {
			n.log.Info("the past was dropped", "lane", l.n, "up_to_index", gone)
		}
	}
	n.x.call(func() { n.x.dropOrphans(now - int64(r.Orphans)) })
	err := n.age(ctx, now)
	if err != nil || n.cfg.Journal.RetainAll || now < n.retention.expelAt {
		return err
	}
	n.retention.expelAt = now + int64(r.Bodies)/expelShare
	return n.db.Expel(ctx, journal.EntryKind, journal.Moved, journal.Run, journal.Taken)
}

// dropOrphans forgets receipts that came before a time and fitted no message since.
func (x *executor) dropOrphans(before int64) {
	sys := x.lanes[0].book.System
	var v pdu.Message
	var r pdu.Receipt
	for k, o := range sys.Orphans {
		if o.At >= before {
			continue
		}
		if v.Parse(o.PDU) == pdu.ROK && pdu.ParseReceipt(&v, &r) {
			x.early.drop(earlyKey{o.Carrier, string(r.ID)})
		}
		sys.Forget(k)
	}
}

// age lets no block be needed for longer than bodies may stay, in turns between which the executor does its
// other work.
func (n *Node) age(ctx context.Context, now int64) (err error) {
	for _, l := range n.x.lanes {
		for more := !n.cfg.Journal.RetainAll; more && err == nil && ctx.Err() == nil; {
			if !n.x.call(func() { more, err = l.age(now) }) {
				return nil
			}
		}
	}
	return err
}

// agedBlocks bounds how many aged blocks of a lane are emptied in one turn of the executor.
const agedBlocks = 4

// age moves what lives in the oldest blocks out of them and drops the log behind; more says that some are left. While a deed is being
// done, which knows by its run what it has yet to meet, nothing is moved: a minute later is soon enough.
func (l *lane) age(now int64) (more bool, err error) {
	for range agedBlocks {
		if l.loading || l.deeds > 0 {
			return false, nil
		}
		at, err := l.book.OldestBlock()
		if err != nil {
			return false, fmt.Errorf("lane %d: %w", l.n, err)
		}
		if more = at != 0 && at < now-l.x.aged; !more {
			break
		}
		if _, err := l.book.Move(ledger.MaxOperatorIDs); err != nil {
			return false, fmt.Errorf("lane %d: %w", l.n, err)
		}
	}
	l.flushNow(now)
	l.log.DropNow()
	return more, nil
}

// strip takes the text of a message that ended long enough ago and waits for its client.
func (l *lane) strip(m *book.Msg, now int64) {
	if now < m.Ended+l.x.aged || l.x.retainAll || l.stripped >= stripTurn {
		return
	}
	did, err := l.book.Strip(m)
	if err != nil {
		l.x.fail(fmt.Errorf("lane %d: %w", l.n, err))
	}
	if did {
		l.stripped++
	}
}

// stripTurn bounds the texts that one sweep takes.
const stripTurn = 256
