package dataplane

import (
	"bytes"
	"testing"

	"smsplane/ledger"
	"smsplane/ring"
)

// What does not fit the ring waits in the outbox; nothing is lost or reordered.
func TestOutboxKeepsOrderAcrossAFullRing(t *testing.T) {
	r := ring.New[event](8)
	o := outbox{ring: r}
	sent, got := 0, 0
	for round := range 200 {
		for range round % 23 {
			o.push(event{kind: evLost, id: ledger.MsgID(sent)})
			sent++
		}
		_, all := o.flush()
		if all != (len(o.waiting) == 0) {
			t.Fatal("flush does not say whether all passed")
		}
		drain(r, 5, func(*event) {}, func(e *event) {
			if int(e.id) != got {
				t.Fatalf("event %d came when %d was due", e.id, got)
			}
			got++
		})
	}
	for got < sent {
		o.flush()
		drain(r, 8, func(*event) {}, func(*event) { got++ })
	}
}

func TestArenaCopiesStayAsTheyAre(t *testing.T) {
	var a arena
	var copies, want [][]byte
	for i := range 3000 {
		b := bytes.Repeat([]byte{byte(i)}, i%200)
		copies, want = append(copies, a.copy(b)), append(want, b)
	}
	for i := range copies {
		if !bytes.Equal(copies[i], want[i]) {
			t.Fatalf("copy %d changed", i)
		}
		if len(copies[i]) != cap(copies[i]) {
			t.Fatalf("copy %d can grow into its neighbour", i)
		}
	}
}
