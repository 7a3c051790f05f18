package dataplane_test

import (
	"fmt"
	"testing"

	"smsplane/pdu"
)

// texts are what a number was sent, in the order in which the carrier took it.
func (c *smsc) texts(dst string) (all []string) {
	for _, m := range c.taken() {
		if string(m.DstAddr()) == dst {
			all = append(all, string(m.UserData()))
		}
	}
	return all
}

// What an in_order client sends to one number arrives in that order, though the carrier refuses some of it for a while
// and the node is started anew; to others the order is that of luck.
func TestOrderPerDestination(t *testing.T) {
	const n = 12
	for _, ordered := range []bool{true, false} {
		t.Run(fmt.Sprintf("in_order %v", ordered), func(t *testing.T) {
			s := newStage(t, play{bindless: true, client: fmt.Sprintf("    in_order: %v\n", ordered)})
			refused := 0
			s.carrier.status = func(m *pdu.Message) pdu.Status {
				if x := string(m.UserData()); (x == "2" || x == "7") && refused < 4 {
					refused++
					return pdu.RThrottled
				}
				return pdu.ROK
			}
			e := s.bind(trx)
			to := []string{s.number(), s.number(), s.number()}
			for i := range n {
				if i == n/2 {
					s.stop()
					s.start()
					e = s.bind(trx)
				}
				for _, dst := range to {
					e.submit(text(dst, fmt.Sprint(i)))
				}
			}
			s.carrier.open()
			eventually(t, "all arrive", func() bool { return len(s.carrier.taken()) == n*len(to) })
			mixed := 0
			for _, dst := range to {
				for i, x := range s.carrier.texts(dst) {
					if x != fmt.Sprint(i) {
						mixed++
					}
				}
			}
			if ordered != (mixed == 0) {
				t.Errorf("%d of %d out of place", mixed, n*len(to))
			}
		})
	}
}

// What is scheduled for later stands in no line, after a restart either: nobody waits for its time.
func TestScheduledHoldsNoLine(t *testing.T) {
	s := newStage(t, play{client: "    in_order: true\n"})
	later := text("491500000001", "tomorrow")
	later.Schedule = []byte("000001000000000R")
	s.bind(trx).submit(later)
	s.stop()
	s.start()
	e := s.bind(trx)
	id := e.submit(text("491500000001", "now"))
	e.receipt(id, 1)
	if got := s.carrier.texts("491500000001"); len(got) != 1 || got[0] != "now" {
		t.Errorf("the carrier has %q", got)
	}
}
