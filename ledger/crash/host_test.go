package crash

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/journal"
	"smsplane/ledger/replica"
)

// lanes of every host.
const lanes = 2

// host is the ledger of one host in one life, as the appliance puts it together.
type host struct {
	disk  *disk
	db    *journal.DB
	lanes [lanes]*lane
	dead  chan struct{} // closed by the first fatal error
	once  sync.Once
	why   error

	mu   sync.Mutex // a life that ended in the journal leaves a goroutine behind
	told memory
}

// memory is what the test knows of a host over its lives.
type memory struct {
	blocks  [lanes]map[uint64][]byte // proposed, by index
	acked   [lanes]uint64            // acknowledged up to this index
	dropped [lanes]uint64            // what ended up to this index may be gone from the archive
	now     int64
}

func (m *memory) clone() memory {
	c := *m
	for i := range c.blocks {
		c.blocks[i] = maps.Clone(m.blocks[i])
	}
	return c
}

// lane is one lane of a host.
type lane struct {
	n       uint16
	h       *host
	log     *journal.Log
	rep     *replica.Replica
	book    *book.Book
	open    []byte
	records int
}

func (l *lane) Block(i uint64) ([]byte, error) {
	if b, ok := l.log.InMemory(i); ok {
		return b, nil
	}
	e, err := l.log.Entry(i)
	return e.Data, err
}

func (h *host) get(k journal.Kind, lane uint16, n uint64) ([]byte, error) {
	v, err := h.db.Get(journal.Key(k, lane, n))
	if err == nil && v == nil {
		err = fmt.Errorf("lane %d: %v %d is missing", lane, k, n)
	}
	return v, err
}
func (h *host) Stragglers(lane uint16, from uint64, f func([]byte) error) error {
	_, hi := journal.LaneRange(journal.Moved, lane)
	return h.db.Scan(journal.Key(journal.Moved, lane, from), hi, func(_, v []byte) error { return f(v) })
}
func (h *host) Run(lane uint16, run, piece uint32) ([]byte, error) {
	v, err := h.db.Get(book.RunKey(lane, run, piece))
	if err == nil && v == nil {
		err = fmt.Errorf("lane %d: piece %d of run %d is missing", lane, piece, run)
	}
	return v, err
}

// fatal is what the journal calls instead of ending the process: whoever calls it goes no further, not even to what is
// deferred.
func (h *host) fatal(err error) {
	h.once.Do(func() {
		h.why = err
		close(h.dead)
	})
	select {}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newHost(d *disk, told memory) *host {
	return &host{disk: d, told: told.clone(), dead: make(chan struct{})}
}

// open opens the store and the lanes' tables, and folds what was persisted; nothing is applied yet.
func (h *host) open() (err error) {
	d := h.disk
	h.db, err = journal.Open(journal.Options{FS: d, Dir: "store", Logger: quiet(), Fatal: h.fatal, Stepped: true, Clock: func() int64 { return 1 }})
	if err != nil {
		return err
	}
	for i := range h.lanes {
		l := &lane{n: uint16(i), h: h}
		if l.log, err = h.db.Log(l.n); err != nil {
			return err
		}
		l.book = book.New(l.n, l, h)
		if err := l.book.Load(h.db, l.scan); err != nil {
			return fmt.Errorf("lane %d: load: %w", i, err)
		}
		l.forget()
		h.lanes[i] = l
	}
	return nil
}

func (l *lane) scan(upTo uint64, f func(index uint64, block []byte) error) error {
	return l.log.Scan(l.log.First(), upTo, func(e journal.Entry) error {
		if e.Kind != journal.KindBlock || len(e.Data) == 0 {
			return nil
		}
		return f(e.Index, e.Data)
	})
}

// lead applies what the log has and takes the lead of every lane.
func (h *host) lead() error {
	for _, l := range h.lanes {
		rep, err := replica.Open(replica.Config{DB: h.db, Log: l.log, Lane: l.n, ID: 1, Group: replica.Group{Voters: []uint64{1}}, Applied: l.book.Applied(), Logger: quiet()})
		if err != nil {
			return err
		}
		l.rep = rep
	}
	for _, l := range h.lanes {
		for turn := 0; !l.rep.Leader(); turn++ {
			if turn > 100 {
				return fmt.Errorf("lane %d has no leader", l.n)
			}
			if err := l.work(); err != nil {
				return err
			}
			h.db.Step(1 << 20)
			h.db.Sync()
		}
	}
	return nil
}

// work applies what became durable. What is applied is acknowledged.
func (l *lane) work() error {
	_, err := l.rep.DoWork(1, func(index uint64, block []byte) error {
		if err := l.book.Apply(index, block); err != nil {
			return err
		}
		if block != nil {
			l.h.mu.Lock()
			l.h.told.acked[l.n] = max(l.h.told.acked[l.n], index)
			l.h.mu.Unlock()
		}
		return nil
	})
	return err
}

// remember is what is known of the host by now.
func (h *host) remember() memory {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.told.clone()
}

// forget drops the blocks that the life before proposed and that were lost with it.
func (l *lane) forget() {
	l.h.mu.Lock()
	defer l.h.mu.Unlock()
	maps.DeleteFunc(l.h.told.blocks[l.n], func(i uint64, _ []byte) bool { return i > l.log.Last() })
}

// cut proposes the open block.
func (l *lane) cut(now int64) error {
	if l.records == 0 {
		return nil
	}
	b := ledger.SealBlock(l.open, l.n, l.records, now)
	l.open, l.records = nil, 0
	if !l.rep.Propose(b) {
		return errors.New("a proposal was dropped")
	}
	l.h.mu.Lock()
	l.h.told.blocks[l.n][l.log.Last()] = b
	l.h.mu.Unlock()
	return nil
}

// flush persists the books and lets the log go behind them, as the appliance's lanes do.
func (l *lane) flush() error {
	w := journal.NewBatch()
	if err := l.book.Flush(w); err != nil {
		return err
	}
	n := l.book.Flushes()
	l.h.db.Write(w, func() { l.book.Stored(n) })
	l.log.DropBelow(l.book.LowWater())
	return nil
}
