package config

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"smsplane/ledger/catalog/document"
)

// Bounds of what may be said.
const (
	minPDU         = 512 // the largest submit_sm without TLVs, with room
	maxPDU         = 1 << 20
	maxConnections = 1_000_000
	maxLanes       = 1024
	maxWorkers     = 255 // records keep a worker in one octet
	maxTPS         = 10_000_000
	maxDrain       = 3600 // seconds
	minMemory      = 1 << 20
	maxMemory      = 1 << 40
	maxName        = 64
)

// Load reads and checks the node file. The error is of type document.Problems, all mistakes at once, when
// the file can be read at all.
func Load(path string) (*Node, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read node file: %w; --config names another, init DIR writes one", err)
	}
	if err != nil {
		return nil, fmt.Errorf("read node file: %w", err)
	}
	return Parse(path, b)
}

// Parse checks the contents of the node file called path.
func Parse(path string, b []byte) (*Node, error) {
	var report document.Report
	n := defaults()
	n.File = path
	if m := document.Open(path, b, &report); m != nil {
		n.read(m)
	}
	if err := report.Err(); err != nil {
		return nil, err
	}
	return n, nil
}

func (n *Node) read(m *document.Map) {
	m.Need("node", "data")
	if s, ok := m.Text("node"); ok {
		if len(s) > maxName || strings.ContainsAny(s, " \t/\\") {
			m.Fail("node", "%q is not a name without spaces and slashes, at most %d octets", s, maxName)
		}
		n.Name = s
	}
	n.path(m, "data", &n.Data)
	n.path(m, "catalog", &n.Catalog)
	n.cluster(m)
	if n.Witness() {
		refuse(m, "a witness takes no clients and stores no message", "smpp", "catalog", "workers", "lanes", "memory", "memory_max", "journal", "retention")
	} else {
		m.Need("smpp", "catalog")
	}
	n.smpp(m)
	n.admin(m)
	n.workers(m)
	n.threads(m)
	m.Int("lanes", &n.Lanes, 1, maxLanes)
	drain := int(n.Drain / time.Second)
	m.Int("drain_seconds", &drain, 0, maxDrain)
	n.Drain = time.Duration(drain) * time.Second
	size(m, "memory", &n.Memory)
	size(m, "memory_max", &n.MemoryMax)
	if n.MemoryMax != 0 && n.MemoryMax/2 < n.Memory {
		m.Fail("memory_max", "less than twice memory, which is %d octets: queues alone may fill that", n.Memory)
	}
	n.journal(m)
	n.retention(m)
	m.Close()
}

func refuse(m *document.Map, why string, keys ...string) {
	for _, k := range keys {
		if m.Has(k) {
			m.Fail(k, "%s", why)
		}
	}
}

// path reads a path relative to the node file.
func (n *Node) path(m *document.Map, key string, v *string) {
	s, ok := m.Text(key)
	if !ok {
		return
	}
	if !filepath.IsAbs(s) {
		s = filepath.Join(filepath.Dir(n.File), s)
	}
	*v = filepath.Clean(s)
}

func (n *Node) smpp(top *document.Map) {
	m, s := top.Map("smpp"), &n.SMPP
	if m == nil {
		return
	}
	if !m.Has("tls_listen") {
		m.Need("listen")
	}
	s.Listen = listeners(m, "listen")
	s.TLSListen = listeners(m, "tls_listen")
	n.smppTLS(m)
	m.Int("max_pdu", &s.MaxPDU, minPDU, maxPDU)
	m.Int("max_connections", &s.MaxConnections, 1, maxConnections)
	m.Int("max_connections_per_source", &s.MaxPerSource, 1, maxConnections)
	m.Duration("bind_timeout", &s.BindTimeout, 100*time.Millisecond, 5*time.Minute)
	m.Duration("enquire_link", &s.EnquireEvery, time.Second, time.Hour)
	m.Duration("response_timeout", &s.ResponseTimeout, time.Second, time.Hour)
	m.Duration("pdu_timeout", &s.PDUTimeout, time.Second, 5*time.Minute)
	m.Duration("inactivity_timeout", &s.InactivityTimeout, 0, 24*time.Hour)
	s.Allow = m.Prefixes("allow")
	s.Deny = m.Prefixes("deny")
	m.Close()
}

// smppTLS reads what tls_listen shows its clients and asks of them.
func (n *Node) smppTLS(smpp *document.Map) {
	m, t := smpp.Map("tls"), &n.SMPP.TLS
	switch {
	case m == nil:
		if smpp.Has("tls_listen") {
			smpp.Fail("tls_listen", "needs tls: cert and key")
		}
		return
	case !smpp.Has("tls_listen"):
		smpp.Fail("tls", "is for tls_listen, which is absent")
	}
	m.Need("cert", "key")
	n.path(m, "cert", &t.Cert)
	n.path(m, "key", &t.Key)
	n.path(m, "client_ca", &t.ClientCA)
	if i := m.OneOf("client_cert", "required", "optional"); i >= 0 {
		t.CertOptional = i == 1
		if !m.Has("client_ca") {
			m.Fail("client_cert", "needs client_ca, which signs them")
		}
	}
	m.Close()
}

func listeners(m *document.Map, key string) []string {
	var l []string
	seen := map[string]bool{}
	items := m.Texts(key)
	for _, it := range items {
		if err := document.HostPort(it.Text, true); err != nil {
			m.FailAt(it.Line, "%s: %v", key, err)
			continue
		}
		if seen[it.Text] && !strings.HasSuffix(it.Text, ":0") {
			m.FailAt(it.Line, "%s: %s stands twice", key, it.Text)
		}
		seen[it.Text] = true
		l = append(l, it.Text)
	}
	if m.Has(key) && len(items) == 0 {
		m.Fail(key, "names no address")
	}
	return l
}

// admin reads where operators ask. Without TLS and a token that is this host and nobody else.
func (n *Node) admin(top *document.Map) {
	m := top.Map("admin")
	if m == nil {
		return
	}
	m.Need("listen")
	if s, ok := m.Text("listen"); ok {
		switch err := document.HostPort(s, true); {
		case err != nil:
			m.Fail("listen", "%v", err)
		case !loopback(s):
			m.Fail("listen", "%s is not a loopback address; the admin interface has no TLS and no token yet", s)
		default:
			n.Admin.Listen = s
		}
	}
	m.Close()
}

func loopback(hostport string) bool {
	if a, err := netip.ParseAddrPort(hostport); err == nil {
		return a.Addr().Unmap().IsLoopback()
	}
	return strings.HasPrefix(hostport, "localhost:")
}

// threads reads whether loops and the executor own a core each.
func (n *Node) threads(top *document.Map) {
	m := top.Map("threads")
	if m == nil {
		return
	}
	m.Need("pin")
	if m.Has("pin") {
		n.Pin = Pin(max(0, m.OneOf("pin", "auto", "off", "strict")))
	}
	m.Close()
}

func (n *Node) workers(top *document.Map) {
	m := top.Map("workers")
	if m == nil {
		return
	}
	for _, l := range []struct {
		key string
		to  *Worker
	}{{"entry", &n.Workers.Entry}, {"router", &n.Workers.Router}, {"verifier", &n.Workers.Verifier},
		{"egress", &n.Workers.Egress}, {"billing", &n.Workers.Billing}} {
		sub := m.Map(l.key)
		if sub == nil {
			continue
		}
		sub.Int("count", &l.to.Count, 1, maxWorkers)
		sub.Int("tps", &l.to.TPS, 0, maxTPS)
		sub.Close()
	}
	m.Close()
}

// size reads octets: 1048576, 512KiB, 256MiB, 4GiB.
func size(m *document.Map, key string, v *int64) {
	s, ok := m.Text(key)
	if !ok {
		return
	}
	unit, digits := int64(1), s
	for _, u := range []struct {
		name   string
		octets int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}} {
		if t, found := strings.CutSuffix(s, u.name); found {
			unit, digits = u.octets, t
		}
	}
	x, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	if err != nil || x < 0 || x > math.MaxInt64/unit || x*unit < minMemory || x*unit > maxMemory {
		m.Fail(key, "%q is not a size from 1MiB to 1024GiB", s)
		return
	}
	*v = x * unit
}
