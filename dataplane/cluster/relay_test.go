package cluster

import (
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// TestRelay: a client's octets go to another host and back over a connection of their own, with its address, and the
// stream between the hosts goes on beside it.
func TestRelay(t *testing.T) {
	ls, at := listenAll(t)
	client := netip.MustParseAddrPort("192.0.2.7:4711")
	var b *Mesh
	hosts := map[string]*host{}
	for i, s := range seats[1:] {
		h := &host{f: empty(s, byte(i+1)), got: make(chan string, 100)}
		h.f.Seats = seats[1:]
		hosts[s.Name] = h
	}
	hosts["a"].start(t, ls["a"], at)
	h := hosts["b"]
	b = Start(Options{Self: "b", Peers: map[string]string{"a": at["a"]}, Listener: ls["b"], Logger: slog.New(slog.DiscardHandler),
		Hello:   func() *Hello { h.mu.Lock(); defer h.mu.Unlock(); return h.f.Hello() },
		Heard:   func(o *Hello) error { h.mu.Lock(); defer h.mu.Unlock(); _, err := h.f.Heard(o); return err },
		Receive: func(from *Peer, _ Kind, _ uint16, p []byte) { h.got <- from.Name + " " + string(p) },
		Relayed: func(from *Peer, c net.Conn, who netip.AddrPort) {
			defer c.Close()
			if _, err := io.WriteString(c, from.Name+" "+who.String()+" "); err == nil {
				_, _ = io.Copy(c, c)
			}
		}})
	t.Cleanup(b.Close)
	to := hosts["a"].mesh.Peer("b")
	wait(t, "a reaches b", to.Up)
	c, err := to.Relay(client)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "octets"); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(c)
	if err != nil || string(all) != "a 192.0.2.7:4711 octets" {
		t.Fatalf("%q, %v", all, err)
	}
	to.Send(Raft, 0, []byte("beside it"))
	if got := <-h.got; got != "a beside it" {
		t.Fatal(got)
	}
	back := b.Peer("a")
	wait(t, "b reaches a", back.Up)
	if _, err := back.Relay(client); err == nil || !strings.Contains(err.Error(), "takes no clients") {
		t.Fatalf("a host without a lobby was handed a client: %v", err)
	}
}
