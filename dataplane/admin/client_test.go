package admin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"reflect"
	"testing"
	"time"
)

// serve runs the real server on a free port and gives a client of it.
func serve(t *testing.T, f *fake) *Client {
	t.Helper()
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := NewServer(f, "a")
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("server: %v", err)
		}
	})
	c, err := Dial(context.Background(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClientAndServerAgree(t *testing.T) {
	f := &fake{ready: true, status: Status{
		Node: "a", Version: "1", State: "serving", Started: epoch,
		Catalog:  CatalogStatus{Version: 3, Differs: true, Changes: []string{"~ client x"}},
		Layers:   []LayerStatus{{Name: "entry", Workers: 5, Messages: 7, TPS: 1.5, Reasons: map[string]uint64{"ESME_RTHROTTLED": 2}}},
		Books:    Books{Accepted: 2, Delivered: 1, InFlight: 1},
		Lanes:    []LaneStatus{{Lane: 1, Leader: true}},
		Links:    []LinkInfo{{Carrier: "north", State: LinkBound, Since: epoch, Reason: "bind_transceiver accepted"}},
		Queues:   []QueueInfo{{Queue: "internal", Carrier: "north", Depth: 3, OldestAge: 0.25}},
		Sessions: Sessions{Bound: 1},
	}}
	c, ctx := serve(t, f), context.Background()
	if !c.Ready() {
		t.Error("not ready")
	}
	if got, err := c.Status(ctx); err != nil || !reflect.DeepEqual(got, f.status) {
		t.Errorf("status %+v, %v\nwant   %+v", got, err, f.status)
	}
	if got, err := c.Links(ctx); err != nil || !reflect.DeepEqual(got, f.status.Links) {
		t.Errorf("links %+v, %v", got, err)
	}
	if got, err := c.Trace(ctx, "a/b?c"); err != nil || len(got) != 1 || !got[0].Time.Equal(epoch) {
		t.Errorf("trace of an opaque id: %+v, %v", got, err)
	}
	q := FindQuery{To: "49*", From: "a b", Client: "c&d", CarrierID: "x/y", Since: epoch, Limit: 5}
	eq := EDRQuery{Since: epoch, Until: epoch.Add(time.Hour), Client: "c", After: "1.2"}
	if got, err := c.EDRs(ctx, eq); err != nil || got.Rows == nil || got.Next != "7.9" || f.edr != eq {
		t.Errorf("edr: %+v, %v, asked %+v", got, err, f.edr)
	}
	if got, err := c.Find(ctx, q); err != nil || got == nil || f.find != q {
		t.Errorf("find: %v, %v; the node was asked %+v", got, err, f.find)
	}
	a := Application{Files: map[string][]byte{"rates.csv": {0, 0xff}}, Dry: true, Author: "root"}
	if got, err := c.Apply(ctx, a); err != nil || got.Version != 2 || got.Applied || !reflect.DeepEqual(f.apply, a) {
		t.Errorf("apply: %+v, %v; the node was asked %+v", got, err, f.apply)
	}
	if got, err := c.Explain(ctx, "c", "", "49151"); err != nil || got.Number != "49151" {
		t.Errorf("explain: %+v, %v", got, err)
	}
	if got, err := c.Doubt(ctx, true); err != nil || len(got) != 1 || !f.resent {
		t.Errorf("doubt: %+v, %v", got, err)
	}
	if got, err := c.Audit(ctx); err != nil || !got.OK || *got.Books != f.status.Books {
		t.Errorf("audit: %+v, %v", got, err)
	}
	if got, err := c.Check(ctx); err != nil || !got.OK {
		t.Errorf("check: %+v, %v", got, err)
	}
	if n, err := c.Link(ctx, LinkOrder{"north", -1, "drain", "x"}); err != nil || n != 3 || f.link != (LinkOrder{"north", -1, "drain", "x"}) {
		t.Errorf("link: %v, %d links; the node was asked %+v", err, n, f.link)
	}
	if err := c.DoubtOrder(ctx, DoubtOrder{"ff", "drop", "x"}); err != nil || f.doubt != (DoubtOrder{"ff", "drop", "x"}) {
		t.Errorf("doubt: %v; the node was asked %+v", err, f.doubt)
	}
	if err := c.Layer(ctx, "egress", "resume"); err != nil || f.layer != "egress resume" {
		t.Errorf("layer: %v; the node was asked %q", err, f.layer)
	}
}

func TestClientKeepsTheProblem(t *testing.T) {
	c, ctx := serve(t, &fake{}), context.Background()
	if c.Ready() {
		t.Error("ready")
	}
	_, err := c.Queues(ctx)
	var p *Problem
	if !errors.As(err, &p) || p.Status != http.StatusInternalServerError || p.Text != "disk is gone" {
		t.Errorf("queues: %v", err)
	}
	if _, err = c.Trace(ctx, "none"); !errors.As(err, &p) || p.Status != http.StatusNotFound {
		t.Errorf("trace: %v", err)
	}
}

func TestDialTellsAStoppedNode(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	if _, err := Dial(context.Background(), addr); !errors.Is(err, ErrNotRunning) {
		t.Errorf("nobody listens: %v", err)
	}
	if _, err := Dial(context.Background(), "192.0.2.1:80"); err == nil || errors.Is(err, ErrNotRunning) {
		t.Errorf("not a loopback address: %v", err)
	}
}

func TestDialRefusesAStranger(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.NotFoundHandler()}
	go srv.Serve(l)
	defer srv.Close()
	if _, err := Dial(context.Background(), l.Addr().String()); err == nil || errors.Is(err, ErrNotRunning) {
		t.Errorf("another server at the address: %v", err)
	}
}
