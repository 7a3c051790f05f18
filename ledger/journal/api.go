package journal

import (
	"errors"
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var ErrCorrupt = errors.New("journal is damaged")

type Options struct {
	FS     vfs.FS
	Dir    string
	Logger *slog.Logger
	Fatal  func(error)
	Clock  func() int64
	NoSync bool
}

type Entry struct {
	Index, Term uint64
	Kind        uint8
	Data        []byte
}

type Vote struct{ Term, Voted, Commit uint64 }

type Append struct {
	Lane    uint16
	Entries []Entry
	Vote    *Vote
	Done    func()
}

type Stats struct {
	Appends, Writes, Batches, Syncs uint64
	Bytes                           uint64
	QueuedBytes                     int64
}

type DB struct{}

func Open(o Options) (*DB, error)         { return nil, errors.ErrUnsupported }
func OpenReadOnly(o Options) (*DB, error) { return nil, errors.ErrUnsupported }
func (d *DB) Close() error                { return nil }

func (d *DB) Append(a Append)                                            {}
func (d *DB) Write(b *Batch, done func())                                {}
func (d *DB) Get(key []byte) ([]byte, error)                             { return nil, nil }
func (d *DB) Scan(lo, hi []byte, f func(k, v []byte) error) error        { return nil }
func (d *DB) ScanReverse(lo, hi []byte, f func(k, v []byte) error) error { return nil }
func (d *DB) Log(lane uint16) (*Log, error)                              { return nil, nil }
func (d *DB) Stats() Stats                                               { return Stats{} }
func (d *DB) Check() error                                               { return nil }
func (d *DB) Checkpoint(dir string) error                                { return nil }
func (d *DB) DiskUsage() uint64                                          { return 0 }
func (d *DB) ID() [16]byte                                               { return [16]byte{} }

type Log struct{}

func (l *Log) First() uint64                                   { return 0 }
func (l *Log) Last() uint64                                    { return 0 }
func (l *Log) Term(i uint64) (uint64, bool)                    { return 0, false }
func (l *Log) Vote() Vote                                      { return Vote{} }
func (l *Log) Entry(i uint64) (Entry, error)                   { return Entry{}, nil }
func (l *Log) Extend(e []Entry)                                {}
func (l *Log) SetVote(v Vote)                                  {}
func (l *Log) Scan(from, to uint64, f func(Entry) error) error { return nil }
func (l *Log) Evict(i uint64)                                  {}
func (l *Log) Resident() int64                                 { return 0 }
func (l *Log) DropBelow(i uint64)                              {}
