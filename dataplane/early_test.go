package dataplane

import (
	"fmt"
	"testing"

	"smsplane/pdu"
)

// What is remembered of receipts that came early has a bound; the oldest give way, and nothing is left of them.
func TestEarlyReceiptsHaveABound(t *testing.T) {
	e := newEarly()
	add := func(n int) {
		s := pdu.Submit{Command: pdu.DeliverSM, Src: fmt.Appendf(nil, "4915%09d", n%1000), SrcTON: 1, SrcNPI: 1, Dst: []byte("x"), Text: []byte("r")}
		var v pdu.Message
		p := s.Append(nil, 1)
		v.Parse(p)
		e.add(1, &v, &pdu.Receipt{ID: fmt.Appendf(nil, "%d", n)}, p, int64(n))
	}
	const over = 1000
	for n := range maxEarly + over {
		add(n)
		if n%3 == 0 {
			e.drop(earlyKey{1, fmt.Sprint(n)}) // it found its message
		}
	}
	for n := range 2 * maxEarly {
		add(maxEarly + over + n)
	}
	total, octets := 0, 0
	for _, n := range e.parties {
		total += n
	}
	for _, o := range e.byID {
		octets += len(o.pdu)
	}
	if len(e.byID) != maxEarly || total != maxEarly || octets != e.bytes || len(e.order) > 2*maxEarly {
		t.Errorf("%d are kept, %d by number, %d octets of %d, %d in order", len(e.byID), total, octets, e.bytes, len(e.order))
	}
	if _, there := e.byID[earlyKey{1, fmt.Sprint(maxEarly + over + maxEarly - 1)}]; there {
		t.Error("an old one was kept for a new one")
	}
	for k := range e.byID {
		e.drop(k)
	}
	if len(e.parties) != 0 || e.bytes != 0 {
		t.Errorf("%d numbers and %d octets are left", len(e.parties), e.bytes)
	}
}
