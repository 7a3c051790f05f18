package dataplane

import (
	"errors"
	"time"

	"smsplane/dataplane/cluster"
	"smsplane/ledger/book"
	"smsplane/ledger/journal"
	"smsplane/ledger/replica"
)

// A fold can need what is damaged in this host's store alone: a run that a LOAD brings back, the text of a message that ends, a
// block. It cannot go on without, and it need not: in a cluster another host has the same. So the lane's books are given up here,
// and asked for anew from the host that leads the lane (ship.go).
//
// The lane's raft member goes on meanwhile with log and vote, which are not damaged: what it acknowledged it has, so the others lose
// neither quorum nor second copy. It folds nothing, and hands the lane over should it be elected. What comes takes the place of
// everything but the log behind it (journal.Import.Renew).
//
//	leading, following ──damage──▶ spoilt: asks every few seconds ──installed──▶ following
//
// On a single host, and where there is no other that stores messages, the process ends as it does when folds contradict, and the next
// start says where the damage is.

// askEvery is how long a lane that was asked for may take to come before it is asked for again. One that is on its way is
// not sent twice.
const askEvery = 5 * time.Second

// spoil gives this host's copy of the lane up if that is damaged and others have it; else the error comes back.
func (l *lane) spoil(why error) error {
	x := l.x
	if !errors.Is(why, journal.ErrCorrupt) || x.fellows == nil || x.fellows.want == nil || !l.hasFellows() {
		return why
	}
	x.doing = step{}
	l.foundRot(why)
	if l.leading {
		l.demote()
	} else {
		l.clear()
		l.unload()
	}
	return nil
}

// foundRot notes that this host's copy of the lane is damaged, and keeps what there is of it.
func (l *lane) foundRot(why error) {
	x := l.x
	l.spoilt, l.askAt = why, 0
	x.log.Error("this host's copy of a lane is damaged; it is asked for anew from the host that leads the lane", "lane", l.n, "err", why)
	var run *book.DamagedRun
	if errors.As(why, &run) {
		if err := keepRun(x.quarantine, x.db, run.Lane, run.ID, run.Pieces, why); err != nil {
			x.log.Error("what is left of it cannot be kept", "folder", x.quarantine, "err", err)
		}
	}
}

// spoiltAtStart says that a lane whose books could not be loaded can be asked for anew: its log is whole, and where its state
// stood is known.
func (l *lane) spoiltAtStart(why error) bool {
	x := l.x
	if !errors.Is(why, journal.ErrCorrupt) || x.fellows == nil || x.fellows.want == nil {
		return false
	}
	log, err := x.db.Log(l.n)
	if err != nil {
		return false
	}
	fold, err := x.db.Get(journal.Key(journal.Fold, l.n))
	if err != nil {
		return false
	}
	if l.folded, err = book.AppliedIn(fold); err != nil {
		return false
	}
	l.log, l.loading = log, true
	l.book = l.newBook(&blocks{log: log})
	l.foundRot(why)
	return true
}

// hasFellows says that another host stores the lane, too.
func (l *lane) hasFellows() bool {
	g := l.rep.Group()
	for _, id := range g.Voters {
		if id != l.x.fellows.me && !replica.IsWitness(id) {
			return true
		}
	}
	return false
}

// renew asks for the lane, or sees to it that another host leads it.
func (l *lane) renew(now int64) {
	if now < l.askAt {
		return
	}
	l.askAt = now + int64(askEvery)
	if l.rep.Leader() {
		_ = l.cedeTo(0) // nobody to take it: it is asked for again
	} else if id := l.rep.LeaderID(); id != 0 {
		l.x.fellows.want(l.n, id)
	}
}

// want asks a member for a lane.
func (n *Node) want(lane uint16, of uint64) {
	if p := (*n.members.ways.Load())[of]; p != nil {
		p.Send(cluster.Chunk, lane, []byte{shipWanted})
	}
}

// wanted begins to send the lane to a member that asked for it. It may be under way already: then nothing else is sent.
func (l *lane) wanted(to uint64) {
	if l.leading {
		l.x.log.Warn("another host's copy of a lane is damaged; it is sent the lane", "lane", l.n, "to", l.x.fellows.name(to))
		l.x.fellows.ship(l.n, to)
	}
}
