package journal

import (
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options say where the store lives and what surrounds it. Only Dir has no default.
type Options struct {
	FS      vfs.FS            // default: the machine's file system
	Dir     string            // made if missing; one process at a time
	Logger  *slog.Logger      // default: slog.Default
	Fatal   func(error)       // after a failed write or sync; MUST NOT return. Default: a log line, then exit 70
	Clock   func() int64      // unix nanoseconds; default: the machine's clock
	Damaged func(file string) // any goroutine: a table of the store is not what was written; nil: it is logged only
	Files   int               // open at most, about; 0: OpenFiles of what the process may open. Those who read all of it fill that
	NoSync  bool              // Done without a sync: a crash of the machine loses acknowledged entries. Benchmarks only

	// Stepped starts no goroutine: the caller does the appender's and the syncer's work with Step and Sync, so
	// that a simulation decides what is on disk at any moment.
	Stepped bool
}

// exitStore is EX_SOFTWARE of sysexits: the supervisor restarts, the peer leads meanwhile.
const exitStore = 70

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Clock == nil {
		o.Clock = func() int64 { return time.Now().UnixNano() }
	}
	if o.Files == 0 {
		limit, err := FileLimit()
		if err != nil {
			limit = 4 * mostFiles
		}
		o.Files = OpenFiles(limit)
	}
	if o.Fatal == nil {
		log := o.Logger
		o.Fatal = func(err error) {
			log.Error("the journal cannot write; the process ends", "dir", o.Dir, "error", err)
			os.Exit(exitStore)
		}
	}
	return o
}

// Bounds of the store's open files: Pebble never keeps fewer than 64 tables open, and has some files besides.
const (
	fewestFiles = 74
	mostFiles   = 1000
)

// OpenFiles is how many of the files that a process may open a store takes: a quarter. One that finds none left when it begins
// another log cannot write, and ends the process.
func OpenFiles(limit int) int { return min(max(limit/4, fewestFiles), mostFiles) }

// FileLimit is how many files the process may have open (RLIMIT_NOFILE). Go has raised it as far as it may at the start.
func FileLimit() (int, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("how many files may be open: %w", err)
	}
	return int(min(l.Cur, 1<<30)), nil
}

// formatVersion is pinned, not "newest": the store's format moves when we decide, never because a library
// was upgraded. This one has WAL sync chunks, which tell a torn tail from damage in the middle.
const formatVersion = pebble.FormatValueSeparation

const (
	memTableSize   = 128 << 20
	memTables      = 4 // then writes stop until one is flushed
	blockCache     = 32 << 20
	l0Compaction   = 6
	l0StopWrites   = 24
	maxCompactions = 2
)

// pebbleOptions are the measured settings: a large memtable turns stalls of 0.6–1.0 s into 29–48 ms, and most of the log is dropped before it is flushed; sync
// intervals, value separation and disabled compactions gained nothing and stay at their defaults.
func (d *DB) pebbleOptions(readOnly bool) *pebble.Options {
	o := &pebble.Options{
		FS:                          watch(d.o.FS, d),
		ReadOnly:                    readOnly,
		FormatMajorVersion:          formatVersion,
		MemTableSize:                memTableSize,
		MemTableStopWritesThreshold: memTables,
		CacheSize:                   blockCache,
		MaxOpenFiles:                d.o.Files,
		L0CompactionThreshold:       l0Compaction,
		L0StopWritesThreshold:       l0StopWrites,
		CompactionConcurrencyRange:  func() (int, int) { return 1, maxCompactions },
		Logger:                      (*pebbleLogger)(d),
		EventListener:               &pebble.EventListener{BackgroundError: d.backgroundError, DataCorruption: d.dataCorruption},
	}
	o.Local.ReadaheadConfig = objstorageprovider.NewReadaheadConfig()
	o.Local.ReadaheadConfig.Set(objstorageprovider.FadviseSequential, objstorageprovider.SysReadahead) // scans by other than compactions
	d.paces.watch(o.EventListener)
	o.ApplyCompressionSettings(compression)
	return o
}

// compression spends nothing on the levels that a log's window passes through before it is dropped; what
// reaches the last level is kept for its retention.
func compression() pebble.DBCompressionSettings {
	s := pebble.UniformDBCompressionSettings(block.NoCompression)
	s.Name = "journal"
	s.Levels[len(s.Levels)-1] = block.FastestCompression
	return s
}

// pebbleLogger is the DB as Pebble's logger: failures of writes and syncs arrive as Fatalf.
type pebbleLogger DB

func (l *pebbleLogger) Infof(string, ...any) {}
func (l *pebbleLogger) Errorf(format string, args ...any) {
	l.o.Logger.Error("store", "text", fmt.Sprintf(format, args...))
}
func (l *pebbleLogger) Fatalf(format string, args ...any) {
	(*DB)(l).fatal(fmt.Errorf("store: "+format, args...))
}
