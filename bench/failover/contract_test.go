//go:build e2e

package failover

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"smsplane/bench/peer"
)

// TestContract runs the sample folder of a pair exactly as it is written, with its carriers' addresses, on loopback.
func TestContract(t *testing.T) {
	must(t, "ip", "link", "set", "lo", "up")
	must(t, "ip", "addr", "replace", "127.0.0.1/8", "dev", "lo")
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../e2e/testdata/contract")); err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, dir: dir}
	for i := range 2 {
		c, err := peer.StartCarrier(peer.CarrierOptions{Listen: fmt.Sprintf("127.0.0.1:%d", 3775+i), Behaviour: peer.Behaviour{Receipts: "all"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		s.carriers = append(s.carriers, c)
	}
	for i, m := range []**member{&s.a, &s.b, &s.w} {
		name := string(rune("abw"[i]))
		*m = &member{t: t, name: name, config: filepath.Join(dir, "pair", name+".yaml"), admin: fmt.Sprintf("http://127.0.0.%d:8080", i+1),
			witness: name == "w", web: http.Client{Timeout: 3 * time.Second}}
		t.Cleanup((*m).tidy)
		(*m).start()
	}
	l := s.serving()
	c := newClient("meter", 3, 4, 100, 500, 0, "127.0.0.1:2775", "127.0.0.2:2775")
	defer c.close()
	accepted := func(n int) func() bool { return func() bool { _, acked, _ := c.counts(); return acked > n } }
	eventually(t, time.Minute, "messages are accepted", accepted(500))
	l.kill()
	_, before, _ := c.counts()
	eventually(t, time.Minute, "messages are accepted by the other host", accepted(before+500))
	l.start()
	s.caughtUp()
	c.halt()
	s.account(c, 3)
}
