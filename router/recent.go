package router

// Recent keeps what each carrier did with the numbers of each prefix over the last five minutes, and says
// which of them only fail.
//
// A carrier fails for a prefix when it refused the last messages offered to it, none taken in between:
// runLong in a row, or runShort if they lie at least runSpan apart, so that little traffic suffices and a
// hiccup of milliseconds does not. Independently of that it fails when the last runLong receipts all said
// that the message did not arrive. It is usable again when a probe is taken, or a receipt says delivered;
// or when nothing was heard for five minutes.
//
// Memory is fixed: a table of sets, in which a new pair of carrier and prefix takes the place of the one
// silent for longest. There are no pointers in it. One goroutine owns it.
type Recent struct {
	entries []recentEntry // recentSets sets of recentWays
}

// A set holds the pairs with the same hash: 256 × 8 × about 1 KiB is 2.1 MiB.
const (
	recentSets  = 256
	recentWays  = 8
	bucketSpan  = 10_000_000_000 // ns
	bucketCount = 30
	window      = bucketSpan * bucketCount // five minutes

	// prefixDigits is the depth at which carriers differ: a country code and, for most countries, the
	// network. 49151 and 49152 are kept apart.
	prefixDigits = 5

	runLong    = 8
	runShort   = 3
	runSpan    = 1_000_000_000 // ns
	probeEvery = 2_000_000_000 // ns
)

type recentEntry struct {
	key     uint64 // 0 is free
	heard   int64  // last outcome, unix ns
	refused run
	failed  run
	probed  int64 // when the last probe was let through, or the run began
	buckets [bucketCount]bucket
}

// run counts bad outcomes in a row.
type run struct {
	count       uint32
	since, last int64 // first and last of them, unix ns
	opened      int64 // when they became a failure, 0: not yet
}

// bucket is ten seconds of outcomes.
type bucket struct {
	slot                              uint32 // unix time in buckets; others than the wanted are stale
	taken, refused, delivered, failed uint32
	delay                             uint64 // ms, summed over delivered
}

// RecentCount is what a carrier did with a prefix in the last five minutes.
type RecentCount struct {
	Taken     uint64  `json:"taken"`
	Refused   uint64  `json:"refused"`
	Delivered uint64  `json:"delivered"`
	Failed    uint64  `json:"failed"`
	DelayMS   float64 `json:"delay_ms"` // mean, from taken to delivered
	Usable    bool    `json:"usable"`   // false: tried behind the others until a probe succeeds
}

// NewRecent makes an empty one.
func NewRecent() *Recent {
	return &Recent{entries: make([]recentEntry, recentSets*recentWays)}
}

func recentKey(carrier uint16, n Number) uint64 {
	return 1<<63 | uint64(carrier)<<32 | n.head(prefixDigits)
}

func (r *Recent) set(key uint64) []recentEntry {
	i := int(mix(key)%recentSets) * recentWays
	return r.entries[i : i+recentWays]
}

// find is the entry of a pair; nil when nothing is known of it.
func (r *Recent) find(carrier uint16, n Number) *recentEntry {
	key := recentKey(carrier, n)
	set := r.set(key)
	for i := range set {
		if set[i].key == key {
			return &set[i]
		}
	}
	return nil
}

// hear is the entry of a pair, made in the place of the one silent for longest if need be.
func (r *Recent) hear(carrier uint16, n Number, at int64) (*recentEntry, *bucket) {
	e := r.find(carrier, n)
	if e == nil {
		key := recentKey(carrier, n)
		set := r.set(key)
		e = &set[0]
		for i := range set {
			if set[i].heard < e.heard {
				e = &set[i]
			}
		}
		*e = recentEntry{key: key}
	}
	e.heard = at
	slot := uint32(at / bucketSpan)
	b := &e.buckets[slot%bucketCount]
	if b.slot != slot {
		*b = bucket{slot: slot}
	}
	return e, b
}

// Taken counts a message that the carrier accepted at the instant at, unix ns.
func (r *Recent) Taken(carrier uint16, n Number, at int64) {
	e, b := r.hear(carrier, n, at)
	b.taken++
	e.refused = run{}
}

// Refused counts a message that the carrier answered with an error.
func (r *Recent) Refused(carrier uint16, n Number, at int64) {
	e, b := r.hear(carrier, n, at)
	b.refused++
	e.bad(&e.refused, at)
}

// Delivered counts a receipt that says so; delay is nanoseconds since the carrier took the message. It says
// nothing about refusals: it is about an older message.
func (r *Recent) Delivered(carrier uint16, n Number, at int64, delay int64) {
	e, b := r.hear(carrier, n, at)
	b.delivered++
	b.delay += uint64(max(delay, 0)) / 1_000_000
	e.failed = run{}
}

// Failed counts a receipt that says that the message did not arrive.
func (r *Recent) Failed(carrier uint16, n Number, at int64) {
	e, b := r.hear(carrier, n, at)
	b.failed++
	e.bad(&e.failed, at)
}

func (e *recentEntry) bad(r *run, at int64) {
	if r.count == 0 || at-r.last > window {
		*r = run{since: at}
		e.probed = max(e.probed, at) // the first probe comes probeEvery after the trouble began
	}
	r.count++
	r.last = at
	if r.opened == 0 && e.failing(at) {
		r.opened = at
	}
}

func (e *recentEntry) failing(at int64) bool {
	refused := e.refused.count >= runLong || e.refused.count >= runShort && at-e.refused.since >= runSpan
	return refused && at-e.refused.last <= window || e.failed.count >= runLong && at-e.failed.last <= window
}

// Failing reports whether the carrier only fails for the prefix of n.
func (r *Recent) Failing(carrier uint16, n Number, at int64) bool {
	e := r.find(carrier, n)
	return e != nil && e.failing(at)
}

// Opened is since when the carrier only fails for the prefix of n; 0 when it does not.
func (r *Recent) Opened(carrier uint16, n Number, at int64) int64 {
	e := r.find(carrier, n)
	if e == nil || !e.failing(at) {
		return 0
	}
	return max(e.refused.opened, e.failed.opened)
}

// Usable is not Failing, or a probe: every two seconds it is true for one message, which tries again.
func (r *Recent) Usable(carrier uint16, n Number, at int64) bool {
	e := r.find(carrier, n)
	if e == nil || !e.failing(at) {
		return true
	}
	if at-e.probed < probeEvery {
		return false
	}
	e.probed = at
	return true
}

// Count sums the last five minutes.
func (r *Recent) Count(carrier uint16, n Number, at int64) RecentCount {
	var c RecentCount
	e := r.find(carrier, n)
	if e == nil {
		c.Usable = true
		return c
	}
	var delay uint64
	for i := range e.buckets {
		b := &e.buckets[i]
		if age := at/bucketSpan - int64(b.slot); age < 0 || age >= bucketCount {
			continue
		}
		c.Taken += uint64(b.taken)
		c.Refused += uint64(b.refused)
		c.Delivered += uint64(b.delivered)
		c.Failed += uint64(b.failed)
		delay += b.delay
	}
	if c.Delivered > 0 {
		c.DelayMS = float64(delay) / float64(c.Delivered)
	}
	c.Usable = !e.failing(at)
	return c
}
