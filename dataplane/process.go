package dataplane

import (
	"os"
	"runtime"
	"runtime/metrics"

	"smsplane/dataplane/admin"
)

// journal tells what the store was given to write.
func (s *source) journal() admin.JournalStatus {
	j := s.n.db.Stats()
	return admin.JournalStatus{Appends: j.Appends, Entries: j.Entries, Batches: j.Batches, Bytes: j.Bytes, Syncs: j.Syncs, Disk: j.Disk}
}

func process() admin.ProcessStatus {
	allocated := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/tiny/allocs:objects"}}
	metrics.Read(allocated)
	return admin.ProcessStatus{PID: os.Getpid(), Goroutines: runtime.NumGoroutine(), Cores: min(runtime.NumCPU(), runtime.GOMAXPROCS(0)),
		Allocated: allocated[0].Value.Uint64() + allocated[1].Value.Uint64()}
}
