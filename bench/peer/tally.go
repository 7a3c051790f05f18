package peer

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

const (
	chunkBits = 16
	chunkLen  = 1 << chunkBits
	chunkMask = chunkLen - 1
)

// Arrivals counts, for one run, how often each message was taken (answered with status 0). Safe for many goroutines.
type Arrivals struct {
	mu     sync.Mutex // makes chunks
	chunks [maxIndex / chunkLen]atomic.Pointer[[chunkLen]atomic.Uint32]
	top    atomic.Int64 // one past the highest index seen
}

// add counts message i, which must be below maxIndex, and returns how often it has been taken now.
func (a *Arrivals) add(i, n uint32) uint32 {
	c := a.chunks[i>>chunkBits].Load()
	if c == nil {
		c = a.grow(i)
	}
	for top := a.top.Load(); int64(i) >= top; top = a.top.Load() {
		if a.top.CompareAndSwap(top, int64(i)+1) {
			break
		}
	}
	return c[i&chunkMask].Add(n)
}

func (a *Arrivals) grow(i uint32) *[chunkLen]atomic.Uint32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := &a.chunks[i>>chunkBits]
	if p.Load() == nil {
		p.Store(new([chunkLen]atomic.Uint32))
	}
	return p.Load()
}

// Count is how often message i was taken.
func (a *Arrivals) Count(i uint32) uint32 {
	if i >= maxIndex {
		return 0
	}
	c := a.chunks[i>>chunkBits].Load()
	if c == nil {
		return 0
	}
	return c[i&chunkMask].Load()
}

// Top is one past the highest index taken.
func (a *Arrivals) Top() uint32 { return uint32(a.top.Load()) }

// MarshalJSON writes the counts as gzip in base64 (a run of ones costs next to nothing), with totals for the reader.
func (a *Arrivals) MarshalJSON() ([]byte, error) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	out := arrivalsJSON{Top: a.Top()}
	buf := make([]byte, 0, 4096)
	for i := range out.Top {
		n := a.Count(i)
		out.add(n)
		buf = append(buf, byte(min(n, 255)))
		if len(buf) == cap(buf) || i == out.Top-1 {
			w.Write(buf) // a bytes.Buffer takes everything
			buf = buf[:0]
		}
	}
	w.Close()
	out.Counts = z.Bytes()
	return json.Marshal(out)
}

type arrivalsJSON struct {
	Top      uint32 `json:"indices"`
	Unique   int64  `json:"unique"`
	Repeated int64  `json:"repeated"` // beyond a message's first
	Missing  int64  `json:"missing"`  // below the highest index, never taken
	Counts   []byte `json:"counts"`   // one octet per index, at most 255; gzip
}

func (j *arrivalsJSON) add(n uint32) {
	if n == 0 {
		j.Missing++
		return
	}
	j.Unique++
	j.Repeated += int64(n) - 1
}

// UnmarshalJSON reads what MarshalJSON wrote, adding to what a holds already.
func (a *Arrivals) UnmarshalJSON(b []byte) error {
	var in arrivalsJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	z, err := gzip.NewReader(bytes.NewReader(in.Counts))
	if err != nil {
		return fmt.Errorf("arrivals: %w", err)
	}
	counts, err := io.ReadAll(io.LimitReader(z, maxIndex+1))
	if err != nil {
		return fmt.Errorf("arrivals: %w", err)
	}
	if len(counts) != int(in.Top) || in.Top > maxIndex {
		return fmt.Errorf("arrivals: %d counts for %d indices", len(counts), in.Top)
	}
	for i, n := range counts {
		if n > 0 {
			a.add(uint32(i), uint32(n))
		}
	}
	return nil
}

// runs is a bounded table of Arrivals by run number.
type runs struct {
	mu sync.RWMutex
	m  map[uint32]*Arrivals
}

// get returns the arrivals of a run, nil when the table is full.
func (r *runs) get(run uint32) *Arrivals {
	r.mu.RLock()
	a := r.m[run]
	r.mu.RUnlock()
	if a != nil {
		return a
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if a = r.m[run]; a == nil && len(r.m) < maxRuns {
		if r.m == nil {
			r.m = map[uint32]*Arrivals{}
		}
		a = &Arrivals{}
		r.m[run] = a
	}
	return a
}

func (r *runs) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.m)
}

func (r *runs) names() map[string]*Arrivals {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make(map[string]*Arrivals, len(r.m))
	for run, a := range r.m {
		out[runName(run)] = a
	}
	return out
}

// Tally is what a carrier saw so far. It travels as JSON between processes.
type Tally struct {
	Binds            int64                `json:"binds"`
	BindsRefused     int64                `json:"binds_refused"`
	Submits          int64                `json:"submits"`   // every submit_sm read
	Taken            int64                `json:"taken"`     // answered status 0
	Throttled        int64                `json:"throttled"` // by the rate limit or a full answer queue
	Refused          map[string]int64     `json:"refused"`   // by the name of the status, throttling aside
	Malformed        int64                `json:"malformed"`
	Untagged         int64                `json:"untagged"` // taken, but without a tag this tally can hold
	ReceiptsMade     int64                `json:"receipts_made"`
	ReceiptsFailing  int64                `json:"receipts_failing"` // of those made, UNDELIV
	ReceiptsSent     int64                `json:"receipts_sent"`
	ReceiptsAnswered int64                `json:"receipts_answered"` // deliver_sm_resp status 0
	ReceiptsRefused  int64                `json:"receipts_refused"`  // deliver_sm_resp with another status; sent again after 1 s when it says later
	ReceiptsAgain    int64                `json:"receipts_again"`    // sent again after their connection ended unanswered
	ReceiptsDropped  int64                `json:"receipts_dropped"`  // no room to keep them
	MOSent           int64                `json:"mo_sent"`
	MOAnswered       int64                `json:"mo_answered"`
	Runs             map[string]*Arrivals `json:"runs"`
}
