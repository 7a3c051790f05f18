package crash

import (
	"context"
	"time"

	"smsplane/ledger/book"
	"smsplane/ledger/journal"
)

// pastKept is how long the clerk keeps EDRs.
const pastKept = int64(10 * time.Minute)

// upkeep is what the appliance does between the messages.
func (c *clerk) upkeep(d *desk) error {
	l := d.l
	switch k := c.rng.IntN(100); {
	case k < 55:
		return l.flush()
	case k < 72: // stragglers leave the oldest block
		if _, err := l.book.Move(1 + c.rng.IntN(64)); err != nil {
			return err
		}
		return l.flush()
	case k < 80:
		l.log.DropNow()
	case k < 88: // blocks leave memory
		for i := l.log.First(); i <= l.log.Last(); i++ {
			l.log.Evict(i)
		}
	case k < 92: // a text is taken
		id, _ := c.pick(d, in(book.StateEnded))
		if m := l.book.Get(id); m != nil {
			_, err := l.book.Strip(m)
			return err
		}
	case k < 97:
		w := journal.NewBatch()
		gone, err := book.DropPast(c.h.db, l.n, c.now-pastKept, c.now, w)
		if err != nil {
			return err
		}
		c.h.mu.Lock()
		c.h.told.dropped[l.n] = max(c.h.told.dropped[l.n], gone)
		c.h.mu.Unlock()
		c.h.db.Write(w, nil)
	default:
		return c.h.db.Expel(context.Background(), journal.EntryKind, journal.Moved, journal.Run)
	}
	return nil
}
