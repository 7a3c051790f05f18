package dataplane

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"smsplane/ledger"
	"smsplane/router"
)

// A frame carries events as they are, and one that was cut short carries those that are whole.
func TestFrameCarriesEvents(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	for range 200 {
		sent := make([]event, rng.IntN(20))
		for i := range sent {
			sent[i] = event{kind: wireKinds[1+rng.IntN(len(wireKinds)-1)], lane: uint16(rng.Uint32()), session: rng.Uint32(), seq: rng.Uint32(), status: rng.Uint32(),
				id: ledger.MsgID(rng.Uint64()), at: rng.Int64(), number: router.Number(rng.Uint64())}
			if n := rng.IntN(40); n > 0 {
				sent[i].data = bytes.Repeat([]byte{byte(i)}, n)
			}
		}
		b := appendEvents(appendFrameHead(nil, toGuest, 7, 8), sent)
		cut := len(b)
		if rng.IntN(2) == 0 {
			cut = rng.IntN(len(b) + 1)
		}
		f, ok := parseFrame(3, b[:cut])
		if ok != (cut >= stayHead) {
			t.Fatalf("%d octets: %v", cut, ok)
		}
		if !ok {
			continue
		}
		if f.from != 3 || f.dir != toGuest || f.stay != 7 || f.n != 8 {
			t.Fatalf("%+v", f)
		}
		n := 0
		f.each(func(e *event) {
			v := sent[n]
			if !bytes.Equal(e.data, v.data) || (e.data == nil) != (v.data == nil) {
				t.Fatalf("event %d carries %x, want %x", n, e.data, v.data)
			}
			got, want := *e, v
			got.data, want.data = nil, nil
			if got.kind != want.kind || got.lane != want.lane || got.session != want.session || got.seq != want.seq || got.status != want.status || got.id != want.id ||
				got.at != want.at || got.number != want.number {
				t.Fatalf("event %d is %+v, want %+v", n, got, want)
			}
			n++
		})
		if cut == len(b) && n != len(sent) {
			t.Fatalf("%d of %d events", n, len(sent))
		}
	}
}

// A link that another host names and our catalog does not have, as for a moment while a catalog comes into force, has no profile.
func TestLinksThatTheCatalogHasNot(t *testing.T) {
	n := newTestNode(t)
	n.x.call(func() {
		row, ok := n.x.lanes[0].book.System.Number(ledger.PartyCarrier, "north")
		if !ok {
			t.Error("the test's catalog has no carrier north")
			return
		}
		for _, index := range []int{-1, 1000} {
			if p := n.x.dialect(linkCode(uint16(row.Number), &link{index: index})); p != nil {
				t.Errorf("link %d: %v", index, p)
			}
			if k := n.x.farLink(linkPlace{uint16(row.Number), index}); k != nil {
				t.Errorf("link %d: %v", index, k)
			}
		}
	})
}
