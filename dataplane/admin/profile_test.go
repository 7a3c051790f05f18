package admin

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestProfilesAreGzip(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(&fake{}, "a")
	defer s.Close()
	go s.Serve(l)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c, err := Dial(ctx, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Profiles {
		var b bytes.Buffer
		if err := c.Profile(ctx, name, time.Second, &b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.HasPrefix(b.Bytes(), []byte{0x1f, 0x8b}) {
			t.Errorf("%s is not a profile: %q", name, b.Bytes()[:min(b.Len(), 60)])
		}
	}
	if err := c.Profile(ctx, "nothing", time.Second, &bytes.Buffer{}); err == nil {
		t.Error("a profile of nothing was given")
	}
}

func TestContentionNeedsATime(t *testing.T) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/debug/pprof/mutex", nil)
	r.Host = "127.0.0.1:8080"
	Handler(&fake{}).ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "seconds") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestProfilesAreLocal(t *testing.T) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/debug/pprof/heap", nil)
	r.Host = "example.com"
	Handler(&fake{}).ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("%d", w.Code)
	}
}
