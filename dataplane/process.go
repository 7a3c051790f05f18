package dataplane

import (
	"os"
	"runtime"

	"smsplane/dataplane/admin"
)

// journal tells what the store was given to write.
func (s *source) journal() admin.JournalStatus {
	j := s.n.db.Stats()
	return admin.JournalStatus{Appends: j.Appends, Entries: j.Entries, Batches: j.Batches, Bytes: j.Bytes, Syncs: j.Syncs, Disk: j.Disk}
}

func process() admin.ProcessStatus {
	return admin.ProcessStatus{PID: os.Getpid(), Goroutines: runtime.NumGoroutine(), Cores: runtime.GOMAXPROCS(0)}
}
