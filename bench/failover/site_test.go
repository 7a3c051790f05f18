//go:build e2e

package failover

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"smsplane/bench/peer"
)

// member is one host: a namespace, a folder, and a process that comes and goes.
type member struct {
	t       *testing.T
	name    string
	net     *netns // nil: that of the test
	admin   string // URL
	config  string
	dir     string
	witness bool
	web     http.Client

	mu   sync.Mutex
	proc *exec.Cmd
	gone chan struct{}
	said *os.File
}

// site is the pair, its witness and the carriers; or three hosts that all store messages.
type site struct {
	t        *testing.T
	dir      string
	a, b, w  *member
	c        *member // in the place of the witness, if there is a third that stores messages
	three    bool
	carriers []*peer.Carrier
	lonely   bool                     // a pair without a witness
	secure   func(name string) string // of the cluster section; nil: plaintext
	first    [2]watch                 // when something was last taken first, by carrier
	together string                   // more of the cluster section
	catalog  map[string]string        // in the place of catalogFiles
	manners  [2]peer.Behaviour        // of the carriers; the zero one: as ever
}

// watch is the time of the newest message that a carrier took first.
type watch struct {
	mu   sync.Mutex
	when []int64
	runs []uint32 // whose message it was
}

const hubAddr = "127.77.0.100"

// newSite starts carriers, a pair and a witness, and waits until the pair serves.
func newSite(t *testing.T, nodeKeys string) *site {
	t.Helper()
	return newSiteOn(t, nodeKeys, 0)
}

// newSiteOn gives each member a disk of its own, of so many megabytes.
func newSiteOn(t *testing.T, nodeKeys string, megabytes int64) *site {
	t.Helper()
	return (&site{t: t, dir: t.TempDir()}).up(nodeKeys, megabytes)
}

// newSecureSite is newSite with hosts that talk over mutual TLS.
func newSecureSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir()}
	s.secure = s.certify()
	return s.up("", 0)
}

func (s *site) up(nodeKeys string, megabytes int64) *site {
	t := s.t
	t.Helper()
	newBridge(t, hubAddr)
	for i := range s.first {
		w := &s.first[i]
		manners := peer.Behaviour{Receipts: "all", Latency: time.Millisecond}
		if s.manners[i].Receipts != "" {
			manners = s.manners[i]
		}
		c, err := peer.StartCarrier(peer.CarrierOptions{Listen: fmt.Sprintf("%s:%d", hubAddr, 3775+i), Behaviour: manners,
			Observe: func(run, _ uint32, now int64) {
				w.mu.Lock()
				w.when, w.runs = append(w.when, time.Now().UnixNano()), append(w.runs, run)
				w.mu.Unlock()
			}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		s.carriers = append(s.carriers, c)
	}
	if s.catalog == nil {
		s.catalog = catalogFiles
	}
	for name, text := range s.catalog {
		s.write(filepath.Join("catalog", name), text)
	}
	s.a, s.b = s.member("a", 1, nodeKeys), s.member("b", 2, nodeKeys)
	switch {
	case s.three:
		s.c = s.member("c", 3, nodeKeys)
	case !s.lonely:
		s.w = s.member("w", 3, "")
	}
	for _, m := range s.all() {
		if megabytes > 0 {
			m.disk(megabytes)
		}
		m.start()
	}
	s.serving()
	return s
}

func (s *site) all() []*member {
	if s.w == nil {
		return s.data()
	}
	return append(s.data(), s.w)
}

// data are the members that store messages.
func (s *site) data() []*member {
	if s.c == nil {
		return []*member{s.a, s.b}
	}
	return []*member{s.a, s.b, s.c}
}

func (s *site) write(name, text string) {
	s.t.Helper()
	file := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) member(name string, n int, keys string) *member {
	ip := fmt.Sprintf("127.77.0.%d", n)
	m := &member{t: s.t, name: name, net: newNetns(s.t, name, ip), witness: name == "w", admin: "http://127.0.0.1:8080"}
	m.dir = filepath.Join(s.dir, "data-"+name)
	text := fmt.Sprintf("node: %s\ndata: ./data-%s\nadmin:\n  listen: \"127.0.0.1:8080\"\ncluster:\n  listen: \"%s:7775\"\n"+
		"  members: {a: \"127.77.0.1:7775\", b: \"127.77.0.2:7775\"", name, name, ip)
	switch {
	case s.three:
		text += ", c: \"127.77.0.3:7775\"}\n"
	case s.lonely:
		text += "}\n"
	default:
		text += ", w: \"127.77.0.3:7775\"}\n  witness: [w]\n"
	}
	text += s.together
	if s.secure != nil {
		text += s.secure(name)
	} else {
		text += "  insecure_plaintext: true\n"
	}
	if !m.witness {
		text += fmt.Sprintf("smpp:\n  listen: [\"%s:2775\"]\ncatalog: ./catalog\n%s", ip, keys)
	}
	s.write(name+".yaml", text)
	m.config = filepath.Join(s.dir, name+".yaml")
	m.web = http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DialContext: m.net.dial, DisableKeepAlives: true}}
	s.t.Cleanup(m.tidy)
	return m
}

// tidy ends the process, and shows what it had to say when the test failed.
func (m *member) tidy() {
	m.kill()
	if b, err := os.ReadFile(m.config + ".log"); err == nil && (m.t.Failed() || *logs) {
		m.t.Logf("%s said:\n…%s", m.name, b[max(0, len(b)-8000):])
	}
}

// command is the program, run where the member lives.
func (m *member) command(args ...string) *exec.Cmd {
	if m.net == nil {
		return exec.Command(program(m.t), args...)
	}
	return m.net.command(program(m.t), args...)
}

// program is the built appliance, or the one that SMSPLANE_BIN names.
func program(t *testing.T) string {
	t.Helper()
	p := os.Getenv("SMSPLANE_BIN")
	if p == "" {
		p = filepath.Join("..", "..", "bin", "smsplane")
	}
	p, err := filepath.Abs(p)
	if err == nil {
		_, err = os.Stat(p)
	}
	if err != nil {
		t.Fatalf("%v; run make build first", err)
	}
	return p
}

func (m *member) start() {
	m.t.Helper()
	verb := "serve"
	if m.witness {
		verb = "witness"
	}
	said, err := os.OpenFile(m.config+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		m.t.Fatal(err)
	}
	c := m.command(verb, "--config", m.config)
	c.Stdout, c.Stderr = said, said
	if err := c.Start(); err != nil {
		m.t.Fatal(err)
	}
	gone := make(chan struct{})
	m.mu.Lock()
	m.proc, m.gone, m.said = c, gone, said
	m.mu.Unlock()
	go func() {
		defer close(gone)
		_ = c.Wait() // how it ended is in ProcessState
		said.Close()
	}()
}

func (m *member) signal(s syscall.Signal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.proc != nil {
		_ = m.proc.Process.Signal(s) // it may end at this very moment
	}
}

// kill is kill -9, awaited. nsenter has become the appliance, so the signal is the appliance's.
func (m *member) kill() {
	m.signal(syscall.SIGKILL)
	m.mu.Lock()
	gone := m.gone
	m.mu.Unlock()
	if gone != nil {
		<-gone
	}
}

func (m *member) running() bool {
	select {
	case <-m.gone:
		return false
	default:
		return true
	}
}

// status is what the tests need of /api/v1/status.
type status struct {
	State string
	Lanes []laneStatus
	Books struct {
		Accepted         uint64
		InFlight         uint64 `json:"in_flight"`
		InDoubt          uint64 `json:"in_doubt"`
		Resent           uint64
		ReceiptsReturned uint64 `json:"receipts_returned"`
		ReceiptsParked   uint64 `json:"receipts_parked"`
		LedgerSumMicro   int64  `json:"ledger_sum_micro"`
	}
	Journal struct{ Appends, Entries, Bytes, Syncs uint64 }
	raw     []byte
}

type laneStatus struct {
	Lane   uint16
	Leader bool
	Term   uint64
}

func (m *member) status() (st status, err error) {
	resp, err := m.web.Get(m.admin + "/api/v1/status")
	if err != nil {
		return st, err
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err = b.ReadFrom(resp.Body); err == nil {
		err = json.Unmarshal(b.Bytes(), &st)
	}
	st.raw = b.Bytes()
	return st, err
}

// leads says whether a host leads lane 0.
func (m *member) leads() bool {
	st, err := m.status()
	return err == nil && len(st.Lanes) > 0 && st.Lanes[0].Leader
}

// ready says whether binds are accepted.
func (m *member) ready() bool {
	resp, err := m.web.Get(m.admin + "/readyz")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// ask runs a command of the operator against the running host.
func (m *member) ask(args ...string) (out []byte, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := m.command(append(args, "--config", m.config)...)
	var said bytes.Buffer
	c.Stderr = &said
	stop := context.AfterFunc(ctx, func() { _ = c.Process.Kill() })
	defer stop()
	if out, err = c.Output(); err != nil {
		err = fmt.Errorf("%s at %s: %w\n%s%s", strings.Join(args, " "), m.name, err, out, said.Bytes())
	}
	return out, err
}

// leader is the host that leads lane 0 now; nil for none.
func (s *site) leader() *member {
	for _, m := range s.data() {
		if m.running() && m.leads() {
			return m
		}
	}
	return nil
}

// other is the data host that m is not; of three, one of those.
func (s *site) other(m *member) *member {
	if m == s.a {
		return s.b
	}
	return s.a
}

// serving waits until one host leads, and the carriers are bound.
func (s *site) serving() *member {
	s.t.Helper()
	var l *member
	eventually(s.t, time.Minute, "a host leads and is bound to the carriers", func() bool {
		l = s.leader()
		return l != nil && l.ready() && s.carriers[0].Binds() > 0 && s.carriers[1].Binds() > 0
	})
	return l
}

// eventually polls ok until it holds, and fails the test by what was awaited.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

var catalogFiles = map[string]string{
	"clients.yaml": `clients:
  - id: load
    party: load
    system_id: load
    password: secret
    plan: standard
    class: transactional
    window: 1000
    deliver_window: 1000
    max_binds: {tx: 20, rx: 20, trx: 20}
    tps: unlimited
    billing: {mode: postpaid, currency: EUR, credit_limit: 1000000, charge: sent}
  - id: pre
    party: pre
    system_id: pre
    password: secret
    plan: standard
    class: transactional
    window: 100
    deliver_window: 100
    max_binds: {tx: 20, rx: 20, trx: 20}
    tps: unlimited
    statuses: {no_credit: 0x401}
    billing: {mode: prepaid, currency: EUR, credit_limit: 20, charge: sent}
`,
	"carriers.yaml": `carriers:
  - id: north
    currency: EUR
    cost: sent
    receipts: always
    receipt_wait: 72h
    in_doubt: {default: resend}
    links:
      - {address: "127.77.0.100:3775", system_id: smsplane, password: secret, bind: transceiver, sessions: 2, window: 500, tps: unlimited}
  - id: south
    currency: EUR
    cost: sent
    receipts: always
    receipt_wait: 72h
    in_doubt: {default: resend}
    links:
      - {address: "127.77.0.100:3776", system_id: smsplane, password: secret, bind: transceiver, sessions: 2, window: 500, tps: unlimited}
`,
	"rates.csv": `kind,party,prefix,mcc,mnc,price,currency,effective_from,effective_to
sell,load,,,,0.01,EUR,2026-01-01,
sell,pre,,,,0.01,EUR,2026-01-01,
buy,north,,,,0.005,EUR,2026-01-01,
buy,south,,,,0.005,EUR,2026-01-01,
`,
	"routes.csv": "plan,prefix,mcc,mnc,class,tier,weight,carrier\nstandard,,,,,1,1,north\nstandard,,,,,1,1,south\n",
}
