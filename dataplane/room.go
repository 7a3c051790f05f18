package dataplane

import "smsplane/ledger/replica"

// A host whose disk stands at its reserve says so to the others (guard.go, cluster.Hello). Every replica is told, and decides who is
// fed and whether a lane may take something new (replica/room.go); who spreads leaders leaves such a host out (spread.go). So it
// leads nothing but lane 0, which stays, and where there are hosts enough it is sent nothing but that lane either.

// room is what a host's disk can still take.
func (f *fellows) room(id uint64) replica.Room {
	if f.heeded == nil {
		return replica.Roomy
	}
	return (*f.heeded)[id]
}

// heedRooms tells the replicas whose disk has no room, when that has changed.
func (x *executor) heedRooms() {
	f := x.fellows
	if f == nil || f.rooms == nil {
		return
	}
	rooms := f.rooms()
	if rooms == f.heeded {
		return
	}
	for id, room := range *rooms {
		if id != f.me && f.room(id) != room {
			x.log.Warn("a host's disk has reached its reserve", "host", f.name(id), "disk", room.String())
		}
	}
	if f.heeded != nil {
		for id := range *f.heeded {
			if id != f.me && (*rooms)[id] == replica.Roomy {
				x.log.Warn("a host's disk has room again", "host", f.name(id))
			}
		}
	}
	f.heeded = rooms
	for _, l := range x.lanes {
		if !l.away {
			l.rep.SetRooms(*rooms)
		}
	}
}

// heedRoom tells the loop whether clients of the lane are to be refused for want of room elsewhere.
func (l *lane) heedRoom() {
	if l.x.fellows == nil || l.rep.Cramped() == l.cramped {
		return
	}
	e := event{kind: evCramped, lane: l.n}
	if l.cramped = !l.cramped; l.cramped {
		e.status = 1
	}
	l.x.ports[l.loop].push(e)
}
