package sim

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// Of a recorded run: go test ./bench/sim -run Quirks -combinations 100 -messages 2000
var (
	combinations = flag.Int("combinations", 24, "histories with carriers of random habits in TestQuirks")
	perHistory   = flag.Int("messages", 150, "messages of each")
)

// habits is how a carrier writes ids and numbers.
type habits struct {
	answer, receipt writing
	prefix          string // of ids in receipts
	national        bool   // receipts have numbers without the country code
	nameless        bool   // receipts have no numbers

	given map[uint64]bool // ids, as numbers
	next  uint64
	alike uint64 // the newest id, read in another base; 0: nobody has it yet
}

// writing is how a number is written: in base 10 or 16, or, base 0, so that it is no number.
type writing struct {
	base, width int
	upper       bool
}

func (v writing) of(n uint64) string {
	s := ""
	switch v.base {
	case 0:
		s = fmt.Sprintf("%08x-k%x", uint32(n*2654435761), n)
	default:
		s = strconv.FormatUint(n, v.base)
	}
	if len(s) < v.width {
		s = strings.Repeat("0", v.width-len(s)) + s
	}
	if v.upper {
		s = strings.ToUpper(s)
	}
	return s
}

func newHabits(r *rand.Rand) *habits {
	some := func() writing {
		return writing{base: []int{10, 16}[r.IntN(2)], width: []int{0, 0, 8, 10, 16}[r.IntN(5)], upper: r.IntN(2) == 0}
	}
	h := &habits{answer: some(), receipt: some(), prefix: []string{"", "", "smsc1-", "x:"}[r.IntN(4)], national: r.IntN(3) == 0,
		given: map[uint64]bool{}, next: 1 << (4 + r.IntN(36))}
	if r.IntN(6) == 0 {
		h.answer = writing{}
		h.receipt = h.answer
	}
	h.nameless = h.answer == h.receipt && h.prefix == "" && r.IntN(2) == 0
	return h
}

func (h *habits) String() string {
	return fmt.Sprintf("answer %+v, receipt %+v behind %q, national %v, nameless %v", h.answer, h.receipt, h.prefix, h.national, h.nameless)
}

// name gives an id out: every third reads, in another base, as the one before it.
func (h *habits) name(r *rand.Rand) (answer, receipt string) {
	v := h.alike
	h.alike = 0
	if v == 0 || h.given[v] || r.IntN(3) > 0 {
		for h.next++; h.given[h.next]; h.next++ {
		}
		v = h.next
	}
	h.given[v] = true
	from, to := 10, 16
	if r.IntN(2) == 0 {
		from, to = to, from
	}
	if other, err := strconv.ParseUint(strconv.FormatUint(v, from), to, 48); err == nil {
		h.alike = other
	}
	return h.answer.of(v), h.prefix + h.receipt.of(v)
}

// number is a destination as receipts have it.
func (h *habits) number(dst string) string {
	switch {
	case h.nameless:
		return ""
	case h.national:
		return "0" + dst[2:]
	}
	return "+" + dst
}

// strange lets the carrier tell what became of messages of others now and then, to numbers that ours went to.
func (c *carrier) strange() {
	w := c.w
	if w.calm {
		return
	}
	if n := len(w.messages); n > 30 {
		k := &copied{carrier: c, state: pdu.StateRejected}
		k.id, k.told = c.name()
		c.post(&parcel{copy: k, m: &message{dst: w.messages[n-1].dst}})
	}
	w.after(w.between(0, time.Second), c.strange)
}

// kill is what happens to some hosts in the middle.
const kill = "killed"

// quirky is the history of one host with carriers that name messages as they please, some of it killed in the middle. What a
// wrong receipt would tell differs from what the right one does.
func quirky(w *world) {
	w.crowded = true
	h := w.newHost("a", 1+w.rng.IntN(3), false)
	for _, id := range []string{"north", "south"} {
		c := w.newCarrier(id)
		c.habits = newHabits(w.rng)
		c.manners = manners{early: []int{0, 100, 500}[w.rng.IntN(3)], twice: []int{0, 100, 500}[w.rng.IntN(3)]}
		w.tell("%s: %v", id, c.habits)
		if w.chance(2) {
			w.after(0, c.strange)
		}
	}
	for _, c := range []*client{w.newClient("post", false), w.newClient("pre", true)} {
		c.window, c.rate = 20, 20*time.Millisecond
	}
	h.start()
	if w.chance(3) {
		w.after(w.between(time.Second, 3*time.Second), func() {
			if h.alive {
				h.die(kill, h.disk.killed(), false)
			}
		})
	}
	w.until("all is sent", time.Hour, func() bool { return len(w.messages) >= *perHistory }, w.unrest)
	w.clear()
	w.rest()
	p := w.read(h)
	for _, m := range w.messages {
		if m.answered && m.status == pdu.ROK {
			w.judgeNames(m, p.edrs[m.id])
		}
	}
}

// judgeNames: a message has the end that the receipt of its own copy told, and no other's.
func (w *world) judgeNames(m *message, e *book.EDR) {
	if e == nil {
		w.fail("message %d was accepted as %s and is lost", m.n, m.id)
	}
	switch {
	case len(m.copies) == 0 || e.Reason == ledger.ReasonValidity:
		return // it never came to a carrier, or its time was over
	case w.faults[kill] > 0 && len(e.CarrierID) == 0 && e.ReceiptState == 0:
		return // in doubt since the kill: nobody knows how the carrier names it
	}
	for _, k := range m.copies {
		if string(e.CarrierID) != k.id && len(m.copies) > 1 {
			continue // of a copy before a kill
		}
		if len(e.CarrierID) > 0 && string(e.CarrierID) != k.id || pdu.State(e.ReceiptState) != k.state || string(e.Err) != string(m.mark()) {
			w.fail("message %d (%s): the receipt of %s, told as %s, said %v err %s; the books say %v of %q, state %d err %s", m.n, m.id, k.id, k.told, k.state, m.mark(), e.End,
				e.CarrierID, e.ReceiptState, e.Err)
		}
	}
}

// TestQuirks runs whole hosts whose carriers name messages in random ways, ids reading as others', receipts coming before
// their answers, twice and for messages of strangers: each message has its own receipt in the end.
func TestQuirks(t *testing.T) { seeds(t, "TestQuirks", *combinations, runtime.GOMAXPROCS(0), quirky) }
