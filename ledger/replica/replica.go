package replica

import (
	"errors"
	"log/slog"
	"time"

	"smsplane/ledger/journal"
)

type Config struct {
	DB      *journal.DB
	Log     *journal.Log
	Lane    uint16
	ID      uint64
	Voters  []uint64
	Applied uint64
	Tick    time.Duration
	Wake    func()
	Send    func(to uint64, msg []byte)
	Logger  *slog.Logger
}

type Replica struct{}

func Open(c Config) (*Replica, error)        { return nil, errors.ErrUnsupported }
func (r *Replica) Propose(block []byte) bool { return false }
func (r *Replica) Step(msg []byte) error     { return nil }
func (r *Replica) DoWork(now int64, apply func(index uint64, block []byte) error) (n int, err error) {
	return 0, nil
}
func (r *Replica) Leader() bool      { return false }
func (r *Replica) Committed() uint64 { return 0 }
func (r *Replica) Applied() uint64   { return 0 }
func (r *Replica) InFlight() int     { return 0 }
