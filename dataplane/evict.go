package dataplane

// evict lets blocks leave memory while all lanes together hold more than there is room for: each time the oldest of the lane that
// holds most. So a lane that has come to rest with a long queue does not leave the others to read back all they work on.
func (x *executor) evict() {
	for over := x.resident() - x.maxResident; over > 0; {
		l := x.fullest()
		if l == nil {
			return
		}
		before := l.log.Resident()
		for l.log.Resident() == before && l.evictable() {
			l.log.Evict(l.evictAt)
			l.evictAt++
		}
		over -= before - l.log.Resident()
	}
}

// fullest is the lane with the most bytes of blocks in memory, of those that have some to spare; nil when none has.
func (x *executor) fullest() (most *lane) {
	for _, l := range x.lanes {
		if l.evictAt = max(l.evictAt, l.log.First()); l.evictable() && (most == nil || l.log.Resident() > most.log.Resident()) {
			most = l
		}
	}
	return most
}

// evictable says that a block of the lane was applied and has not been looked at by evict; of a lane that is read anew none is.
func (l *lane) evictable() bool { return !l.loading && l.evictAt < l.book.Applied() }
