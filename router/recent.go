package router

// RecentCount is what a carrier did with a prefix in the last five minutes.
type RecentCount struct {
	Taken     uint64 `json:"taken"`
	Refused   uint64 `json:"refused"`
	Delivered uint64 `json:"delivered"`
	Failed    uint64 `json:"failed"`
	DelayMS   int64  `json:"delay_ms"` // mean, from taken to delivered
	Failing   bool   `json:"failing"`  // passed over until a probe succeeds
}

// Recent keeps outcomes by carrier and prefix. One goroutine owns it.
type Recent struct{}

// NewRecent makes an empty one.
func NewRecent() *Recent { return &Recent{} }

// Taken, Refused, Delivered and Failed count an outcome at the instant at, unix ns. delay is nanoseconds
// from taken to delivered.
func (r *Recent) Taken(carrier uint16, n Number, at int64)                  {}
func (r *Recent) Refused(carrier uint16, n Number, at int64)                {}
func (r *Recent) Delivered(carrier uint16, n Number, at int64, delay int64) {}
func (r *Recent) Failed(carrier uint16, n Number, at int64)                 {}

// Failing reports whether the carrier only fails for the prefix of n.
func (r *Recent) Failing(carrier uint16, n Number, at int64) bool { return false }

// Usable is not Failing, or, once every two seconds, a probe: true for one message that tries again.
func (r *Recent) Usable(carrier uint16, n Number, at int64) bool { return true }

// Count sums the last five minutes.
func (r *Recent) Count(carrier uint16, n Number, at int64) RecentCount { return RecentCount{} }
