package bench

import (
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"smsplane/bench/peer"
	"smsplane/dataplane/admin"
)

func TestSiteIsReadFromItsFiles(t *testing.T) {
	s, err := readSite("testdata/site")
	if err != nil {
		t.Fatal(err)
	}
	if s.smpp != "127.0.0.1:2775" || s.admin != "127.0.0.1:8080" || s.client != (login{"meter", "meter"}) || s.window != 5000 || s.sessions != 4 {
		t.Errorf("%+v", s)
	}
	want := []carrierSite{{"north", "127.0.0.1:3775", login{"smsplane", "secret"}}, {"south", "127.0.0.1:3776", login{"smsplane", "secret"}}}
	if len(s.carriers) != 2 || s.carriers[0] != want[0] || s.carriers[1] != want[1] {
		t.Errorf("carriers %+v", s.carriers)
	}
}

func TestTakenAddressIsNamed(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := &site{dir: "there", smpp: "127.0.0.1:0", admin: "127.0.0.1:0", carriers: []carrierSite{{id: "north", address: ln.Addr().String()}}}
	if err := s.free(); err == nil || !strings.Contains(err.Error(), "carrier north at "+ln.Addr().String()) {
		t.Errorf("%v", err)
	}
	s.carriers = nil
	if err := s.free(); err != nil {
		t.Errorf("%v", err)
	}
}

func ended(t *testing.T, c *child) {
	t.Helper()
	select {
	case <-c.gone:
	case <-within(t).Done():
		t.Fatal("it did not end")
	}
}

func TestChildTellsItsLastWords(t *testing.T) {
	c, err := startChild("talker", io.Discard, nil, "/bin/sh", "-c", "echo first; echo the disk is full >&2; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	ended(t, c)
	if err := c.death(); !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "the disk is full") {
		t.Error(err)
	}
}

func TestChildIsStopped(t *testing.T) {
	lines := make(chan string, 1)
	start := func(script string) *child {
		c, err := startChild("sleeper", io.Discard, func(l string) { lines <- l }, "/bin/sh", "-c", script)
		if err != nil {
			t.Fatal(err)
		}
		if l := <-lines; l != "up\n" {
			t.Fatalf("it said %q", l)
		}
		return c
	}
	if err := start("echo up; read x <&2").stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	if err := start("trap '' TERM; echo up; while :; do sleep 0.05; done").stop(50 * time.Millisecond); err == nil {
		t.Error("a child that ignores SIGTERM was stopped by it")
	}
}

// judge finds each way in which client, carriers and books can disagree, and nothing else.
func TestJudge(t *testing.T) {
	const n = 100
	for _, tt := range []struct {
		name  string
		spoil func(before, after *admin.Status, r *peer.Report, a *peer.Account)
		want  string
	}{
		{"all well", func(_, _ *admin.Status, _ *peer.Report, _ *peer.Account) {}, ""},
		{"used before", func(before, after *admin.Status, _ *peer.Report, _ *peer.Account) {
			before.Books.Accepted, before.Books.Delivered = 7, 7
			after.Books.Accepted, after.Books.Delivered = n+7, n+7
		}, ""},
		{"owed from before", func(before, _ *admin.Status, r *peer.Report, _ *peer.Account) {
			before.Books.ReceiptsParked, r.Receipts.Unknown = 5, 5
		}, ""},
		{"lost", func(_, _ *admin.Status, _ *peer.Report, a *peer.Account) { a.Lost = 1 }, "lost"},
		{"unknown receipt", func(_, _ *admin.Status, r *peer.Report, _ *peer.Account) { r.Receipts.Unknown = 1 }, "never given"},
		{"not all accepted", func(_, after *admin.Status, r *peer.Report, _ *peer.Account) {
			r.Accepted, after.Books.Accepted, after.Books.Delivered = n-1, n-1, n-1
		}, "99 of 100"},
		{"money from nowhere", func(_, after *admin.Status, _ *peer.Report, _ *peer.Account) { after.Books.LedgerSumMicro = 1 }, "ledger sum 1"},
		{"an end missing", func(_, after *admin.Status, _ *peer.Report, _ *peer.Account) { after.Books.Delivered-- }, "not what became"},
		{"not told", func(_, after *admin.Status, _ *peer.Report, _ *peer.Account) {
			after.Books.Accepted, after.Books.Delivered = n+1, n+1
		}, "client was told"},
		{"receipts", func(_, after *admin.Status, _ *peer.Report, _ *peer.Account) { after.Books.ReceiptsReturned = 0 }, "returned 0"},
		{"layers", func(_, after *admin.Status, _ *peer.Report, _ *peer.Account) { after.Layers = after.Layers[1:] }, "7 layers"},
		{"a latency", func(_, after *admin.Status, _ *peer.Report, _ *peer.Account) { after.Layers[3].P50 = 0 }, "no latency"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := admin.Status{}
			after := admin.Status{Layers: slices.Repeat([]admin.LayerStatus{{P50: 1, P99: 2}}, layers), Books: admin.Books{Accepted: n, Delivered: n, ReceiptsReturned: n}}
			r := peer.Report{Accepted: n, Receipts: peer.Receipts{Expected: n, Matched: n, Delivered: n}}
			a := peer.Account{Accepted: n, Arrived: n}
			tt.spoil(&before, &after, &r, &a)
			got := strings.Join(judge(&before, &after, &r, &a, n), "; ")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("found %q; want %q", got, tt.want)
			}
		})
	}
}

func TestCarrierTellsItsTally(t *testing.T) {
	c := &carrierChild{tallies: make(chan peer.Tally, 1)}
	c.told("carrier listens on somewhere\n")
	c.told(`{"listen":"127.0.0.1:1","tally":{"taken":42,"runs":{}}}` + "\n")
	c.told(`{"listen":"127.0.0.1:1","tally":{"taken":43,"runs":{}}}` + "\n") // no room: dropped, and nobody blocks
	if got := <-c.tallies; got.Taken != 42 {
		t.Errorf("%+v", got)
	}
}
