package dataplane

import (
	"context"
	"fmt"

	"smsplane/dataplane/admin"
	"smsplane/ledger"
	"smsplane/ledger/journal"
	"smsplane/ledger/replica"
)

// Stat implements admin.Operations.
func (s *source) Stat(ctx context.Context) (st admin.StoreStat, err error) {
	if err := s.flushed(ctx); err != nil {
		return st, err
	}
	db := s.n.db
	st.Version, st.ID, st.Disk = db.Version(), fmt.Sprintf("%x", db.ID()), db.DiskUsage()
	if g := s.n.guard; g != nil {
		st.Free, st.Reserve, st.Full = g.lastFree.Load(), g.limit.Load(), g.now() != replica.Roomy
	}
	err = s.ask(func(x *executor) error {
		st.Resident = x.resident()
		for _, l := range x.lanes {
			st.Lanes = append(st.Lanes, admin.LaneUse{Lane: l.n, First: l.log.First(), Last: l.log.Last(), Applied: l.book.Applied(),
				Resident: l.log.Resident(), Live: l.book.Known(), Slots: l.book.TableBytes()})
		}
		return nil
	})
	if err != nil {
		return st, err
	}
	sizes, err := db.Sizes()
	for _, v := range sizes {
		st.Sizes = append(st.Sizes, admin.StoreUse{Kind: v.Kind.String(), Lane: v.Lane, Keys: v.Keys, Bytes: v.Bytes, Disk: v.Disk})
		if v.Kind == journal.EDR && int(v.Lane) < len(st.Lanes) {
			st.Lanes[v.Lane].Packs = v.Keys
		}
	}
	return st, err
}

// Dump implements admin.Operations. It reads what is stored, beside the running node.
func (s *source) Dump(_ context.Context, q admin.DumpQuery) (out []admin.DumpLine, err error) {
	d := dump{db: s.n.db, limit: q.Limit, lane: q.Lane, from: q.From, to: q.To}
	if q.ID != "" {
		if d.id, err = ledger.ParseMsgID(q.ID); err != nil {
			return nil, admin.BadRequest("%q is not a message id", q.ID)
		}
		d.lane, d.from, d.to = d.id.Lane(), 0, 0
	}
	err = d.run()
	return d.lines, err
}

// dump collects lines until there are enough.
type dump struct {
	db       *journal.DB
	lane     uint16
	from, to uint64
	id       ledger.MsgID // 0: every record
	limit    int
	lines    []admin.DumpLine
}

func (d *dump) run() error {
	return d.db.Entries(d.lane, d.from, func(e journal.Entry) error {
		if d.to > 0 && e.Index > d.to {
			return journal.ErrStop
		}
		block := e.Block()
		if block == nil {
			if d.id == 0 {
				return d.add(admin.DumpLine{Lane: d.lane, Index: e.Index, Kind: "RAFT", Detail: fmt.Sprintf("an entry of the consensus itself, term %d", e.Term)})
			}
			return nil
		}
		return ledger.Walk(block, func(r *ledger.Record) error {
			if d.id != 0 && !r.Concerns(d.id) {
				return nil
			}
			line := admin.DumpLine{Lane: d.lane, Index: e.Index, Time: instant(r.At), Kind: r.Kind.String(), Detail: r.Describe()}
			if r.ID != 0 {
				line.ID = r.ID.String()
			}
			return d.add(line)
		})
	}, func(index uint64, err error) error {
		if d.to > 0 && index > d.to {
			return journal.ErrStop
		}
		return d.add(admin.DumpLine{Lane: d.lane, Index: index, Kind: "DAMAGED", Detail: err.Error()})
	})
}

func (d *dump) add(l admin.DumpLine) error {
	d.lines = append(d.lines, l)
	if len(d.lines) >= d.limit {
		return journal.ErrStop
	}
	return nil
}
