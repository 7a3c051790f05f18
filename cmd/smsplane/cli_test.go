package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/config"
	"smsplane/ledger/catalog"
)

// answers is a Source with one answer to each question.
type answers struct {
	admin.Operations // none
	books            admin.Books
	proof            bool
	asked            []string
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func (a *answers) note(format string, args ...any) {
	a.asked = append(a.asked, fmt.Sprintf(format, args...))
}

func (a *answers) Ready() bool { return true }
func (a *answers) Status(context.Context) (admin.Status, error) {
	return admin.Status{
		Node: "a", State: "serving", Books: a.books,
		Catalog: admin.CatalogStatus{Version: 3, Differs: true, Changes: []string{"~ client x: tps 5 → 6"}},
		Layers:  []admin.LayerStatus{{Name: "entry", Workers: 5, Messages: 12}},
		Threads: []admin.ThreadStatus{{Name: "loop-0", Core: -1, Duty: -1, Idle: -1, Workers: "entry 0-4"}, {Name: "executor", Core: 3, Duty: 0.375, Idle: 0.625, Workers: "router 0-7"}},
	}, nil
}
func (a *answers) Trace(_ context.Context, id string) ([]admin.TraceLine, error) {
	if id == "none" {
		return nil, nil
	}
	return []admin.TraceLine{{Layer: "entry", Time: noon, Worker: "entry/0", Event: "accepted", Detail: id}}, nil
}
func (a *answers) Find(_ context.Context, q admin.FindQuery) ([]admin.Found, error) {
	a.note("find %s %s %s %s %s %d", q.To, q.From, q.Client, q.CarrierID, q.Since.UTC().Format(time.DateOnly), q.Limit)
	return nil, nil
}

// EDRs has two pages.
func (a *answers) EDRs(_ context.Context, q admin.EDRQuery) (admin.EDRPage, error) {
	a.note("edr %s %s %s", q.Client, q.Since.UTC().Format(time.DateOnly), q.After)
	p := admin.EDRPage{Rows: []admin.EDR{{MessageID: "1", Client: "acme, inc", AcceptedAt: noon, SellMicro: 45_000}}, Next: "0.7"}
	if q.After != "" {
		p.Next = ""
	}
	return p, nil
}
func (a *answers) Apply(_ context.Context, p admin.Application) (admin.ApplyResult, error) {
	a.note("apply %d files, dry %v, by %v", len(p.Files), p.Dry, p.Author != "")
	if _, err := catalog.Parse(p.Files); err != nil {
		return admin.ApplyResult{Version: 1, Problems: problems(err)}, nil
	}
	return admin.ApplyResult{Version: 2, Applied: !p.Dry, Changes: []string{"+ client x"}}, nil
}
func (a *answers) Explain(_ context.Context, client, from, to string) (admin.Explain, error) {
	return admin.Explain{Client: client, Number: to, Plan: "standard"}, nil
}
func (a *answers) Links(context.Context) ([]admin.LinkInfo, error) {
	return []admin.LinkInfo{{Carrier: "north", State: "waiting", Reason: "connection refused, next try in 2 s"}}, nil
}
func (a *answers) Queues(context.Context) ([]admin.QueueInfo, error) {
	return nil, errors.New("disk is gone")
}
func (a *answers) Doubt(_ context.Context, resent bool) ([]admin.DoubtInfo, error) {
	a.note("doubt resent %v", resent)
	return nil, nil
}
func (a *answers) Link(_ context.Context, o admin.LinkOrder) (int, error) {
	a.note("%s %s/%d, by %v", o.Verb, o.Carrier, o.Link, o.Author != "")
	return 2, nil
}
func (a *answers) DoubtOrder(_ context.Context, o admin.DoubtOrder) error {
	a.note("%s %s, by %v", o.Verb, o.ID, o.Author != "")
	return nil
}
func (a *answers) Deed(_ context.Context, d admin.Deed) (admin.DeedResult, error) {
	r := admin.DeedResult{Matched: 9, Dry: !d.Yes, Damaged: 3}
	if d.Yes {
		r.Done = 5
	}
	return r, nil
}
func (a *answers) Replay(_ context.Context, r admin.Replay) (admin.DeedResult, error) {
	v := admin.DeedResult{Matched: 9, Dry: !r.Yes}
	if r.MO {
		v.Matched, v.Gone = 7, 4
	}
	if r.Yes {
		v.Done = v.Matched
	}
	return v, nil
}
func (a *answers) Audit(context.Context) (admin.Report, error) {
	return admin.Report{OK: a.proof, Lines: []string{"12 messages"}}, nil
}
func (a *answers) Check(context.Context) (admin.Report, error) {
	return admin.Report{OK: a.proof}, nil
}
func (a *answers) Layer(_ context.Context, layer, action string) error {
	a.note("%s %s", action, layer)
	return nil
}

// stopped is a node file whose admin address nobody listens at, and a cli whose store is a.
func stopped(t *testing.T, a *answers) func(args ...string) (code int, out, errs string) {
	t.Helper()
	l, err := admin.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	return calls(nodeFile(t, addr), a)
}

func nodeFile(t *testing.T, adminAddr string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "smsplane.yaml")
	text := fmt.Sprintf("node: a\ndata: ./data\nsmpp: {listen: [\"127.0.0.1:0\"]}\nadmin: {listen: %q}\ncatalog: ./catalog\n", adminAddr)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func calls(file string, a *answers) func(args ...string) (code int, out, errs string) {
	return func(args ...string) (int, string, string) {
		var o, e strings.Builder
		c := cli{out: &o, err: &e, node: node{
			check:   func(string) error { return nil },
			witness: func(context.Context, string, *slog.Logger) error { return errors.New("witnessed") },
			open: func(string) (admin.Source, io.Closer, error) {
				if a == nil {
					return nil, nil, errors.New("no store")
				}
				return a, io.NopCloser(nil), nil
			},
		}}
		return c.run(context.Background(), append(args, "--config", file)), o.String(), e.String()
	}
}

// The header is spelled here a second time on purpose: others parse it.
func TestEDRHeader(t *testing.T) {
	const contract = "message_id,client,party,class,source,destination,country,mcc,mnc,network_source,parts,data_coding,accepted_at,route,catalog_version," +
		"carrier,carrier_message_id,attempts,dispatched_at,answered_at,answer_status,final_state,final_error,final_error_raw,final_at,receipt_origin," +
		"sell_micro,sell_currency,buy_micro,buy_currency,reason"
	code, out, errs := stopped(t, &answers{})("edr")
	if head, _, _ := strings.Cut(out, "\n"); code != 0 || !strings.HasPrefix(head+",", contract+",") {
		t.Errorf("exit %d, %s\n%s\nwant\n%s", code, errs, head, contract)
	}
}

func TestExitCodesAndWords(t *testing.T) {
	proven := &answers{books: admin.Books{Accepted: 1, Sent: 1}, proof: true}
	broken := &answers{books: admin.Books{Accepted: 1}}
	good, bad := stopped(t, proven), stopped(t, broken)
	nowhere := stopped(t, nil)
	for _, c := range []struct {
		call func(...string) (int, string, string)
		args string
		code int
		says string // on either stream
	}{
		{good, "status", 0, "node a is serving, catalog version 3"},
		{good, "status", 0, "~ client x: tps 5 → 6"},
		{good, "status", 0, "loop-0    any   -       -       entry 0-4\n"},
		{good, "status", 0, "executor  3     37.5 %  62.5 %  router 0-7\n"},
		{good, "status --json", 0, `"in_doubt": 0`},
		{bad, "status", 1, "ADD UP"},
		{good, "trace 00010000000000ff", 0, "2026-03-04T12:00:00.000000Z  entry"},
		{good, "trace none", 1, "no message has the id"},
		{good, "trace", 2, "accepts 1 arg"},
		{good, "trace", 2, "usage: smsplane trace ID"},
		{good, "link", 2, "usage: smsplane link COMMAND; smsplane link --help tells more"},
		{good, "find", 2, "at least one"},
		{good, "find --to 49151* --limit 1000000", 2, "limit"},
		{good, "queue hold", 2, "at least one of carrier, client, prefix, class, older than"},
		{good, "queue hold", 2, "usage: smsplane queue hold"},
		{good, "queue purge --client acme --yes", 2, "needs a reason"},
		{good, "queue purge --client acme --yes --reason " + strings.Repeat("x", 256), 2, "at most 255 octets"},
		{good, "queue purge --client acme", 0, "purge: 9 message(s) match"},
		{good, "queue purge --client acme", 0, "3 more could not be looked at"},
		{good, "queue hold --client acme --yes --reason why", 0, "hold: done to 5 message(s)"},
		{good, "queue hold --client acme --yes --reason why", 0, "4 more match and were left"},
		{good, "receipts replay --since 90m", 2, "needs a client"},
		{good, "receipts replay --client acme --since soon", 2, "--since"},
		{good, "receipts replay --client acme --since 90m", 0, "replay: 9 message(s) match; nothing was done"},
		{good, "mo", 2, "usage: smsplane mo COMMAND"},
		{good, "mo replay --since 90m", 2, "mo replay needs a client"},
		{good, "mo replay --client acme --since soon", 2, "--since"},
		{good, "mo replay --client acme --since 90m --yes", 2, "mo replay needs a reason"},
		{good, "mo replay --client acme --since 90m", 0, "replay: 7 message(s) match; nothing was done"},
		{good, "mo replay --client acme --since 90m", 0, "4 more are not given again: their texts are kept no more"},
		{good, "mo replay --client acme --since 90m --yes --reason why", 0, "replay: done to 7 message(s)"},
		{good, "find --to 49151*", 0, "ACCEPTED"},
		{good, "find --to 49151* --json", 0, "[]"},
		{good, "find --since tomorrow", 2, "--since"},
		{good, "find --nonsense", 2, "nonsense"},
		{good, "edr", 0, "\n1,\"acme, inc\",,,,,,,,,0,0,2026-03-04T12:00:00.000000Z,,0,,,0,,,,,,,,,45000,,0,,,,0\n1,"},
		{good, "edr --since 2026-01-01 --json", 0, `"message_id":"1"`},
		{good, "edr --until never", 2, "never"},
		{good, "route explain --client c --from a --to 49151", 0, "standard"},
		{good, "route explain --client c --to 49151 --json", 0, `"targets": []`},
		{good, "route explain --client c", 2, "--to"},
		{good, "route", 2, "needs one of its commands"},
		{good, "route around", 2, "around"},
		{good, "link list", 0, "connection refused, next try in 2 s"},
		{good, "queue list", 1, "disk is gone"},
		{good, "doubt list", 0, "POLICY"},
		{good, "doubt list --resent --json", 0, "[]"},
		{good, "audit", 0, "audit: ok"},
		{bad, "audit", 1, "audit: FAILED"},
		{bad, "audit --json", 1, `"ok": false`},
		{good, "store check", 0, "check: ok"},
		{bad, "store check", 1, "FAILED"},
		{good, "layer pause router", 0, "router paused"},
		{good, "layer resume egress --json", 0, `"state": "resumed"`},
		{good, "layer pause billing", 2, "billing"},
		{good, "layer pause", 2, "arg"},
		{good, "check", 0, "ok"},
		{good, "version", 0, "smsplane"},
		{good, "witness", 1, "witnessed"},
		{good, "witnesses", 2, "unknown command"},
		{good, "", 0, "Available Commands"},
		{nowhere, "status", 1, "no node is running at 127.0.0.1"},
		{nowhere, "status", 1, "no store"},
	} {
		code, out, errs := c.call(strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(out+errs, c.says) {
			t.Errorf("smsplane %s: exit %d, want %d with %q\n%s%s", c.args, code, c.code, c.says, out, errs)
		}
		if strings.Contains(c.args, "--json") && !json.Valid([]byte(out)) {
			t.Errorf("smsplane %s: not JSON: %s", c.args, out)
		}
	}
	want := []string{"find 49151*    0001-01-01 100", "pause router", "doubt resent true"}
	for _, w := range want {
		if !strings.Contains(strings.Join(proven.asked, "\n"), w) {
			t.Errorf("the store was never asked %q but\n%s", w, strings.Join(proven.asked, "\n"))
		}
	}
}

// TestRunningNodeIsAskedFirst: the store of a running node is locked; opening it would be an error.
func TestRunningNodeIsAskedFirst(t *testing.T) {
	l, err := admin.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &answers{proof: true}
	srv := admin.NewServer(a, "a")
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	defer func() {
		srv.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	call := calls(nodeFile(t, l.Addr().String()), nil)
	if code, out, errs := call("audit"); code != 0 {
		t.Errorf("audit: exit %d\n%s%s", code, out, errs)
	}
	if code, out, errs := call("trace", "none"); code != 1 || !strings.Contains(errs, "no message") {
		t.Errorf("trace: exit %d\n%s%s", code, out, errs)
	}
	if code, _, errs := call("layer", "pause", "egress"); code != 0 || a.asked[0] != "pause egress" {
		t.Errorf("layer: exit %d, asked %v\n%s", code, a.asked, errs)
	}
}

// Another node than that of the file, at the same address, is not asked: an order would be done to the wrong one.
func TestAnotherNodeIsNotAsked(t *testing.T) {
	l, err := admin.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &answers{proof: true}
	srv := admin.NewServer(a, "b")
	defer srv.Close()
	go srv.Serve(l)
	code, out, errs := calls(nodeFile(t, l.Addr().String()), &answers{})("layer", "pause", "egress")
	if code != 1 || !strings.Contains(errs, "node b answers at "+l.Addr().String()) || len(a.asked) > 0 {
		t.Errorf("exit %d, asked %v\n%s%s", code, a.asked, out, errs)
	}
}

func TestInitThenApply(t *testing.T) {
	for _, args := range [][]string{nil, {"--demo"}} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			a := &answers{}
			call := stopped(t, a)
			dir := filepath.Join(t.TempDir(), "new")
			if code, out, errs := call(append([]string{"init", dir}, args...)...); code != 0 || !strings.Contains(out, dir) {
				t.Fatalf("init: exit %d\n%s%s", code, out, errs)
			}
			if code, out, errs := call("apply", filepath.Join(dir, "catalog"), "--dry-run"); code != 0 || !strings.Contains(out, "nothing was applied, as asked") {
				t.Errorf("apply --dry-run: exit %d\n%s%s", code, out, errs)
			}
			if code, out, _ := call("apply", filepath.Join(dir, "catalog")); code != 0 || !strings.Contains(out, "applied; version 2") {
				t.Errorf("apply: exit %d\n%s", code, out)
			}
			rates := filepath.Join(dir, "catalog", "rates.csv")
			if err := os.WriteFile(rates, []byte("kind\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if code, out, _ := call("apply", filepath.Join(dir, "catalog")); code != 1 || !strings.Contains(out, "rates.csv:1") {
				t.Errorf("apply of a mistake: exit %d\n%s", code, out)
			}
			if code, _, errs := call(append([]string{"init", dir}, args...)...); code != 1 || !strings.Contains(errs, "already there") {
				t.Errorf("second init: exit %d\n%s", code, errs)
			}
			if b, err := os.ReadFile(rates); err != nil || string(b) != "kind\n" {
				t.Errorf("the second init touched rates.csv: %q, %v", b, err)
			}
			st, err := os.Stat(filepath.Join(dir, "catalog", "clients.yaml"))
			if err != nil || st.Mode().Perm() != 0o600 {
				t.Errorf("clients.yaml holds passwords: %v, %v", st.Mode(), err)
			}
		})
	}
}

func TestCheckTellsEveryMistake(t *testing.T) {
	joined := errors.Join(
		catalog.Problems{{File: "a.yaml", Line: 3, Text: "is wrong", Excerpt: "a: b"}},
		catalog.Problems{{File: "r.csv", Line: 7, Text: "is odd"}, {File: "r.csv", Line: 9, Text: "is missing"}},
		errors.New("no such folder"),
	)
	var o strings.Builder
	c := cli{out: &o, err: io.Discard, node: node{check: func(string) error { return joined }}}
	if code := c.run(context.Background(), []string{"check", "--json"}); code != 1 {
		t.Errorf("exit %d", code)
	}
	var v verdict
	if err := json.Unmarshal([]byte(o.String()), &v); err != nil || v.OK || len(v.Problems) != 4 || v.Problems[2] != "r.csv:9: is missing" {
		t.Errorf("%+v, %v", v, err)
	}
	o.Reset()
	c.json, c.called = false, false
	if code := c.run(context.Background(), []string{"check"}); code != 1 || !strings.Contains(o.String(), "a.yaml:3: is wrong\n") {
		t.Errorf("exit %d: %s", code, o.String())
	}
}

// TestSignalsDrainThenKill: one signal drains, the next skips the wait.
func TestSignalsDrainThenKill(t *testing.T) {
	serving := make(chan struct{})
	c := cli{out: io.Discard, err: io.Discard, node: node{
		serve: func(drain, kill context.Context, config string, _ *slog.Logger) error {
			close(serving)
			<-drain.Done()
			if kill.Err() != nil {
				return errors.New("the first signal killed")
			}
			if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
				return err
			}
			<-kill.Done()
			return nil
		},
	}}
	code := make(chan int, 1)
	go func() { code <- c.run(context.Background(), []string{"serve", "--config", "x"}) }()
	<-serving
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-code:
		if got != 0 {
			t.Errorf("exit %d", got)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("serve did not end")
	}
}

func TestInstant(t *testing.T) {
	for s, want := range map[string]time.Time{
		"": {}, "2026-03-04T12:00:00Z": noon, "2026-03-04": noon.Truncate(24 * time.Hour), "90m": noon.Add(-90 * time.Minute),
	} {
		if got, err := instant(s, noon); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"-1h", "soon", "2026-13-01"} {
		if got, err := instant(s, noon); err == nil {
			t.Errorf("%q: %v", s, got)
		}
	}
}

// TestScaffoldIsValid also with every optional key of the node file uncommented: a sample that teaches a
// key must teach one that exists.
func TestScaffoldIsValid(t *testing.T) {
	for _, kind := range []string{"own", "demo"} {
		dir := t.TempDir()
		if err := writeFolder(dir, kind); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "smsplane.yaml")
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		optional := regexp.MustCompile(`(?m)^( *)# ( *\w+:)`)
		all := optional.ReplaceAll(b, []byte("$1$2"))
		if kind == "own" && strings.Count(string(all), "#   ") > 0 {
			t.Errorf("an optional key is still commented out:\n%s", all)
		}
		for _, text := range [][]byte{b, all} {
			if _, err := config.Parse(file, text); err != nil {
				t.Errorf("%s: %v\n%s", kind, err, text)
			}
		}
		files, err := catalog.Read(filepath.Join(dir, "catalog"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := catalog.Parse(files); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		for name, b := range files {
			if path.Ext(name) == ".yaml" {
				files[name] = optional.ReplaceAll(b, []byte("$1$2"))
			}
		}
		if _, err := catalog.Parse(files); err != nil {
			t.Errorf("%s, with every optional key: %v", kind, err)
		}
	}
}

type verbose struct{}

func (verbose) Error() string { return "a damaged table" }
func (e verbose) Format(f fmt.State, _ rune) {
	fmt.Fprint(f, e.Error(), "\n-- stack trace:\nmany lines")
}

// The log tells an error by its message, whatever more it could print.
func TestLogTellsMessagesOfErrors(t *testing.T) {
	var b strings.Builder
	newLog(&b).Error("the store", "err", error(verbose{}), "none", error(nil), "n", 3)
	if line := b.String(); strings.Contains(line, "stack") || !strings.HasSuffix(line, "level=ERROR msg=\"the store\" err=\"a damaged table\" none=<nil> n=3\n") {
		t.Error(line)
	}
}
