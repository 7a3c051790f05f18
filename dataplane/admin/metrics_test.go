package admin

import (
	"errors"
	"strings"
	"testing"
)

func TestMetricsAreTheStatus(t *testing.T) {
	f := &fake{ready: true, status: Status{
		Node: "a", Version: "1",
		Catalog:  CatalogStatus{Version: 3},
		Books:    Books{Accepted: 10, Delivered: 4, Failed: 1, Expired: 1, Sent: 1, Unknown: 1, InFlight: 1, InDoubt: 1, Resent: 2, ReceiptsParked: 6},
		Layers:   []LayerStatus{{Name: "entry", Workers: 5, Messages: 10, P99: 1.5, Reasons: map[string]uint64{"ESME_RTHROTTLED": 2}}, {Name: "router", Refusals: 3, Paused: true}},
		Threads:  []ThreadStatus{{Name: "loop-0", Duty: -1}, {Name: "executor", Duty: 0.25}},
		Lanes:    []LaneStatus{{Lane: 1, Applied: 42}},
		Links:    []LinkInfo{{Carrier: "north", Session: 0, State: LinkBound, Sent: 9}, {Carrier: "north", Session: 1, State: "waiting"}},
		Queues:   []QueueInfo{{Queue: "internal", Lane: 1, Carrier: "north", Class: "otp", Depth: 3, OldestAge: 0.5}},
		Sessions: Sessions{Bound: 2},
	}}
	w := do(f, "GET", "/metrics", "")
	for _, line := range []string{
		`smsplane_info{node="a",version="1"} 1`,
		`smsplane_ready 1`,
		`smsplane_messages_accepted_total 10`,
		`smsplane_messages_ended_total{state="delivered"} 4`,
		`smsplane_messages_in_doubt 1`,
		`smsplane_messages_resent_total 2`,
		`smsplane_receipts_parked 6`,
		`smsplane_books_add_up 1`,
		`smsplane_layer_workers{layer="entry"} 5`,
		`smsplane_layer_refusals_total{layer="entry",reason="ESME_RTHROTTLED"} 2`,
		`smsplane_layer_refusals_total{layer="router",reason="any"} 3`,
		`smsplane_layer_latency_seconds{layer="entry",quantile="0.99"} 0.0015`,
		`smsplane_layer_paused{layer="router"} 1`,
		`smsplane_thread_duty{thread="executor"} 0.25`,
		`smsplane_lane_applied_index{lane="1"} 42`,
		`smsplane_link_bound{carrier="north",link="0",session="0"} 1`,
		`smsplane_link_bound{carrier="north",link="0",session="1"} 0`,
		`smsplane_link_sent_total{carrier="north",link="0",session="0"} 9`,
		`smsplane_queue_depth{carrier="north",class="otp",client="",lane="1",queue="internal"} 3`,
		`smsplane_queue_oldest_age_seconds{carrier="north",class="otp",client="",lane="1",queue="internal"} 0.5`,
		`smsplane_client_sessions 2`,
		`smsplane_catalog_version 3`,
	} {
		if !strings.Contains(w.Body.String(), line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	if !strings.Contains(w.Body.String(), "go_goroutines") {
		t.Error("the Go runtime is not told")
	}
	if t.Failed() {
		t.Log(w.Body)
	}
}

func TestMetricsTellAnUnreadableStatus(t *testing.T) {
	if w := do(&fake{err: errors.New("no status")}, "GET", "/metrics", ""); w.Code != 500 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
