package cluster

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// host is a mesh with a formation, on loopback.
type host struct {
	mu   sync.Mutex
	f    *Formation
	mesh *Mesh
	got  chan string
}

func listenAll(t *testing.T) (ls map[string]net.Listener, at map[string]string) {
	t.Helper()
	ls, at = map[string]net.Listener{}, map[string]string{}
	for _, s := range seats {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ls[s.Name], at[s.Name] = l, l.Addr().String()
	}
	return ls, at
}

func (h *host) start(t *testing.T, l net.Listener, at map[string]string) {
	peers := map[string]string{}
	for name, address := range at {
		if name != h.f.Self.Name {
			peers[name] = address
		}
	}
	h.mesh = Start(Options{Self: h.f.Self.Name, Peers: peers, Listener: l, Logger: slog.New(slog.DiscardHandler),
		Hello: func() *Hello { h.mu.Lock(); defer h.mu.Unlock(); return h.f.Hello() },
		Heard: func(o *Hello) error {
			h.mu.Lock()
			changed, err := h.f.Heard(o)
			h.mu.Unlock()
			if changed {
				go h.mesh.Announce()
			}
			return err
		},
		Receive: func(from *Peer, k Kind, lane uint16, p []byte) {
			h.got <- fmt.Sprintf("%s %d %d %s", from.Name, k, lane, p)
		},
	})
	t.Cleanup(h.mesh.Close)
}

func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func TestMeshFormsAndCarriesFrames(t *testing.T) {
	ls, at := listenAll(t)
	hosts := map[string]*host{}
	for i, s := range seats {
		h := &host{f: empty(s, byte(i+1)), got: make(chan string, 100)}
		hosts[s.Name] = h
		h.start(t, ls[s.Name], at)
	}
	for _, h := range hosts {
		wait(t, "forming", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.f.Table() != nil })
	}
	a, b := hosts["a"].mesh.Peer("b"), hosts["b"]
	wait(t, "a stream", a.Up)
	big := bytes.Repeat([]byte("x"), 1<<20)
	for i := range 20 {
		if !a.Send(Raft, uint16(i), []byte("one "), []byte("two")) || !a.Send(Raft, 7, big) {
			t.Fatal("lost")
		}
		if got, want := <-b.got, fmt.Sprintf("a %d %d one two", Raft, i); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		if got := <-b.got; len(got) < 1<<20 {
			t.Fatalf("%d octets of a large frame arrived", len(got))
		}
	}
}

func TestMeshShowsBothSidesARefusal(t *testing.T) {
	ls, at := listenAll(t)
	w := newWorld()
	w.all(t)
	w["b"] = empty(seats[2], 99) // wiped
	a, b := &host{f: w["a"], got: make(chan string, 1)}, &host{f: w["b"], got: make(chan string, 1)}
	a.start(t, ls["a"], at)
	b.start(t, ls["b"], at)
	for _, p := range []*Peer{a.mesh.Peer("b"), b.mesh.Peer("a")} {
		wait(t, "the refusal at both", func() bool { return strings.Contains(p.Status().Reason, "cluster replace b") })
		if p.Up() {
			t.Errorf("a stream to %s stands", p.Name)
		}
	}
}

func TestAStreamThatIsDownLosesFramesAndComesBack(t *testing.T) {
	ls, at := listenAll(t)
	w := newWorld()
	w.all(t)
	a, b := &host{f: w["a"], got: make(chan string, 1)}, &host{f: w["b"], got: make(chan string, 100)}
	a.start(t, ls["a"], at)
	b.start(t, ls["b"], at)
	p := a.mesh.Peer("b")
	wait(t, "the stream", p.Up)
	b.mesh.Close()
	wait(t, "the end of the stream", func() bool { return !p.Up() })
	if p.Send(Raft, 0, []byte("lost")) || p.Status().Lost == 0 {
		t.Error("a frame without a stream is not told as lost")
	}
	l, err := net.Listen("tcp", at["b"])
	if err != nil {
		t.Fatal(err)
	}
	b.start(t, l, at)
	wait(t, "the stream again", p.Up)
	p.Send(Raft, 1, []byte("here"))
	if got := <-b.got; got != fmt.Sprintf("a %d 1 here", Raft) {
		t.Errorf("got %q", got)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(appendFrame(nil, Raft, 3, []byte("abc")))
	f.Add(appendFrame(appendFrame(nil, kindBeat, 0), kindHello, 0, empty(seats[1], 1).Hello().Encode()))
	f.Fuzz(func(_ *testing.T, b []byte) {
		r := newFrameReader(bytes.NewReader(b))
		for {
			k, _, p, err := r.next()
			if err != nil {
				return
			}
			if k == kindHello {
				_, _ = ParseHello(p)
			}
		}
	})
}
