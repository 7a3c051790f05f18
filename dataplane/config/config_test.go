package config

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"smsplane/ledger/catalog/document"
)

var rewrite = flag.Bool("rewrite", false, "write what the tests get over testdata")

func load(t *testing.T, path string) *Node {
	t.Helper()
	n, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestContractSingle(t *testing.T) {
	n := load(t, "testdata/single/smsplane.yaml")
	want := defaults()
	want.Name, want.File = "a", "testdata/single/smsplane.yaml"
	want.Data, want.Catalog = "testdata/single/data", "testdata/single/catalog"
	want.SMPP.Listen, want.Admin.Listen = []string{"127.0.0.1:2775"}, "127.0.0.1:8080"
	if !reflect.DeepEqual(n, want) {
		t.Errorf("got  %+v\nwant %+v", n, want)
	}
	w := n.Workers
	if counts := [5]int{w.Entry.Count, w.Router.Count, w.Verifier.Count, w.Egress.Count, w.Billing.Count}; counts != [5]int{5, 8, 4, 9, 2} {
		t.Errorf("default workers are %v", counts)
	}
	if n.Lanes != 8 || n.Drain != 10*time.Second || n.Witness() {
		t.Errorf("lanes %d, drain %s, witness %v", n.Lanes, n.Drain, n.Witness())
	}
}

func TestContractReference(t *testing.T) {
	n := load(t, "testdata/reference/smsplane.yaml")
	want := Workers{Entry: Worker{5, 500}, Router: Worker{8, 250}, Verifier: Worker{4, 500}, Egress: Worker{9, 400}, Billing: Worker{2, 0}}
	if n.Workers != want {
		t.Errorf("got %+v, want %+v", n.Workers, want)
	}
	if n.Catalog != "testdata/single/catalog" {
		t.Errorf("catalog %s is not relative to the file", n.Catalog)
	}
}

func TestContractPair(t *testing.T) {
	members := []Member{{"a", "127.0.0.1:7775", false}, {"b", "127.0.0.2:7775", false}, {"w", "127.0.0.3:7775", true}}
	for _, name := range []string{"a", "b", "w"} {
		n := load(t, "testdata/pair/"+name+".yaml")
		if n.Name != name || n.Witness() != (name == "w") || n.Cluster == nil || !reflect.DeepEqual(n.Cluster.Members, members) {
			t.Errorf("%s: %+v %+v", name, n, n.Cluster)
		}
		if !n.Cluster.Spread || !n.Cluster.Relay {
			t.Errorf("%s: spread %v, relay %v", name, n.Cluster.Spread, n.Cluster.Relay)
		}
	}
}

// The folders here are copies; where the originals are at hand they must be the same.
func TestContractCopies(t *testing.T) {
	const originals = "../../../shared/contract"
	for _, name := range []string{"single/smsplane.yaml", "reference/smsplane.yaml", "pair/a.yaml", "pair/b.yaml", "pair/w.yaml"} {
		want, err := os.ReadFile(filepath.Join(originals, name))
		if err != nil {
			t.Logf("no original to compare with: %v", err)
			return
		}
		got, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s differs from the contract: %v", name, err)
		}
	}
}

func TestTenMistakes(t *testing.T) {
	_, err := Load("testdata/ten/smsplane.yaml")
	problems, ok := err.(document.Problems)
	if !ok || len(problems) < 10 {
		t.Fatalf("%T with %d problems: %v", err, len(problems), err)
	}
	golden(t, "testdata/ten/expected.txt", err.Error()+"\n")
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got\n%s", path, got)
	}
}

const good = "node: a\ndata: ./d\nsmpp: {listen: 127.0.0.1:2775}\ncatalog: ./c\n"

func TestMistakes(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", "f.yaml: is empty"},
		{"only a comment", "# nothing\n", "f.yaml: is empty"},
		{"a list", "- node\n", "f.yaml:1: the file should be a mapping"},
		{"syntax", "node: [a\n", "f.yaml:1: does not parse"},
		{"nothing said", "lanes: 8\n", "f.yaml:1: node is missing"},
		{"two documents", good + "---\nnode: b\n", "f.yaml:6: only one document"},
		{"anchor", strings.Replace(good, "./d", "&x ./d", 1), "f.yaml:2: data: should be a single value, not an anchor"},
		{"unknown key", good + "lane: 8\n", `f.yaml:5: "lane" is not a key here; known are node, data, `},
		{"twice", good + "node: b\n", "f.yaml:5: node is said twice, first on line 1"},
		{"witness with clients", good + "cluster: {listen: 127.0.0.1:1, members: {a: 127.0.0.1:1, b: 127.0.0.1:2}, witness: a, insecure_plaintext: true}\n",
			"f.yaml:3: smpp: a witness takes no clients"},
		{"not a member", good + "cluster: {listen: 127.0.0.1:1, members: {b: 127.0.0.1:2}, insecure_plaintext: true}\n", `this node, "a", is not among them`},
		{"nobody stores", good + "cluster: {listen: 127.0.0.1:1, members: {a: 127.0.0.1:2}, witness: [a], insecure_plaintext: true}\n", "every member is a witness"},
		{"unknown witness", good + "cluster: {listen: 127.0.0.1:1, members: {a: 127.0.0.1:2}, witness: [x], insecure_plaintext: true}\n", `witness: "x" is not a member`},
		{"plaintext unsaid", good + "cluster: {listen: 127.0.0.1:1, members: {a: 127.0.0.1:2}}\n", "insecure_plaintext: must be true"},
		{"plaintext abroad", good + "cluster: {listen: 127.0.0.1:1, members: {a: 127.0.0.1:2, b: 192.0.2.1:2}, insecure_plaintext: true}\n", "b at 192.0.2.1:2 is not a loopback"},
		{"TLS and plaintext", good + "cluster: {listen: 127.0.0.1:1, members: {a: 127.0.0.1:1, b: 127.0.0.1:2}, insecure_plaintext: true, tls: {cert: c, key: k, ca: x}}\n", "insecure_plaintext: contradicts tls"},
		{"TLS without an authority", good + "cluster: {listen: 192.0.2.1:1, members: {a: 192.0.2.1:1, b: 192.0.2.2:1}, tls: {cert: c, key: k}}\n", "tls: ca is missing"},
		{"same address", good + "cluster: {listen: 127.0.0.1:1, members: {a: 127.0.0.1:2, b: 127.0.0.1:2}, insecure_plaintext: true}\n", "is the address of a already"},
		{"no address at all", strings.Replace(good, "listen: 127.0.0.1:2775", "max_pdu: 4096", 1), "f.yaml:3: smpp: listen is missing"},
		{"TLS without keys", strings.Replace(good, "listen", "tls_listen", 1), "f.yaml:3: smpp: tls_listen: needs tls: cert and key"},
		{"keys without TLS", strings.Replace(good, "2775", "2775, tls: {cert: c, key: k}", 1), "f.yaml:3: smpp: tls: is for tls_listen"},
		{"no key", strings.Replace(good, "2775", "2775, tls_listen: 127.0.0.1:3550, tls: {cert: c}", 1), "f.yaml:3: smpp: tls: key is missing"},
		{"certificates of nobody", strings.Replace(good, "2775", "2775, tls_listen: 127.0.0.1:3550, tls: {cert: c, key: k, client_cert: required}", 1),
			"f.yaml:3: smpp: tls: client_cert: needs client_ca"},
		{"unknown key of TLS", strings.Replace(good, "2775", "2775, tls_listen: 127.0.0.1:3550, tls: {cert: c, key: k, ca: x}", 1), `"ca" is not a key here`},
		{"memory_max", good + "memory_max: 511MiB\n", "memory_max: less than twice memory"},
		{"size", good + "memory: 1TiB\n", "memory: \"1TiB\" is not a size"},
		{"size overflow", good + "memory: 99999999999GiB\n", "is not a size"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("f.yaml", []byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestEverythingSaid(t *testing.T) {
	n, err := Parse("/etc/smsplane/node.yaml", []byte(`
node: a
data: /var/lib/smsplane
smpp:
  listen: 127.0.0.1:0
  tls_listen: ["127.0.0.1:3550", "[::1]:3550"]
  tls: {cert: tls/cert.pem, key: /etc/ssl/key.pem, client_ca: ca.pem, client_cert: optional}
  max_pdu: 4096
  max_connections: 20
  max_connections_per_source: 3
  bind_timeout: 2s
  enquire_link: 15s
  response_timeout: 10s
  pdu_timeout: 3s
  inactivity_timeout: 5m
  allow: [127.0.0.1, 10.0.0.0/8]
  deny: 10.1.0.0/16
admin: {listen: "[::1]:8081"}
workers: {router: {tps: 9}}
lanes: 2
drain_seconds: 0
memory: 64MiB
memory_max: 1GiB
catalog: catalog
`))
	if err != nil {
		t.Fatal(err)
	}
	s := n.SMPP
	if s.MaxPDU != 4096 || s.MaxConnections != 20 || s.MaxPerSource != 3 || s.BindTimeout != 2*time.Second || s.EnquireEvery != 15*time.Second ||
		s.ResponseTimeout != 10*time.Second || s.PDUTimeout != 3*time.Second || s.InactivityTimeout != 5*time.Minute || len(s.Allow) != 2 || s.Deny[0].String() != "10.1.0.0/16" {
		t.Errorf("smpp %+v", s)
	}
	if want := (TLS{"/etc/smsplane/tls/cert.pem", "/etc/ssl/key.pem", "/etc/smsplane/ca.pem", true}); s.TLS != want || len(s.TLSListen) != 2 {
		t.Errorf("TLS %v %+v", s.TLSListen, s.TLS)
	}
	if n.Data != "/var/lib/smsplane" || n.Catalog != "/etc/smsplane/catalog" || n.Admin.Listen != "[::1]:8081" || n.Lanes != 2 || n.Drain != 0 ||
		n.Memory != 64<<20 || n.MemoryMax != 1<<30 || n.Workers.Router != (Worker{8, 9}) {
		t.Errorf("node %+v", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, path := range []string{"testdata/single/smsplane.yaml", "testdata/reference/smsplane.yaml", "testdata/pair/w.yaml", "testdata/ten/smsplane.yaml"} {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := Parse("f.yaml", b)
		if (n == nil) == (err == nil) {
			t.Fatalf("node %v with error %v", n, err)
		}
		if err == nil && (n.Name == "" || n.Data == "" || n.Lanes < 1 || n.Workers.Egress.Count < 1 || !n.Witness() && len(n.SMPP.Listen)+len(n.SMPP.TLSListen) == 0) {
			t.Fatalf("accepted an incomplete node: %+v", n)
		}
	})
}
