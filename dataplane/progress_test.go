package dataplane

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"smsplane/dataplane/admin"
)

// Whoever asks a node that recovers is told what of which lane it does; the log hears of it every few seconds.
func TestRecoveryTellsItsProgress(t *testing.T) {
	file := testNodeFile(t)
	n, stop := startTestNode(t, file)
	lane := n.x.accounts[1].Lane
	n.x.call(func() { n.x.routers.paused = true; n.x.rememberPauses() })
	for range progressStep + 10 {
		n.admit(t, lane, 1)
	}
	stop()
	var said strings.Builder
	p := &progress{log: slog.New(slog.NewTextHandler(&said, nil)), lanes: 8, told: time.Now().Add(-time.Hour)}
	n = &Node{cfg: n.cfg, log: n.log, clock: monotonic(), progress: p}
	n.state.Store(stateStarting)
	if st, err := n.source().Status(t.Context()); err != nil || st.Recovery != nil {
		t.Errorf("before it began: %+v, %v", st.Recovery, err)
	}
	if err := n.open(); err != nil {
		t.Fatal(err)
	}
	st, err := n.source().Status(t.Context())
	go n.x.run()
	n.halt()
	if err != nil || st.State != stateStarting || st.Recovery == nil || st.Recovery.Lanes != 8 {
		t.Fatalf("%+v, %v", st.Recovery, err)
	}
	if !strings.Contains(said.String(), "reading the log of lane ") {
		t.Errorf("the log says %q", said.String())
	}
	r := admin.Recovery{Doing: folding, Lane: 3, Lanes: 8, Index: 512, Last: 9000}
	if s := r.String(); s != "folding of lane 3, of 8 lanes: index 512 of 9000" {
		t.Error(s)
	}
}
