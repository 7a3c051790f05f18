package dataplane

import (
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/egress"
	"smsplane/ledger"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
)

// newTestKeeper is a keeper of one session with a carrier that admits every bind, on the loops of a node that looks at a lease; heard
// is told for each connection whether a bind came over it.
func newTestKeeper(t *testing.T) (kp *keeper, f *fence, heard chan bool) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	heard = make(chan bool, 64)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				head := make([]byte, pdu.HeaderLen)
				_, err := io.ReadFull(c, head)
				heard <- err == nil
				if err == nil {
					_, _ = c.Write(pdu.AppendBindResp(nil, pdu.BindTransceiver, pdu.ROK, pdu.ParseHeader(head).Sequence, "them", 0x34))
					_, _ = io.Copy(io.Discard, c) // until it is reset
				}
			}()
		}
	}()
	n := newTestNode(t)
	files := testCatalog(1)
	files["carriers.yaml"] = []byte(strings.ReplaceAll(string(files["carriers.yaml"]), "127.0.0.1:1", ln.Addr().String()))
	c, err := catalog.Parse(files)
	if err != nil {
		t.Fatal(err)
	}
	var number uint16
	n.x.call(func() {
		row, _ := n.x.lanes[0].book.System.Number(ledger.PartyCarrier, "north")
		number = uint16(row.Number)
	})
	f = &fence{clock: func() int64 { return 0 }, lanes: len(n.x.lanes), until: make([]atomic.Int64, len(n.x.lanes))}
	for _, l := range n.loops {
		n.engine.Post(l.index, func() { l.fence = f })
	}
	kept := newKeptLink(&c.Carriers[0], number, 0, nil)
	k := &links{log: testLog, x: n.x, engine: n.engine, loops: n.loops, ids: &n.ids, clock: n.clock, fence: f, lost: make(chan struct{})}
	return &keeper{links: k, link: kept.link, kept: kept, number: number, pick: rand.New(rand.NewPCG(1, 2)), nudge: make(chan struct{}, 1), lost: k.lost}, f, heard
}

func (kp *keeper) is(state string) bool {
	kp.mu.Lock()
	defer kp.mu.Unlock()
	return kp.state == state
}

// A lease that is over ends the sessions of a host that goes on keeping the links: as soon as it is renewed they are bound anew,
// however often that happens, and not later each time as after failures of the carrier.
func TestLeaseThatEndsIsNoFailureOfTheCarrier(t *testing.T) {
	kp, f, heard := newTestKeeper(t)
	address := kp.dials(0)
	var back, fresh egress.Backoff
	most := 2 * fresh.Failed(0)
	for n := range 5 {
		f.until[0].Store(1)
		kp.tell(linkConnecting, "", address)
		rests := make(chan time.Duration, 1)
		go func() {
			wait, _, _ := kp.once(t.Context(), address, nil, &back)
			rests <- wait
		}()
		until(t.Context(), func() bool { return kp.is(admin.LinkBound) })
		f.until[0].Store(0)
		if wait := <-rests; wait > most {
			t.Errorf("it is dialled again %v after the lease was over for the %d. time", wait, n+1)
		}
		if !<-heard {
			t.Error("no bind came")
		}
	}
}

// While the lease is over no bind goes out: whoever keeps the links by then may be bound.
func TestNoBindWithoutALease(t *testing.T) {
	kp, f, heard := newTestKeeper(t)
	address := kp.dials(0)
	if _, state, reason := kp.once(t.Context(), address, nil, new(egress.Backoff)); state != linkDown || <-heard {
		t.Errorf("a bind went out under a lease that was over while it was dialled; the link is %s: %s", state, reason)
	}
	may := make(chan bool, 1)
	go func() { may <- kp.mayBind(t.Context(), address) }()
	until(t.Context(), func() bool { return kp.is(linkDown) || len(may) > 0 })
	if len(may) > 0 {
		t.Fatal("a keeper does not wait for the lease")
	}
	f.until[0].Store(1)
	if !<-may {
		t.Error("it may not bind under a lease")
	}
}
