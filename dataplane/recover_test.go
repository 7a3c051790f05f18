package dataplane

import (
	"log/slog"
	"strings"
	"testing"

	"smsplane/ledger/journal"
)

// What a lane panics with while its books are loaded, on whichever goroutine, comes to the one that notes it, as the fold's.
func TestPanicWhileLoadingIsTheFolds(t *testing.T) {
	n, stop := startTestNode(t, testNodeFile(t))
	stop()
	var said strings.Builder
	again := &Node{cfg: n.cfg, log: slog.New(slog.NewTextHandler(&said, nil)), clock: monotonic()}
	again.x = again.executor()
	again.x.db = (*journal.DB)(nil)
	defer func() {
		if p := recover(); p == nil {
			t.Error("nothing panicked here")
		}
		if x := again.x; x.doing.layer != inFold || x.folding == nil || x.folding != x.lanes[x.folding.Lane].book {
			t.Errorf("%+v of %+v", x.doing, x.folding)
		}
		if !strings.Contains(said.String(), "loadLane") {
			t.Errorf("where is not told: %q", said.String())
		}
	}()
	t.Error(again.loadLanes())
}
