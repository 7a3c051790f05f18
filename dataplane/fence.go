package dataplane

import (
	"sync/atomic"
	"time"
)

// fence keeps a host that was deposed without knowing it from sending to carriers: a lane's messages pass while
// the lane's lease holds, anything at all to a carrier while that of lane 0 does, whose leader keeps the links. The
// executor renews the leases, loops look at them when they write a message and again before octets leave. A
// host that was stopped for a while finds them run out when it goes on, before it knows anything else.
type fence struct {
	clock func() int64
	until []atomic.Int64 // by lane, of clock
}

// shut says that the lease of a lane is over.
func (f *fence) shut(lane uint16) bool { return f.clock() >= f.until[lane].Load() }

// fence renews the leases and notes which lanes may send to carriers now. A new leader waits until those of its
// predecessors have run out.
func (x *executor) fence() {
	f := x.fellows
	if f == nil {
		return
	}
	x.fenced = false
	boot := int64(0)
	for _, l := range x.lanes {
		lease := int64(0)
		if l.leading {
			if boot == 0 {
				boot = f.clock()
			}
			lease = l.rep.Lease()
			l.fenced = boot < l.rep.SendFrom() || boot >= lease
			x.fenced = x.fenced || l.fenced
		}
		f.fence.until[l.n].Store(lease)
	}
}

// fencedRest is how long the executor rests between two looks whether a fenced lane may send.
const fencedRest = 5 * time.Millisecond
