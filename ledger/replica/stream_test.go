package replica

import (
	"errors"
	"maps"
	"slices"

	"smsplane/ledger/journal"
)

// transfer is a snapshot on its way to another host, by chunks, as dataplane does it.
type transfer struct {
	to      uint64
	life    int // of the receiver when it installs
	flushed bool
	export  *journal.Export
	imp     *journal.Import
	db      *journal.DB // that imp is of
	adds    int
	ended   bool
	idle    int
}

// snapshot is Config.Snapshot.
func (h *simHost) snapshot(to uint64) {
	h.s.logf("host %s is to ship the lane to %x", h.name(), to)
	if old := h.out[to]; old != nil {
		old.close()
	}
	h.out[to] = &transfer{to: to}
	h.flush()
}

func (t *transfer) close() {
	if t.export != nil {
		_ = t.export.Close()
		t.export = nil
	}
}

func (h *simHost) closeTransfers() {
	for _, t := range h.out {
		t.close()
	}
	h.out = nil
}

func foldIndex(v []byte) (uint64, error) { return le.Uint64(v), nil }

// stream moves what the host ships a few chunks on.
func (h *simHost) stream() {
	for _, to := range slices.Sorted(maps.Keys(h.out)) {
		t := h.out[to]
		if !h.r.leads() || h.r.peer(to) == nil {
			t.close()
			delete(h.out, to)
			continue
		}
		if ok, done := h.advance(t); done {
			h.s.logf("host %s shipped the lane to %x: %v", h.name(), to, ok)
			t.close()
			delete(h.out, to)
			h.r.ReportSnapshot(to, ok)
		}
	}
}

func (h *simHost) advance(t *transfer) (ok, done bool) {
	s := h.s
	dst := s.hosts[Number(t.to)-1]
	if t.export == nil {
		if h.flushing > 0 {
			return false, false
		}
		e, err := h.db.Export(0, foldIndex)
		if errors.Is(err, journal.ErrNoFold) {
			return false, true
		} else if err != nil {
			s.failf("host %s: %v", h.name(), err)
		}
		t.export = e
		h.r.HoldFor(t.to, e.Meta.Index)
	}
	if s.cut[h.n][dst.n] || s.cut[dst.n][h.n] || !dst.up() || dst.id != t.to || dst.db == nil {
		t.idle++
		return false, t.idle > 100
	}
	return dst.receive(t)
}

// receive is the other side, in one act: a chunk or two, or the installation.
func (h *simHost) receive(t *transfer) (ok, done bool) {
	s := h.s
	if t.ended {
		return t.life == h.life-1 && h.r != nil, !h.installing
	}
	if h.r == nil {
		return false, !h.installing
	}
	if t.imp == nil || t.db != h.db { // go on with what is staged here
		t.db, t.adds = h.db, 0
		var err error
		if t.imp, err = h.db.Import(t.export.Meta); err != nil {
			s.failf("host %s: %v", h.name(), err)
		}
		if t.imp.After() != nil {
			s.stats.resumed++
		}
	}
	imp := t.imp
	if err := imp.Needed(h.log); err != nil {
		imp.Abort()
		return true, true
	}
	if s.mut.plan == nil && s.rng.IntN(60) == 0 {
		h.kill(s.rng.IntN(2) == 0)
		h.start()
		return false, false
	}
	for range max(0, s.rng.IntN(6)-2) {
		c, err := t.export.Chunk(imp.After(), 300)
		if err != nil {
			s.failf("host %s: %v", h.name(), err)
		}
		if c == nil {
			if t.adds == 0 {
				h.install(t)
			}
			return false, false
		}
		t.adds++
		if err := imp.Add(c, func() { t.adds-- }); err != nil {
			s.logf("host %s: %v", h.name(), err)
			return false, true
		}
	}
	return false, false
}

func (h *simHost) install(t *transfer) {
	s := h.s
	h.closeTransfers()
	h.r, h.log, h.installing, t.ended, t.life = nil, nil, true, true, h.life
	life := h.life
	err := t.imp.Install(func() {
		if h.life != life || h.db == nil {
			return
		}
		s.stats.snapshots++
		h.openLane()
	})
	if err != nil {
		s.failf("host %s: %v", h.name(), err)
	}
}
