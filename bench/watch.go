package bench

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"smsplane/dataplane/admin"
)

// sample is what the appliance counted at an instant between the question and its answer.
type sample struct {
	asked, told time.Time
	messages    map[string]uint64 // by layer, since the start
	depths      map[string]int    // messages waiting, by queue
	status      admin.Status
}

func (s *sample) at() time.Time { return s.asked.Add(s.told.Sub(s.asked) / 2) }

// look asks the appliance once.
func (s *stand) look(ctx context.Context) (sample, error) {
	v := sample{asked: time.Now(), messages: map[string]uint64{}, depths: map[string]int{}}
	st, err := s.node.Status(ctx)
	v.told, v.status = time.Now(), st
	for _, l := range st.Layers {
		v.messages[l.Name] = l.Messages
	}
	for _, q := range st.Queues {
		v.depths[q.Queue] += q.Depth
	}
	return v, err
}

// watch samples once a period on a goroutine of its own until it is ended.
type watch struct {
	mu     sync.Mutex
	all    []sample
	err    error
	cancel context.CancelFunc
	done   chan struct{}
}

func (s *stand) watch(ctx context.Context, every time.Duration) *watch {
	ctx, cancel := context.WithCancel(ctx)
	w := &watch{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			v, err := s.look(ctx)
			if ctx.Err() != nil {
				return
			}
			w.mu.Lock()
			if err != nil {
				w.err = err
			} else {
				w.all = append(w.all, v)
			}
			w.mu.Unlock()
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return w
}

// end stops the watch and returns everything seen.
func (w *watch) end() ([]sample, error) {
	w.cancel()
	<-w.done
	return w.all, w.err
}

// last is the newest sample, nil when there is none.
func (w *watch) last() *sample {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.all) == 0 {
		return nil
	}
	return &w.all[len(w.all)-1]
}

// between are the samples taken from one instant to another.
func between(all []sample, from, to time.Time) []sample {
	var in []sample
	for i := range all {
		if !all[i].asked.Before(from) && !all[i].told.After(to) {
			in = append(in, all[i])
		}
	}
	return in
}

// Rate is how fast a layer worked over a stretch of samples.
type Rate struct {
	Seconds float64 `json:"seconds"`
	Mean    float64 `json:"mean_tps"`
	Least   float64 `json:"least_second_tps"` // the slowest period, as measured
	Most    float64 `json:"most_second_tps"`  // the fastest
	// Over is by how much the fastest period surely passed the rating's share of it, in messages: the instants of counting
	// are known between question and answer only, and that is granted.
	Over float64 `json:"over_messages"`
	// Under is by how much the slowest period surely missed it.
	Under float64 `json:"under_messages"`
}

// rateOf measures count over samples against a rating.
func rateOf(in []sample, rating float64, count func(*sample) float64) (Rate, error) {
	if len(in) < 3 {
		return Rate{}, fmt.Errorf("%d samples are too few to tell a rate", len(in))
	}
	first, last := &in[0], &in[len(in)-1]
	r := Rate{Seconds: last.at().Sub(first.at()).Seconds(), Least: math.Inf(1), Over: math.Inf(-1), Under: math.Inf(-1)}
	r.Mean = (count(last) - count(first)) / r.Seconds
	for i := range in[1:] {
		a, b := &in[i], &in[i+1]
		n := count(b) - count(a)
		tps := n / b.at().Sub(a.at()).Seconds()
		r.Least, r.Most = min(r.Least, tps), max(r.Most, tps)
		r.Over = max(r.Over, n-rating*b.told.Sub(a.asked).Seconds())
		r.Under = max(r.Under, rating*b.asked.Sub(a.told).Seconds()-n)
	}
	return r, nil
}

func messages(layer string) func(*sample) float64 {
	return func(s *sample) float64 { return float64(s.messages[layer]) }
}

func depth(queue string) func(*sample) float64 {
	return func(s *sample) float64 { return float64(s.depths[queue]) }
}
