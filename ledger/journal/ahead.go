package journal

import "github.com/cockroachdb/pebble/v2/vfs"

// walFile is a log of Pebble that is written before it is needed. A file that grows has its new length written with each sync: a second
// write to the disk, or a commit of the file system's journal, which takes as long as the record. Space that was only reserved
// (fallocate) is no better, since each write to it changes the file's map. So now and then a sync brings zeros, too, which the next
// records write over. Pebble writes over old logs by itself, and takes zeros for the end, as what follows in an old log; but its first logs
// are small, and those of the first GB after a start grow.
//
// One goroutine, Pebble's flush loop of the log, writes and syncs it.
type walFile struct {
	*watchedFile
	at     int64 // where the next record goes
	synced int64 // where it went at the last sync
	laid   int64 // how far the file was written, ever
}

// What is laid: as much as so many syncs like the last one take, within bounds. In memory no length is written, so that a page is enough
// for simulations to have zeros in their logs.
const (
	aheadSyncs  = 128
	minAhead    = 64 << 10
	maxAhead    = 4 << 20
	memoryAhead = 4 << 10
)

var zeros [64 << 10]byte

func newWAL(f *watchedFile) *walFile {
	w := &walFile{watchedFile: f}
	if s, err := f.File.Stat(); err == nil {
		w.laid = s.Size()
	}
	return w
}

func (w *walFile) Write(p []byte) (int, error) {
	n, err := w.watchedFile.Write(p)
	w.at += int64(n)
	w.d.paces.log(n, w.d.paces.now())
	return n, err
}

// SyncData makes what was written durable, and the file longer when that has reached its end.
func (w *walFile) SyncData() error {
	if w.at > w.laid {
		n := min(max(aheadSyncs*(w.at-w.synced), minAhead), maxAhead)
		if w.Fd() == vfs.InvalidFd {
			n = memoryAhead
		}
		if err := w.lay(n); err != nil {
			return err
		}
	}
	if err := w.watchedFile.SyncData(); err != nil {
		return err
	}
	w.synced = w.at
	return nil
}

func (w *walFile) lay(n int64) error {
	for w.laid = w.at; w.laid < w.at+n; {
		k, err := w.WriteAt(zeros[:min(n, int64(len(zeros)))], w.laid)
		if err != nil {
			return err
		}
		w.laid += int64(k)
	}
	return nil
}
