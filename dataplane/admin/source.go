package admin

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"smsplane/router"
)

// Source is what a running node or an opened store can tell and do. Any goroutine may call it. An answer
// that is somebody's fault other than ours is a *Problem; every other error is told as an internal one.
type Source interface {
	Operations
	// Ready says whether binds are accepted. A draining node is not ready.
	Ready() bool
	Status(ctx context.Context) (Status, error)
	// Trace tells the life of one message, by our id or a carrier's, in order, out and back.
	Trace(ctx context.Context, id string) ([]TraceLine, error)
	Find(ctx context.Context, q FindQuery) ([]Found, error)
	// EDRs hands out the records of messages that ended, a page at a time: by lane, in each in the order that they ended.
	EDRs(ctx context.Context, q EDRQuery) (EDRPage, error)
	// Apply validates the catalog files, keyed by path relative to the catalog folder, tells what would
	// change and, unless dry, applies it whole. Problems are part of the answer, not an error.
	Apply(ctx context.Context, a Application) (ApplyResult, error)
	Explain(ctx context.Context, client, from, to string) (Explain, error)
	Links(ctx context.Context) ([]LinkInfo, error)
	Queues(ctx context.Context) ([]QueueInfo, error)
	// Doubt lists what is in doubt now or, with resent, every message sent a second time out of doubt.
	Doubt(ctx context.Context, resent bool) ([]DoubtInfo, error)
	// Link gives an order about links and returns to how many.
	Link(ctx context.Context, o LinkOrder) (int, error)
	// DoubtOrder resends or drops a message in doubt.
	DoubtOrder(ctx context.Context, o DoubtOrder) error
	// Audit proves the books: counts add up, every message's entries sum to zero.
	Audit(ctx context.Context) (Report, error)
	// Check reads the whole store and verifies checksums and invariants.
	Check(ctx context.Context) (Report, error)
	// Layer pauses or resumes router, verifier or egress.
	Layer(ctx context.Context, layer, action string) error
}

// Problem is an error that the asker can do something about. Status is an HTTP status.
type Problem struct {
	Status int
	Text   string
}

func (p *Problem) Error() string { return p.Text }

// BadRequest says that the question itself is wrong.
func BadRequest(format string, args ...any) *Problem {
	return &Problem{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// NotFound says that the question is right and there is nothing of that name.
func NotFound(format string, args ...any) *Problem {
	return &Problem{http.StatusNotFound, fmt.Sprintf(format, args...)}
}

// Unavailable says that this Source cannot do it now: the node drains, or only a running node can.
func Unavailable(format string, args ...any) *Problem {
	return &Problem{http.StatusServiceUnavailable, fmt.Sprintf(format, args...)}
}

// Status is the node at one instant.
type Status struct {
	Node     string         `json:"node"`
	Version  string         `json:"version"`
	State    string         `json:"state"` // starting, serving, draining, stopped
	Started  time.Time      `json:"started,omitzero"`
	Recovery *Recovery      `json:"recovery,omitempty"` // while it is starting
	Catalog  CatalogStatus  `json:"catalog"`
	Layers   []LayerStatus  `json:"layers"`
	Books    Books          `json:"books"`
	Alerts   Alerts         `json:"alerts"`
	Lanes    []LaneStatus   `json:"lanes"`
	Links    []LinkInfo     `json:"links"`
	Queues   []QueueInfo    `json:"queues"`
	Sessions Sessions       `json:"sessions"`
	Threads  []ThreadStatus `json:"threads"`
	Journal  JournalStatus  `json:"journal"`
	Process  ProcessStatus  `json:"process"`
	Cluster  *ClusterStatus `json:"cluster,omitempty"` // nil on a single host
}

// Recovery is how far a node that is starting has come.
type Recovery struct {
	Doing string `json:"doing"`
	Lane  uint16 `json:"lane"`
	Lanes int    `json:"lanes"`
	Index uint64 `json:"index"` // of the lane's log
	Last  uint64 `json:"last"`  // where that ends; 0 while it is not known
}

func (r *Recovery) String() string {
	s := fmt.Sprintf("%s of lane %d, of %d lanes", r.Doing, r.Lane, r.Lanes)
	if r.Last > 0 {
		s += fmt.Sprintf(": index %d of %d", r.Index, r.Last)
	}
	return s
}

// JournalStatus is what the store was given to write since the process started.
type JournalStatus struct {
	Appends uint64 `json:"appends"` // requests of the lanes
	Entries uint64 `json:"entries"` // blocks in them
	Batches uint64 `json:"batches"` // written as one
	Bytes   uint64 `json:"bytes"`   // of all batches
	Syncs   uint64 `json:"syncs"`   // each makes all before it durable
	Disk    uint64 `json:"disk_bytes"`
}

// ProcessStatus is the program itself.
type ProcessStatus struct {
	PID        int    `json:"pid"`
	Goroutines int    `json:"goroutines"`
	Allocated  uint64 `json:"allocated"` // objects on the heap since the start; tiny ones, and the blocks that they share, too
	Cores      int    `json:"cores"`     // it may use at once
}

// CatalogStatus tells the applied catalog and whether the folder on disk says something else.
type CatalogStatus struct {
	Version uint32    `json:"version"`
	Applied time.Time `json:"applied,omitzero"`
	Author  string    `json:"author,omitempty"`
	Folder  string    `json:"folder,omitempty"`
	Differs bool      `json:"differs"` // the folder is not what was applied
	Changes []string  `json:"changes,omitempty"`
}

// LayerStatus is one of the eight layers. Counts run since the process started.
type LayerStatus struct {
	Name     string            `json:"name"`
	Workers  int               `json:"workers"`
	Messages uint64            `json:"messages"`
	TPS      float64           `json:"tps"`       // over the last ten seconds
	Limit    float64           `json:"limit_tps"` // rating of all its workers; 0 = none
	P50      float64           `json:"p50_ms"`    // of what each layer measures, see docs/operations.md
	P99      float64           `json:"p99_ms"`
	Refusals uint64            `json:"refusals"`
	Reasons  map[string]uint64 `json:"reasons,omitempty"` // refusals by reason or command_status name
	Paused   bool              `json:"paused"`
}

// Books are the counts of every message ever accepted. At any instant
// Accepted = Delivered + Failed + Expired + Sent + Unknown + InFlight + InDoubt.
type Books struct {
	Accepted         uint64 `json:"accepted"`
	Delivered        uint64 `json:"delivered"`
	Failed           uint64 `json:"failed"`
	Expired          uint64 `json:"expired"`
	Sent             uint64 `json:"sent"`
	Unknown          uint64 `json:"unknown"`
	InFlight         uint64 `json:"in_flight"`
	InDoubt          uint64 `json:"in_doubt"`
	Resent           uint64 `json:"resent"`
	ReceiptsReturned uint64 `json:"receipts_returned"`
	ReceiptsParked   uint64 `json:"receipts_parked"`
	LedgerSumMicro   int64  `json:"ledger_sum_micro"`
}

// AddUp says whether the counts and the ledger prove each other.
func (b Books) AddUp() bool {
	ended := b.Delivered + b.Failed + b.Expired + b.Sent + b.Unknown
	return b.Accepted == ended+b.InFlight+b.InDoubt && b.LedgerSumMicro == 0
}

// Alerts counts the alert_notifications of carriers since the process started. They have no answer and are not kept.
type Alerts struct {
	Relayed  uint64 `json:"relayed"`  // written to a client
	Unrouted uint64 `json:"unrouted"` // no mo rule names a client for their esme_addr
	Unbound  uint64 `json:"unbound"`  // the client has no bind that could take it
	Dropped  uint64 `json:"dropped"`  // malformed, or more than client or node kept up with
}

// LaneStatus is one raft group.
type LaneStatus struct {
	Lane      uint16 `json:"lane"`
	Leader    bool   `json:"leader"`
	Term      uint64 `json:"term"`
	Committed uint64 `json:"committed"`
	Applied   uint64 `json:"applied"`
	First     uint64 `json:"first"` // oldest entry still in the log
	Resident  int64  `json:"resident_bytes"`
	Accounts  int    `json:"accounts"`

	LedBy      string    `json:"led_by,omitempty"`  // in a cluster: the host that leads it, empty when none is known
	SingleCopy bool      `json:"single_copy"`       // what is acknowledged now may be on one host only; its leader knows
	Fenced     bool      `json:"fenced,omitempty"`  // led here, and nothing may be sent to carriers just now
	Loading    bool      `json:"loading,omitempty"` // its books are being read anew
	Damaged    string    `json:"damaged,omitempty"` // this host's copy is, and how; it is asked for anew
	Others     []LaneLag `json:"others,omitempty"`  // its leader knows
}

// ThreadStatus is one thread of the data plane and the workers that it polls.
type ThreadStatus struct {
	Name    string  `json:"name"`
	Core    int     `json:"core"` // -1: wherever the kernel puts it
	Duty    float64 `json:"duty"` // share of the last second that it worked; -1: not measured
	Idle    float64 `json:"idle"` // the rest of it; -1: not measured
	Workers string  `json:"workers"`
}

// Sessions are the binds towards clients.
type Sessions struct {
	Bound    int `json:"bound"`
	PreBind  int `json:"pre_bind"`
	Receiver int `json:"receiver"` // of the bound, those that can take a deliver_sm
}

// TraceLine is one step of one message, from a journaled fact.
type TraceLine struct {
	Layer  string    `json:"layer"`
	Time   time.Time `json:"time"`
	Worker string    `json:"worker"`
	Event  string    `json:"event"`
	Detail string    `json:"detail"`
}

// FindQuery selects messages; empty fields do not select. Limit 0 means DefaultFind.
type FindQuery struct {
	To, From  string // numbers as the client wrote them or in E.164; a trailing * matches a prefix
	Client    string
	CarrierID string // the id a carrier gave
	Since     time.Time
	Limit     int
}

// DefaultFind bounds an answer nobody bounded; MaxFind bounds one that somebody did.
const (
	DefaultFind = 100
	MaxFind     = 10_000
)

// Found is one message, newest first in an answer.
type Found struct {
	ID        string    `json:"id"`
	Client    string    `json:"client"`
	From      string    `json:"from"`
	To        string    `json:"to"`
	Accepted  time.Time `json:"accepted_at"`
	State     string    `json:"state"`
	Carrier   string    `json:"carrier,omitempty"`
	CarrierID string    `json:"carrier_id,omitempty"`
	Parts     int       `json:"parts"`
}

// Application asks for a catalog. Files are keyed by slash-separated path relative to the catalog folder.
type Application struct {
	Files  map[string][]byte `json:"files"`
	Dry    bool              `json:"dry_run"`
	Author string            `json:"author"`
}

// ApplyResult tells what an application changed, or would. With Problems nothing was applied.
type ApplyResult struct {
	Version  uint32   `json:"version"` // in force after the call
	Applied  bool     `json:"applied"`
	Changes  []string `json:"changes"`
	Problems []string `json:"problems"`
}

// LinkBound is the State of a link's session that can carry messages; what the others are is up to the
// link and told by Reason.
const LinkBound = "bound"

// LinkInfo is one session of one link to a carrier.
type LinkInfo struct {
	Carrier  string    `json:"carrier"`
	Link     int       `json:"link"`
	Session  int       `json:"session"`
	Address  string    `json:"address"`
	State    string    `json:"state"` // LinkBound, connecting, down, refused, paused, draining, drained
	Since    time.Time `json:"since,omitzero"`
	Reason   string    `json:"reason"` // why it is in this state, in words
	Window   int       `json:"window"`
	InFlight int       `json:"in_flight"` // given to it, and not answered: what waits for its DISPATCH, its window or its rate counts, too
	// Unanswered is what the carrier was sent and has not answered, never above Window.
	Unanswered int     `json:"unanswered"`
	TPS        float64 `json:"tps"`       // over the last ten seconds
	Limit      float64 `json:"limit_tps"` // 0 = unlimited
	Sent       uint64  `json:"sent"`
	Answered   uint64  `json:"answered"`
	Refused    uint64  `json:"refused"`

	RoundTrip     float64 `json:"round_trip_ms"`               // of its last answers; 0 before the first
	Bears         float64 `json:"bears_tps,omitempty"`         // what the carrier's answers cut the link to; 0 = they did not
	CarrierLimit  float64 `json:"carrier_limit_tps,omitempty"` // over all links of the carrier; 0 = unlimited
	CarrierWindow int     `json:"carrier_window,omitempty"`    // the same for what is unanswered
	Why           string  `json:"why_not_faster,omitempty"`    // of a bound session

	// How the receipts that came by the link name messages, and how many of them did.
	IDRule    string  `json:"id_rule"`
	IDRuleBy  string  `json:"id_rule_by"` // learning, learned, set
	Receipts  uint64  `json:"receipts"`
	MatchRate float64 `json:"match_rate"` // of the receipts; 1 when none came
}

// LinkOrder is an operator's word on one link of a carrier, or on all of them (Link < 0). It is journaled.
type LinkOrder struct {
	Carrier string `json:"carrier"`
	Link    int    `json:"link"`
	Verb    string `json:"verb"` // one of LinkVerbs
	Author  string `json:"author"`
}

// DoubtOrder is an operator's word on a message in doubt. It is journaled.
type DoubtOrder struct {
	ID     string `json:"id"`
	Verb   string `json:"verb"` // one of DoubtVerbs
	Author string `json:"author"`
}

// QueueInfo is one queue: "external" before the router, "internal" by carrier and class, "receipts", "backlog" (parked
// while the client was away) and "set_aside" (refused by it) by client, "resting", "damaged" (in a run that cannot be read).
type QueueInfo struct {
	Queue     string  `json:"queue"`
	Lane      uint16  `json:"lane"`
	Carrier   string  `json:"carrier,omitempty"`
	Client    string  `json:"client,omitempty"`
	Class     string  `json:"class,omitempty"`
	Depth     int     `json:"depth"`
	OldestAge float64 `json:"oldest_age_s"`
}

// Explain is how the router would send a message now, and why.
type Explain = router.Explain

// DoubtInfo is one message that was dispatched and never answered before its link or the process died.
type DoubtInfo struct {
	ID      string    `json:"id"`
	Carrier string    `json:"carrier"`
	Client  string    `json:"client"`
	To      string    `json:"to"`
	Since   time.Time `json:"since"`
	Policy  string    `json:"policy"` // resend, hold, expire
	State   string    `json:"state"`
}

// Report is the answer of audit and of store check. OK only if everything was proven.
type Report struct {
	OK    bool     `json:"ok"`
	Lines []string `json:"lines"`
	Books *Books   `json:"books,omitempty"` // audit only
}
