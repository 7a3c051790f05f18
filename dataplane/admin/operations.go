package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Operations are what operators do to the store and to what waits in it.
type Operations interface {
	// Stat tells what takes how much room.
	Stat(ctx context.Context) (StoreStat, error)
	// Dump prints records in words.
	Dump(ctx context.Context, q DumpQuery) ([]DumpLine, error)
	// Backup writes a consistent copy of the store to a folder of the node's host that must not exist, and
	// verifies it.
	Backup(ctx context.Context, dir string) (Report, error)
	// Refold folds the whole log from empty and compares; the log must have been kept.
	Refold(ctx context.Context) (Report, error)
	// Deed holds, releases, reroutes or purges what waits; without Yes it only counts.
	Deed(ctx context.Context, d Deed) (DeedResult, error)
	// Replay gives receipts that were due in a range of time, or messages from carriers that were taken in it, to their client
	// again; without Yes it only counts.
	Replay(ctx context.Context, r Replay) (DeedResult, error)
	// ClusterOrder adds, removes or replaces a host, or has it lead.
	ClusterOrder(ctx context.Context, o ClusterOrder) (Report, error)
}

// StoreStat is the room that the store takes.
type StoreStat struct {
	Version  int        `json:"layout_version"`
	ID       string     `json:"store_id"`
	Disk     uint64     `json:"disk_bytes"` // tables and WAL
	Free     uint64     `json:"free_bytes"` // of the file system
	Reserve  uint64     `json:"reserve_bytes"`
	Full     bool       `json:"full"` // accepting has stopped for want of room
	Resident int64      `json:"resident_bytes"`
	Sizes    []StoreUse `json:"sizes"`
	Lanes    []LaneUse  `json:"lanes"`
}

// StoreUse is what one kind of keys of a lane takes.
type StoreUse struct {
	Kind  string `json:"kind"`
	Lane  uint16 `json:"lane"`
	Keys  uint64 `json:"keys"`
	Bytes uint64 `json:"bytes"`
	Disk  uint64 `json:"table_bytes"` // estimated
}

// LaneUse is a lane's log window and what lives in memory.
type LaneUse struct {
	Lane     uint16 `json:"lane"`
	First    uint64 `json:"first"` // oldest entry in the log
	Last     uint64 `json:"last"`
	Applied  uint64 `json:"applied"`
	Resident int64  `json:"resident_bytes"`
	Live     int    `json:"live"`        // messages, receipts that wait for their client included
	Slots    uint64 `json:"table_bytes"` // of the table of live messages
	Packs    uint64 `json:"edr_packs"`
}

// DumpQuery selects records: a range of a lane's log, or one message.
type DumpQuery struct {
	Lane     uint16
	From, To uint64 // indexes; To 0 is the end
	ID       string // a message; Lane, From and To do not count then
	Limit    int    // records; 0 is DefaultDump
}

// DefaultDump bounds a dump nobody bounded; MaxDump bounds one that somebody did.
const (
	DefaultDump = 1000
	MaxDump     = 100_000
)

// DumpLine is one record, or one piece of damage.
type DumpLine struct {
	Lane   uint16    `json:"lane"`
	Index  uint64    `json:"index"`
	Time   time.Time `json:"time,omitzero"`
	Kind   string    `json:"kind"` // DAMAGED for what cannot be read
	ID     string    `json:"id,omitempty"`
	Detail string    `json:"detail"`
}

// Actions of a Deed.
var DeedActions = []string{"hold", "release", "reroute", "purge"}

// Deed selects what waits before a carrier, and says what to do with it. Empty fields do not select; a deed
// that selects everything is refused.
type Deed struct {
	Action    string        `json:"action"`
	Carrier   string        `json:"carrier,omitempty"` // of the present target
	Client    string        `json:"client,omitempty"`
	Prefix    string        `json:"prefix,omitempty"` // of the number, in digits
	Class     string        `json:"class,omitempty"`
	OlderThan time.Duration `json:"older_than_ns,omitempty"`
	Yes       bool          `json:"yes"` // false: count only
	Author    string        `json:"author"`
	Reason    string        `json:"reason"`
}

// Replay selects receipts by client and by when their messages ended, or messages from carriers by when the client took them.
type Replay struct {
	MO     bool      `json:"-"` // told by the path
	Client string    `json:"client"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
	Yes    bool      `json:"yes"`
	Author string    `json:"author"`
	Reason string    `json:"reason"`
}

// DeedResult counts what a deed found and what it did.
type DeedResult struct {
	Matched int  `json:"matched"`
	Done    int  `json:"done"`
	Dry     bool `json:"dry_run"`
	Damaged int  `json:"damaged,omitempty"` // in runs that cannot be read: nobody can say whether they match
	Gone    int  `json:"gone,omitempty"`    // match besides, and their texts are kept no more

	Elsewhere []string `json:"elsewhere,omitempty"` // lanes that it did not look at, and who leads them
}

func operations(s Source) []endpoint {
	const get, post = http.MethodGet, http.MethodPost
	return []endpoint{
		{get, "/api/v1/store/stat", nil, long, answer(func(ctx context.Context, _ *http.Request) (StoreStat, error) { return s.Stat(ctx) })},
		{get, "/api/v1/store/dump", []string{"lane", "from", "to", "id", "limit"}, long, answer(func(ctx context.Context, r *http.Request) ([]DumpLine, error) {
			q, err := dumpQuery(r)
			if err != nil {
				return nil, err
			}
			return s.Dump(ctx, q)
		})},
		{post, "/api/v1/store/backup", nil, long, answer(func(ctx context.Context, r *http.Request) (Report, error) {
			v, err := body[struct {
				Dir string `json:"dir"`
			}](r)
			if err != nil {
				return Report{}, err
			}
			return s.Backup(ctx, v.Dir)
		})},
		{get, "/api/v1/store/refold", nil, long, answer(func(ctx context.Context, _ *http.Request) (Report, error) { return s.Refold(ctx) })},
		{post, "/api/v1/queue", nil, long, answer(func(ctx context.Context, r *http.Request) (DeedResult, error) {
			v, err := body[Deed](r)
			if err != nil {
				return DeedResult{}, err
			}
			return s.Deed(ctx, v)
		})},
		{post, receiptsReplay, nil, long, replay(s, false)},
		{post, moReplay, nil, long, replay(s, true)},
	}
}

const receiptsReplay, moReplay = "/api/v1/receipts/replay", "/api/v1/mo/replay"

func replay(s Source, mo bool) http.HandlerFunc {
	return answer(func(ctx context.Context, r *http.Request) (DeedResult, error) {
		v, err := body[Replay](r)
		if err != nil {
			return DeedResult{}, err
		}
		v.MO = mo
		return s.Replay(ctx, v)
	})
}

// body reads a POST's JSON.
func body[T any](r *http.Request) (v T, err error) {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return v, badBody(err)
	}
	return v, nil
}

func dumpQuery(r *http.Request) (q DumpQuery, err error) {
	q.ID = r.FormValue("id")
	number := func(name string, bits int) (n uint64) {
		v := r.FormValue(name)
		if v == "" || err != nil {
			return 0
		}
		if n, err = strconv.ParseUint(v, 10, bits); err != nil {
			err = BadRequest("%s %q: want a number", name, v)
		}
		return n
	}
	q.Lane, q.From, q.To, q.Limit = uint16(number("lane", 16)), number("from", 64), number("to", 64), int(number("limit", 31))
	return q, err
}

func (c checked) Dump(ctx context.Context, q DumpQuery) ([]DumpLine, error) {
	if q.Limit < 0 || q.Limit > MaxDump {
		return nil, BadRequest("limit %d is outside 1 to %d", q.Limit, MaxDump)
	}
	if q.Limit == 0 {
		q.Limit = DefaultDump
	}
	l, err := c.Source.Dump(ctx, q)
	return filled(l), err
}

// Valid says what makes no sense about a deed, whatever waits; nil is nothing.
func (d *Deed) Valid() error {
	switch {
	case !slices.Contains(DeedActions, d.Action):
		return BadRequest("%q is not done to a queue; hold, release, reroute and purge are", d.Action)
	case d.Carrier == "" && d.Client == "" && d.Prefix == "" && d.Class == "" && d.OlderThan <= 0:
		return BadRequest("queue %s needs at least one of carrier, client, prefix, class, older than", d.Action)
	case d.Yes:
		return journaled("queue "+d.Action, d.Author, d.Reason)
	}
	return nil
}

// Valid is Deed.Valid for a replay.
func (r *Replay) Valid() error {
	what := "receipts replay"
	if r.MO {
		what = "mo replay"
	}
	switch {
	case r.Client == "" || r.Since.IsZero():
		return BadRequest("%s needs a client and since when", what)
	case r.Yes:
		return journaled(what, r.Author, r.Reason)
	}
	return nil
}

// maxWords is how many octets of an author, and of a reason, a record has room for.
const maxWords = 255

// journaled says what keeps an order from being journaled with who gave it, and why.
func journaled(what, author, reason string) error {
	switch {
	case reason == "":
		return BadRequest("%s needs a reason: it is journaled with the author", what)
	case author == "":
		return BadRequest("%s needs an author: he is journaled with the reason", what)
	case len(reason) > maxWords || len(author) > maxWords:
		return BadRequest("%s: author and reason are journaled, of at most %d octets each", what, maxWords)
	}
	return nil
}

func (c checked) Deed(ctx context.Context, d Deed) (DeedResult, error) {
	if err := d.Valid(); err != nil {
		return DeedResult{}, err
	}
	return c.Source.Deed(ctx, d)
}

func (c checked) Replay(ctx context.Context, r Replay) (DeedResult, error) {
	if err := r.Valid(); err != nil {
		return DeedResult{}, err
	}
	return c.Source.Replay(ctx, r)
}

func (c *Client) Stat(ctx context.Context) (StoreStat, error) {
	return ask[StoreStat](ctx, c, http.MethodGet, "/api/v1/store/stat", nil, nil)
}

func (c *Client) Dump(ctx context.Context, q DumpQuery) ([]DumpLine, error) {
	v := url.Values{"lane": {strconv.Itoa(int(q.Lane))}, "from": {strconv.FormatUint(q.From, 10)}, "to": {strconv.FormatUint(q.To, 10)},
		"limit": {strconv.Itoa(q.Limit)}}
	if q.ID != "" {
		v.Set("id", q.ID)
	}
	return ask[[]DumpLine](ctx, c, http.MethodGet, "/api/v1/store/dump", v, nil)
}

func (c *Client) Backup(ctx context.Context, dir string) (Report, error) {
	return posted[Report](ctx, c, "/api/v1/store/backup", map[string]string{"dir": dir})
}

func (c *Client) Refold(ctx context.Context) (Report, error) {
	return ask[Report](ctx, c, http.MethodGet, "/api/v1/store/refold", nil, nil)
}

func (c *Client) Deed(ctx context.Context, d Deed) (DeedResult, error) {
	return posted[DeedResult](ctx, c, "/api/v1/queue", d)
}

func (c *Client) Replay(ctx context.Context, r Replay) (DeedResult, error) {
	path := receiptsReplay
	if r.MO {
		path = moReplay
	}
	return posted[DeedResult](ctx, c, path, r)
}

// posted asks with a JSON body.
func posted[T, B any](ctx context.Context, c *Client, path string, b B) (v T, err error) {
	j, err := json.Marshal(b)
	if err != nil {
		return v, err
	}
	return ask[T](ctx, c, http.MethodPost, path, nil, j)
}
