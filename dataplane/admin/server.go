package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// How long an endpoint may work: quick ones read memory, long ones the store, or all of its archive.
const (
	quick = 10 * time.Second
	long  = 10 * time.Minute
	flush = 5 * time.Second // to write the answer, after the work
)

// MaxBody bounds a POST; a catalog of a million rates is about 45 MiB of CSV, 60 as base64 in JSON.
const MaxBody = 64 << 20

// endpoint answers one path with one method.
type endpoint struct {
	method string
	path   string
	params []string // query parameters it knows; any other is an error
	within time.Duration
	serve  http.HandlerFunc
}

// Handler answers for s below /livez, /readyz, /metrics, /api/v1 and /debug/pprof.
func Handler(s Source) http.Handler {
	s = Checked(s)
	mux := http.NewServeMux()
	for _, e := range append(endpoints(s), profiles()...) {
		mux.Handle(e.path, e)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, NotFound("there is nothing at %s", r.URL.Path))
	})
	return local(http.NewCrossOriginProtection().Handler(mux))
}

func endpoints(s Source) []endpoint {
	const get, post = http.MethodGet, http.MethodPost
	return append(append(append(operations(s), clusterEndpoints(s)...), edrEndpoint(s)), []endpoint{
		{get, "/livez", nil, quick, func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "alive") }},
		{get, "/readyz", nil, quick, func(w http.ResponseWriter, _ *http.Request) {
			if s.Ready() {
				say(w, http.StatusOK, "ready")
			} else {
				say(w, http.StatusServiceUnavailable, "not ready")
			}
		}},
		{get, "/metrics", nil, quick, metricsHandler(s).ServeHTTP},
		{get, "/api/v1/status", nil, quick, answer(func(ctx context.Context, _ *http.Request) (Status, error) {
			return s.Status(ctx)
		})},
		{get, "/api/v1/trace", []string{"id"}, long, answer(func(ctx context.Context, r *http.Request) ([]TraceLine, error) {
			return s.Trace(ctx, r.FormValue("id"))
		})},
		{get, "/api/v1/find", findParams, long, answer(func(ctx context.Context, r *http.Request) ([]Found, error) {
			q, err := findQuery(r)
			if err != nil {
				return nil, err
			}
			return s.Find(ctx, q)
		})},
		{post, "/api/v1/apply", nil, long, answer(func(ctx context.Context, r *http.Request) (ApplyResult, error) {
			var a Application
			d := json.NewDecoder(r.Body)
			d.DisallowUnknownFields()
			if err := d.Decode(&a); err != nil {
				return ApplyResult{}, badBody(err)
			}
			return s.Apply(ctx, a)
		})},
		{get, "/api/v1/route/explain", []string{"client", "from", "to"}, quick, answer(func(ctx context.Context, r *http.Request) (Explain, error) {
			return s.Explain(ctx, r.FormValue("client"), r.FormValue("from"), r.FormValue("to"))
		})},
		{get, "/api/v1/links", nil, quick, answer(func(ctx context.Context, _ *http.Request) ([]LinkInfo, error) {
			return s.Links(ctx)
		})},
		{get, "/api/v1/queues", nil, quick, answer(func(ctx context.Context, _ *http.Request) ([]QueueInfo, error) {
			return s.Queues(ctx)
		})},
		{get, "/api/v1/doubt", []string{"resent"}, long, answer(func(ctx context.Context, r *http.Request) ([]DoubtInfo, error) {
			resent, err := flag(r, "resent")
			if err != nil {
				return nil, err
			}
			return s.Doubt(ctx, resent)
		})},
		{get, "/api/v1/audit", nil, long, answer(func(ctx context.Context, _ *http.Request) (Report, error) {
			return s.Audit(ctx)
		})},
		{get, "/api/v1/check", nil, long, answer(func(ctx context.Context, _ *http.Request) (Report, error) {
			return s.Check(ctx)
		})},
		{post, "/api/v1/link", nil, quick, answer(func(ctx context.Context, r *http.Request) (linksOrdered, error) {
			o, err := ordered[LinkOrder](r)
			if err != nil {
				return linksOrdered{}, err
			}
			n, err := s.Link(ctx, o)
			return linksOrdered{n}, err
		})},
		{post, "/api/v1/doubt/order", nil, quick, answer(func(ctx context.Context, r *http.Request) (struct{}, error) {
			o, err := ordered[DoubtOrder](r)
			if err != nil {
				return struct{}{}, err
			}
			return struct{}{}, s.DoubtOrder(ctx, o)
		})},
		{post, "/api/v1/layer/{layer}/{action}", nil, quick, answer(func(ctx context.Context, r *http.Request) (struct{}, error) {
			return struct{}{}, s.Layer(ctx, r.PathValue("layer"), r.PathValue("action"))
		})},
	}...)
}

// linksOrdered tells how many links an order was about.
type linksOrdered struct {
	Links int `json:"links"`
}

// ordered reads an order.
func ordered[T any](r *http.Request) (o T, err error) {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		return o, badBody(err)
	}
	return o, nil
}

// ServeHTTP checks what can be checked without knowing the endpoint, and bounds it.
func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != e.method && !(r.Method == http.MethodHead && e.method == http.MethodGet) {
		w.Header().Set("Allow", e.method)
		fail(w, &Problem{http.StatusMethodNotAllowed, fmt.Sprintf("%s takes %s only", r.URL.Path, e.method)})
		return
	}
	if e.method == http.MethodPost {
		// A form or plain text could be posted by any web page without asking first; JSON cannot.
		if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
			fail(w, &Problem{http.StatusUnsupportedMediaType, "a POST needs Content-Type: application/json"})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
	}
	for name := range r.URL.Query() {
		if !slices.Contains(e.params, name) {
			fail(w, BadRequest("%s knows no parameter %q", r.URL.Path, name))
			return
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), e.within)
	defer cancel()
	// A recorder in a test has no deadline to set; a connection always has.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(e.within + flush))
	e.serve(w, r.WithContext(ctx))
}

func local(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !localHost(r.Host) {
			fail(w, &Problem{http.StatusForbidden, fmt.Sprintf("host %q is not a loopback address", r.Host)})
			return
		}
		h.ServeHTTP(w, r)
	})
}

func answer[T any](f func(context.Context, *http.Request) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := f(r.Context(), r)
		if err != nil {
			fail(w, err)
			return
		}
		send(w, http.StatusOK, v)
	}
}

// failure is the body of every answer that is not what was asked for.
type failure struct {
	Error string `json:"error"`
}

func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var p *Problem
	switch {
	case errors.As(err, &p):
		status = p.Status
	case errors.Is(err, context.DeadlineExceeded):
		status = http.StatusGatewayTimeout
	}
	send(w, status, failure{err.Error()})
}

func send[T any](w http.ResponseWriter, status int, v T) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// The asker may be gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(v)
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

func badBody(err error) error {
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return &Problem{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body exceeds %d octets", big.Limit)}
	}
	return BadRequest("the body is not the JSON expected: %v", err)
}

var findParams = []string{"to", "from", "client", "carrier_id", "since", "limit"}

func findQuery(r *http.Request) (FindQuery, error) {
	q := FindQuery{
		To: r.FormValue("to"), From: r.FormValue("from"),
		Client: r.FormValue("client"), CarrierID: r.FormValue("carrier_id"),
	}
	var err error
	if q.Since, err = instantOf(r, "since"); err != nil {
		return q, err
	}
	if v := r.FormValue("limit"); v != "" {
		if q.Limit, err = strconv.Atoi(v); err != nil || q.Limit < 1 {
			return q, BadRequest("limit %q: want a number from 1 to %d", v, MaxFind)
		}
	}
	return q, nil
}

func flag(r *http.Request, name string) (bool, error) {
	v := r.FormValue(name)
	if v == "" {
		return false, nil
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		return false, BadRequest("%s %q: want true or false", name, v)
	}
	return b, nil
}
