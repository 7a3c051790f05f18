package dataplane

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"smsplane/dataplane/config"
	"smsplane/ledger/replica"
)

// guard keeps the store from ever meeting a full disk. Below the reserve accepting stops, with ESME_RMSGQFUL;
// delivery goes on, and what it frees lets accepting begin again by itself. A ballast file stands for the
// last piece of the reserve: when even delivery eats that, it is given up, once, so that compactions can
// finish and an operator can look around. The other hosts of a cluster are told, see replica/room.go; from the ballast on this one
// does not follow them any more.
//
//	|<------------------------- free ------------------------->|
//	accepting   | reserve + 1/8: accepting again | reserve: full | half of it: following again | ballast given up, nearly at its end
//
// One goroutine calls relieve, before the store is opened, and look from then on.
type guard struct {
	log     *slog.Logger
	free    func() (uint64, error)
	need    func() uint64 // octets that compactions may take
	reserve uint64
	ballast string // file
	tell    func(replica.Room)
	failing bool // the last look could not look

	room     atomic.Uint32 // replica.Room
	lastFree atomic.Uint64
	limit    atomic.Uint64
}

// maxBallast bounds the ballast file, in octets.
const maxBallast = 256 << 20

func (g *guard) ballastSize() int64 { return int64(min(g.reserve/8, maxBallast)) }

func newGuard(cfg *config.Node, log *slog.Logger) *guard {
	return &guard{log: log, free: diskFree(cfg.Data), reserve: uint64(cfg.Journal.Reserve), ballast: filepath.Join(cfg.Data, "ballast")}
}

// relieve gives the ballast up when the disk is so full that the store could not be opened: even that takes room.
func (g *guard) relieve() {
	if free, err := g.free(); err == nil && free < uint64(g.ballastSize()) {
		g.giveUp(free)
	}
}

func (g *guard) giveUp(free uint64) {
	switch err := os.Remove(g.ballast); {
	case err == nil:
		g.log.Error("the disk is nearly full: the ballast file is given up", "file", g.ballast, "free", free)
	case !errors.Is(err, os.ErrNotExist):
		g.log.Error("the disk is nearly full, and the ballast file cannot be given up", "file", g.ballast, "free", free, "err", err)
	}
}

// look compares what is free with what must be.
func (g *guard) look() {
	free, err := g.free()
	if err != nil {
		if !g.failing {
			g.log.Error("the free space of the disk cannot be read", "err", err)
		}
		g.failing = true
		return
	}
	g.failing = false
	limit := max(g.reserve, g.need())
	g.lastFree.Store(free)
	g.limit.Store(limit)
	if was, room := g.now(), g.judge(free, limit); room != was {
		g.room.Store(uint32(room))
		g.tell(room)
		switch {
		case room == replica.Brimful:
			g.log.Error("the disk is nearly at its end: what other hosts lead is not followed any more, and nothing is led that another host can", "free", free, "reserve", limit)
		case room == replica.Full && was == replica.Roomy:
			g.log.Error("the disk has reached its reserve: new messages are refused, delivery goes on", "free", free, "reserve", limit)
		case room == replica.Full:
			g.log.Warn("the disk has half of its reserve again: other hosts are followed", "free", free, "reserve", limit)
		default:
			g.log.Warn("the disk has room again: new messages are accepted", "free", free, "reserve", limit)
		}
	}
	g.weigh(free, limit)
}

// now is what the last look found.
func (g *guard) now() replica.Room { return replica.Room(g.room.Load()) }

// judge says what the disk can still take, by what is free and by what it was before.
func (g *guard) judge(free, limit uint64) replica.Room {
	was := g.now()
	switch {
	case free < uint64(g.ballastSize()) || was == replica.Brimful && free < limit/2:
		return replica.Brimful
	case free < limit || was != replica.Roomy && free < limit+limit/8:
		return replica.Full
	}
	return replica.Roomy
}

// takes refuses a lane of about so many octets, some of which are staged, that would bring the disk to its end: until compactions are
// through it is there twice.
func (g *guard) takes(size, staged uint64) error {
	if g == nil {
		return nil
	}
	free, err := g.free()
	if need := 2*size - min(size, staged) + uint64(g.ballastSize()); err == nil && free < need {
		return fmt.Errorf("the disk has %d octets free, and needs %d to take the lane", free, need)
	}
	return nil
}

// weigh makes the ballast while there is room for it, and gives it up when nothing else is left.
func (g *guard) weigh(free, limit uint64) {
	size := g.ballastSize()
	if free < uint64(size) {
		g.giveUp(free)
		return
	}
	_, err := os.Stat(g.ballast)
	if !errors.Is(err, os.ErrNotExist) || free < limit+limit/8+uint64(size) {
		return
	}
	if err := makeBallast(g.ballast, size); err != nil {
		g.log.Error("ballast", "file", g.ballast, "err", err)
	}
}

// diskFree reads what an unprivileged process may still write below a folder, in octets.
func diskFree(dir string) func() (uint64, error) {
	return func() (uint64, error) {
		var st unix.Statfs_t
		if err := unix.Statfs(dir, &st); err != nil {
			return 0, err
		}
		return uint64(st.Bavail) * uint64(st.Bsize), nil
	}
}
