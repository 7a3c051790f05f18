package admin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"net/url"
	"runtime"
	"strconv"
	"sync"
	"time"
)

// Profiles are the names that Client.Profile takes: where the cores go, what was allocated, who waited for whom with a
// mutex, and where goroutines were off the core.
var Profiles = []string{"cpu", "allocs", "mutex", "block", "heap", "goroutine"}

// profiles are the endpoints of the Go runtime's profiler, in the form that `go tool pprof` reads. They cost nothing until
// somebody asks; like everything of this room they answer on loopback only.
func profiles() []endpoint {
	var c contention
	all := []endpoint{
		{http.MethodGet, "/debug/pprof/profile", []string{"seconds"}, long, pprof.Profile},
		{http.MethodGet, "/debug/pprof/trace", []string{"seconds"}, long, pprof.Trace},
	}
	for _, name := range []string{"allocs", "heap", "goroutine"} {
		all = append(all, endpoint{http.MethodGet, "/debug/pprof/" + name, []string{"seconds", "debug", "gc"}, long, pprof.Handler(name).ServeHTTP})
	}
	for _, name := range []string{"mutex", "block"} {
		all = append(all, endpoint{http.MethodGet, "/debug/pprof/" + name, []string{"seconds"}, long, c.serve(name)})
	}
	return all
}

// contention samples who waited for whom only while somebody listens: the runtime pays for each event it samples.
type contention struct {
	mu        sync.Mutex
	listeners int
}

// How much is sampled: one in mutexFraction contended mutexes, and a blocking of blockRate ns or more surely.
const (
	mutexFraction = 5
	blockRate     = 10_000
)

func (c *contention) serve(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("seconds") == "" {
			fail(w, BadRequest("the %s profile is sampled on request only: say ?seconds=10", name))
			return
		}
		c.listen(1)
		defer c.listen(-1)
		pprof.Handler(name).ServeHTTP(w, r)
	}
}

func (c *contention) listen(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners += n
	if c.listeners > 0 {
		runtime.SetMutexProfileFraction(mutexFraction)
		runtime.SetBlockProfileRate(blockRate)
	} else {
		runtime.SetMutexProfileFraction(0)
		runtime.SetBlockProfileRate(0)
	}
}

// Profile copies a profile of the running node to w, one of Profiles, sampled for as long as said; heap and goroutine tell
// the moment and take no time.
func (c *Client) Profile(ctx context.Context, name string, over time.Duration, w io.Writer) error {
	path, q := "/debug/pprof/"+name, url.Values{}
	if name == "cpu" {
		path = "/debug/pprof/profile"
	}
	if name != "heap" && name != "goroutine" {
		q.Set("seconds", strconv.Itoa(max(1, int(over.Seconds()+0.5))))
	}
	resp, err := c.do(ctx, http.MethodGet, path, q, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("read the %s profile: %w", name, err)
	}
	return nil
}
