package bench

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"smsplane/dataplane/config"
)

// The files of a stand: a node and its catalog.

const (
	password     = "stand"
	parkedPrefix = "4916" // numbers of the carrier that is never there
	livePrefix   = "4915"
)

func clientName(i int) string  { return fmt.Sprintf("client%d", i) }
func carrierName(i int) string { return fmt.Sprintf("carrier%d", i) }

const parkedName = "parked"

func (s *stand) config() string { return filepath.Join(s.dir, "smsplane.yaml") }

func (s *stand) write() error {
	files := map[string]string{
		"smsplane.yaml":         s.nodeFile(),
		"catalog/clients.yaml":  s.clientsFile(),
		"catalog/carriers.yaml": s.carriersFile(),
		"catalog/networks.csv":  "prefix,country,mcc,mnc,network\n49,DE,262,,\n4915,DE,262,01,Telekom\n",
		"catalog/rates.csv":     s.ratesFile(),
	}
	if err := os.MkdirAll(filepath.Join(s.dir, "catalog"), 0o755); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return s.routesFile(filepath.Join(s.dir, "catalog", "routes.csv"))
}

func (s *stand) nodeFile() string {
	var b strings.Builder
	fmt.Fprintf(&b, "node: stand\ndata: ./data\nsmpp:\n  listen: [%q]\n  max_connections_per_source: 20000\n  max_connections: 20000\nadmin:\n  listen: %q\ncatalog: ./catalog\n", s.smpp, s.admin)
	if s.o.Lanes > 0 {
		fmt.Fprintf(&b, "lanes: %d\n", s.o.Lanes)
	}
	if s.o.Hot > 0 {
		fmt.Fprintf(&b, "memory: %dMiB\n", s.o.Hot)
	}
	if s.o.Keep > 0 {
		fmt.Fprintf(&b, "retention: {edr: %v}\n", s.o.Keep)
	}
	if s.o.Workers != (config.Workers{}) {
		b.WriteString("workers:\n")
		w := &s.o.Workers
		for _, l := range []struct {
			name string
			w    config.Worker
		}{{"entry", w.Entry}, {"router", w.Router}, {"verifier", w.Verifier}, {"egress", w.Egress}} {
			if l.w.Count > 0 {
				fmt.Fprintf(&b, "  %s: {count: %d, tps: %d}\n", l.name, l.w.Count, l.w.TPS)
			}
		}
	}
	return b.String()
}

func (s *stand) clientsFile() string {
	b := strings.Builder{}
	b.WriteString("clients:\n")
	for i := range s.o.Clients {
		n := clientName(i)
		fmt.Fprintf(&b, "  - id: %s\n    party: %s\n    system_id: %s\n    password: %s\n    plan: standard\n    class: transactional\n"+
			"    window: 10000\n    deliver_window: 5000\n    max_binds: {tx: 10000, rx: 10000, trx: 10000}\n    tps: unlimited\n"+
			"    billing: {mode: postpaid, currency: EUR, credit_limit: 1000000000, charge: sent}\n", n, n, n, password)
	}
	return b.String()
}

func (s *stand) carriersFile() string {
	b := strings.Builder{}
	b.WriteString("carriers:\n")
	receipts := "asked"
	if s.o.Receipts {
		receipts = "always"
	}
	tps := "unlimited"
	if s.o.TPS > 0 {
		tps = strconv.Itoa(s.o.TPS)
	}
	timers := ""
	if s.o.Unruly {
		timers = "        response_timeout: 2s\n        enquire_link: 2s\n"
	}
	one := func(id, address string) {
		fmt.Fprintf(&b, "  - id: %s\n    party: %s\n    currency: EUR\n    cost: sent\n    receipts: %s\n    receipt_wait: 72h\n    in_doubt: {default: resend}\n"+
			"    links:\n      - address: %q\n        system_id: smsplane\n        password: secret\n        bind: transceiver\n        sessions: %d\n        window: %d\n        deliver_window: %d\n        tps: %s\n%s",
			id, id, receipts, address, s.o.Sessions, s.o.Window, linkDeliveries, tps, timers)
	}
	for i, a := range s.addresses {
		one(carrierName(i), a)
	}
	if s.o.Parked {
		one(parkedName, "127.0.0.1:1") // nobody listens on tcpmux
	}
	return b.String()
}

func (s *stand) ratesFile() string {
	b := strings.Builder{}
	b.WriteString("kind,party,prefix,mcc,mnc,price,currency,effective_from,effective_to\n")
	for i := range s.o.Clients {
		fmt.Fprintf(&b, "sell,%s,49,,,0.0450,EUR,2026-01-01,\n", clientName(i))
	}
	for i := range s.o.Carriers {
		fmt.Fprintf(&b, "buy,%s,49,,,0.0310,EUR,2026-01-01,\n", carrierName(i))
	}
	if s.o.Parked {
		fmt.Fprintf(&b, "buy,%s,49,,,0.0310,EUR,2026-01-01,\n", parkedName)
	}
	return b.String()
}

// apartPrefix is carrier i's own.
func apartPrefix(i int) string { return fmt.Sprintf("%s%d", livePrefix, i) }

// maxShared is how many carriers a plan may name for one prefix.
const maxShared = 64

// routesFile routes every message over all carriers with equal weight, or over as many as a plan may name; those beyond
// are bound and have a prefix of their own. The rows besides are for prefixes of seven digits
// and more below 1 to 9 but 4, so that a lookup has them as neighbours and never as its answer.
func (s *stand) routesFile(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "plan,prefix,mcc,mnc,class,tier,weight,carrier")
	for i := range s.o.Carriers {
		prefix := livePrefix
		switch {
		case s.o.Apart:
			prefix = apartPrefix(i)
		case i >= maxShared:
			prefix = fmt.Sprintf("4917%04d", i)
		}
		fmt.Fprintf(w, "standard,%s,,,,1,1,%s\n", prefix, carrierName(i))
	}
	if s.o.Parked {
		fmt.Fprintf(w, "standard,%s,,,,1,1,%s\n", parkedPrefix, parkedName)
	}
	for i := range s.o.Routes {
		fmt.Fprintf(w, "standard,%d%07d,,,,1,1,%s\n", 5+i%5, i/5, carrierName(i%s.o.Carriers))
	}
	return w.Flush()
}
