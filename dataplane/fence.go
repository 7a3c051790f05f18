package dataplane

import (
	"errors"
	"sync/atomic"
	"time"
)

// fence keeps a host that was deposed without knowing it from sending to carriers: a lane's messages pass while
// the lane's lease holds, anything at all to a carrier while that of lane 0 does, whose leader keeps the links. The
// executor renews the leases, loops look at them when they write a message and again before octets leave. A
// host that was stopped for a while finds them run out when it goes on, before it knows anything else.
type fence struct {
	clock func() int64
	lanes int
	until []atomic.Int64 // by lane, of clock; behind them those of the lanes that guests lead, by guest
}

func newFence(clock func() int64, lanes int) fence {
	return fence{clock: clock, lanes: lanes, until: make([]atomic.Int64, lanes*(1+maxGuests))}
}

// of is the lease under which a message is sent: of its lane here, or at a guest.
func (f *fence) of(guest, lane uint16) *atomic.Int64 { return &f.until[int(guest)*f.lanes+int(lane)] }

// shut says that the lease of a lane is over.
func (f *fence) shut(lane uint16) bool { return f.clock() >= f.until[lane].Load() }

// errFenced says that a bind with a carrier was not made, or ended, because the lease of the links is over.
var errFenced = errors.New("this host's lease of the links is over: another host may keep them")

// mayKeep says why no bind may be made with a carrier now. Keepers ask; nil is a single host.
func (f *fence) mayKeep() error {
	if f != nil && f.shut(0) {
		return errFenced
	}
	return nil
}

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
	x.owe()
}

// fencedRest is how long the executor rests between two looks whether a fenced lane may send.
const fencedRest = 5 * time.Millisecond
