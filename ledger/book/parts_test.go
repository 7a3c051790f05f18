package book

import (
	"reflect"
	"testing"

	"smsplane/ledger"
)

// A message that outlives its block takes what is known of its parts along.
func TestStragglerKeepsItsParts(t *testing.T) {
	b := New(3, nil, nil)
	m := b.t.add(ledger.MakeMsgID(3, 77))
	m.Carrier, m.State = 9, StateDispatched
	shape := ledger.Shape{Of: 3, Part: 1, Joined: 2, Coding: 8, Charset: 5, Ref: 0xABCD}
	b.shaped(m, &shape)
	b.SetPartID(m, 0, []byte("first"))
	b.SetPartID(m, 1, []byte("second"))
	if !b.EndPart(m, 0, 5, []byte("012")) || b.EndPart(m, 0, 2, nil) {
		t.Error("the first final receipt of a part counts")
	}
	v := appendMsg(nil, m, b.splits[77], 1, []byte("body"))
	c := New(3, nil, nil)
	if err := c.loadStraggler(v); err != nil {
		t.Fatal(err)
	}
	n := c.Get(m.ID)
	if got := c.Shape(n); got.Ref != 0xABCD || got.Of != 3 || got.Joined != 2 || got.Coding != 8 || got.Charset != 5 {
		t.Errorf("shape %+v", got)
	}
	if !reflect.DeepEqual(b.splits[77].of, c.splits[77].of) {
		t.Errorf("parts %+v, were %+v", c.splits[77].of, b.splits[77].of)
	}
	for i, id := range []string{"first", "second"} {
		if part, ok := c.PartByID(n, []byte(id)); c.ByName(NameOf(9, []byte(id))) != n || !ok || part != uint8(i) {
			t.Errorf("%s is part %d, %v", id, part, ok)
		}
	}
	c.unsplit(n)
	n.Of, n.cidLen = 0, 0
	if c.ByName(NameOf(9, []byte("second"))) != nil || c.byName.n > 0 {
		t.Errorf("names of parts that are gone: %v", c.byName)
	}
}

func TestDamagedPartsAreRefused(t *testing.T) {
	b := New(3, nil, nil)
	m := b.t.add(ledger.MakeMsgID(3, 77))
	b.shaped(m, &ledger.Shape{Of: 2})
	b.SetPartID(m, 0, []byte("a name"))
	whole := b.splits[77].append(nil)
	for n := range whole {
		r := reader{b: whole[:n]}
		if s, err := readSplit(&r); err == nil && !r.bad && s != nil {
			t.Errorf("%d octets of %d are parts: %+v", n, len(whole), s)
		}
	}
}
