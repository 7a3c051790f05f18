package admin

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// do asks the handler as a local program would, unless edit says otherwise.
func do(f *fake, method, target, body string, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "127.0.0.1:8080"
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, e := range edit {
		e(r)
	}
	w := httptest.NewRecorder()
	Handler(f).ServeHTTP(w, r)
	return w
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func host(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }

func TestStatusOfEachAnswer(t *testing.T) {
	for _, c := range []struct {
		method, target, body string
		edit                 func(*http.Request)
		want                 int
		says                 string
	}{
		{"GET", "/livez", "", nil, 200, "alive"},
		{"HEAD", "/livez", "", nil, 200, ""},
		{"GET", "/readyz", "", nil, 503, "not ready"},
		{"GET", "/api/v1/status", "", nil, 200, `"layers":[]`},
		{"GET", "/api/v1/status", "", host("localhost:8080"), 200, `"node"`},
		{"GET", "/api/v1/status", "", host("[::1]:8080"), 200, `"node"`},
		{"GET", "/api/v1/status", "", host("[::1]"), 200, `"node"`},
		{"GET", "/api/v1/status", "", host("evil.example:8080"), 403, "evil.example"},
		{"GET", "/metrics", "", host("evil.example"), 403, "evil.example"},
		{"GET", "/livez", "", host("10.0.0.1:8080"), 403, "10.0.0.1"},
		{"GET", "/livez", "", host(""), 403, "loopback"},
		{"GET", "/", "", nil, 404, "nothing at /"},
		{"GET", "/api/v1/none", "", nil, 404, "/api/v1/none"},
		{"POST", "/api/v1/status", "{}", nil, 405, "GET only"},
		{"DELETE", "/api/v1/links", "", nil, 405, "GET only"},
		{"GET", "/api/v1/apply", "", nil, 405, "POST only"},
		{"GET", "/api/v1/trace?id=00010000000000ff", "", nil, 200, `"worker":"entry/0"`},
		{"GET", "/api/v1/trace?id=none", "", nil, 404, "none"},
		{"GET", "/api/v1/trace", "", nil, 400, "id"},
		{"GET", "/api/v1/trace?ids=1", "", nil, 400, `"ids`},
		{"GET", "/api/v1/find", "", nil, 400, "at least one"},
		{"GET", "/api/v1/find?to=49151", "", nil, 200, "[]"},
		{"GET", "/api/v1/find?since=yesterday", "", nil, 400, "RFC 3339"},
		{"GET", "/api/v1/find?to=1&limit=0", "", nil, 400, "limit"},
		{"GET", "/api/v1/find?to=1&limit=10001", "", nil, 400, "10001"},
		{"GET", "/api/v1/route/explain?client=c&to=49", "", nil, 200, `"targets":[]`},
		{"GET", "/api/v1/route/explain?client=c", "", nil, 400, "number"},
		{"GET", "/api/v1/route/explain?client=nobody&to=49", "", nil, 404, "nobody"},
		{"GET", "/api/v1/queues", "", nil, 500, "disk is gone"},
		{"GET", "/api/v1/doubt?resent=perhaps", "", nil, 400, "true or false"},
		{"GET", "/api/v1/audit", "", nil, 200, `"ok":true`},
		{"GET", "/api/v1/check", "", nil, 200, `"lines":[]`},
		{"POST", "/api/v1/layer/router/pause", "{}", nil, 200, "{}"},
		{"POST", "/api/v1/link", `{"carrier":"north","link":0,"verb":"pause","author":"x"}`, nil, 200, `"links":3`},
		{"POST", "/api/v1/link", `{"carrier":"north","link":0,"verb":"kill"}`, nil, 404, "kill"},
		{"POST", "/api/v1/link", `{"link":0,"verb":"pause"}`, nil, 400, "carrier"},
		{"POST", "/api/v1/link", `{"carrier":"north","speed":1}`, nil, 400, "speed"},
		{"POST", "/api/v1/doubt/order", `{"id":"1","verb":"drop"}`, nil, 200, "{}"},
		{"POST", "/api/v1/doubt/order", `{"id":"1","verb":"keep"}`, nil, 404, "keep"},
		{"POST", "/api/v1/layer/billing/pause", "{}", nil, 404, "billing"},
		{"POST", "/api/v1/layer/router/stop", "{}", nil, 404, "stop"},
		{"POST", "/api/v1/layer/router/pause", "", header("Content-Type", "text/plain"), 415, "application/json"},
		{"POST", "/api/v1/layer/router/pause", "", header("Content-Type", ""), 415, "application/json"},
		{"POST", "/api/v1/layer/router/pause", "{}", header("Origin", "http://evil.example"), 403, ""},
		{"POST", "/api/v1/layer/router/pause", "{}", header("Sec-Fetch-Site", "cross-site"), 403, ""},
		{"POST", "/api/v1/apply", `{"files":{"a.csv":"eA=="},"dry_run":true}`, nil, 200, `"problems":[]`},
		{"POST", "/api/v1/apply", `{"files":{}}`, nil, 400, "no files"},
		{"POST", "/api/v1/apply", `{"filez":{}}`, nil, 400, "filez"},
		{"POST", "/api/v1/apply", `{`, nil, 400, "JSON"},
	} {
		edit := c.edit
		if edit == nil {
			edit = func(*http.Request) {}
		}
		w := do(&fake{}, c.method, c.target, c.body, edit)
		if w.Code != c.want || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s %s: %d %s; want %d with %q", c.method, c.target, w.Code, w.Body, c.want, c.says)
		}
	}
}

func TestErrorsAreJSON(t *testing.T) {
	for _, target := range []string{"/none", "/api/v1/trace", "/api/v1/queues", "/api/v1/apply"} {
		w := do(&fake{}, "GET", target, "")
		var f failure
		if err := json.Unmarshal(w.Body.Bytes(), &f); err != nil || f.Error == "" {
			t.Errorf("%s: body %q: %v", target, w.Body, err)
		}
		if got := w.Header().Get("Content-Type"); got != "application/json" {
			t.Errorf("%s: content type %q", target, got)
		}
	}
}

func TestReadyFollowsTheNode(t *testing.T) {
	if w := do(&fake{ready: true}, "GET", "/readyz", ""); w.Code != 200 {
		t.Errorf("ready node: %d", w.Code)
	}
}

func TestBodyIsBounded(t *testing.T) {
	body := `{"author":"` + strings.Repeat("x", MaxBody) + `"}`
	if w := do(&fake{}, "POST", "/api/v1/apply", body); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of %d octets: %d", len(body), w.Code)
	}
}

func TestWorkIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		w := do(&fake{hang: true}, "GET", "/api/v1/status", "")
		if w.Code != http.StatusGatewayTimeout || time.Since(start) != quick {
			t.Errorf("%d after %s; want %d after %s", w.Code, time.Since(start), http.StatusGatewayTimeout, quick)
		}
	})
}

func TestFindReadsItsParameters(t *testing.T) {
	f := &fake{}
	do(f, "GET", "/api/v1/find?to=49*&from=acme&client=c&carrier_id=x&since=2026-03-04T05:06:07.000008Z", "")
	want := FindQuery{To: "49*", From: "acme", Client: "c", CarrierID: "x", Since: epoch, Limit: DefaultFind}
	if f.find != want {
		t.Errorf("asked %+v; want %+v", f.find, want)
	}
}

func TestAuditNeverProvesBooksThatDoNotAddUp(t *testing.T) {
	for _, b := range []Books{{Accepted: 1}, {LedgerSumMicro: 1}, {Accepted: 3, Delivered: 1, InDoubt: 1}} {
		w := do(&fake{status: Status{Books: b}}, "GET", "/api/v1/audit", "")
		if !strings.Contains(w.Body.String(), `"ok":false`) {
			t.Errorf("%+v: %s", b, w.Body)
		}
	}
}

func TestLoopbackOnly(t *testing.T) {
	for addr, ok := range map[string]bool{
		"127.0.0.1:8080": true, "127.0.0.2:0": true, "[::1]:8080": true, "[::ffff:127.0.0.1]:1": true,
		"0.0.0.0:8080": false, ":8080": false, "10.1.2.3:80": false, "localhost:8080": true, "localhost.example:80": false,
		"[::]:8080": false, "127.0.0.1": false, "": false,
	} {
		if err := CheckAddress(addr); (err == nil) != ok {
			t.Errorf("%q: %v; want accepted: %v", addr, err, ok)
		}
	}
	if _, err := Listen("0.0.0.0:0"); err == nil {
		t.Error("Listen took every address of the host")
	}
}
