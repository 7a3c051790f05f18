package profile

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"smsplane/pdu"
)

// Of a recorded run: go test ./pdu/profile -run Quirks -combinations 200 -messages 5000
var (
	combinations = flag.Int("combinations", 40, "random combinations of quirks")
	perCarrier   = flag.Int("messages", 300, "messages of each combination")
)

// habits is how a simulated carrier writes ids.
type habits struct {
	answer, receipt       Base // Text is an opaque id
	upperA, upperR        bool
	padA, padR            int
	prefix                string // in receipts
	noNumber, shortNumber bool
	dialect               *dialect // how it writes receipts; nil: their ids are all there is
}

func (h habits) String() string {
	return fmt.Sprintf("answer %v/%d/%v, receipt %v/%d/%v behind %q, number %v/%v", h.answer, h.padA, h.upperA, h.receipt, h.padR, h.upperR, h.prefix, !h.noNumber,
		!h.shortNumber)
}

func randomHabits(r *rand.Rand) habits {
	bases := []Base{Decimal, Hex}
	h := habits{answer: bases[r.IntN(2)], receipt: bases[r.IntN(2)], upperA: r.IntN(2) == 0, upperR: r.IntN(2) == 0,
		padA: []int{0, 0, 8, 10, 16}[r.IntN(5)], padR: []int{0, 0, 8, 10, 20}[r.IntN(5)], prefix: []string{"", "", "smsc1-", "x:"}[r.IntN(4)],
		shortNumber: r.IntN(3) == 0}
	if r.IntN(6) == 0 {
		h.answer, h.receipt, h.padA, h.padR = Text, Text, 0, 0
	}
	h.dialect = randomDialect(r)
	h.noNumber = h.answer == h.receipt && h.upperA == h.upperR && h.padA == h.padR && h.prefix == "" && r.IntN(2) == 0
	return h
}

func write(v uint64, b Base, upper bool, pad int) string {
	s := ""
	switch b {
	case Decimal:
		s = strconv.FormatUint(v, 10)
	case Hex:
		s = strconv.FormatUint(v, 16)
	default:
		s = fmt.Sprintf("%08x-%04x-k%x", v*2654435761&0xFFFFFFFF, v&0xFFFF, v)
	}
	if len(s) < pad {
		s = strings.Repeat("0", pad-len(s)) + s
	}
	if upper {
		return strings.ToUpper(s)
	}
	return strings.ToLower(s)
}

func (h *habits) inAnswer(v uint64) string { return write(v, h.answer, h.upperA, h.padA) }
func (h *habits) inReceipt(v uint64) string {
	return h.prefix + write(v, h.receipt, h.upperR, h.padR)
}

// world is a carrier and the messages that it has, as an appliance would know them.
type world struct {
	t       *testing.T
	h       habits
	l       *Learner
	values  []uint64
	number  []uint64
	answers map[string]int // live, by answer
	done    []bool
	live    []bool
	orphans []int
	keys    map[string][]int // orphans, by the answers that they may be about
	epoch   uint64
	current int    // whose receipt is being looked at
	source  []byte // that it names
	wrong   int
}

func (w *world) find(answer []byte) (uint64, Fit) {
	i, ok := w.answers[string(answer)]
	if !ok {
		return 0, Untold
	}
	return uint64(i + 1), FitNumber(w.source, w.number[i])
}

// arrive writes the receipt of a message as the carrier does and reads it as the link's profile says.
func (w *world) arrive(i int) []byte {
	addr := "+" + strconv.FormatUint(w.number[i], 10)
	switch {
	case w.h.noNumber:
		addr = ""
	case w.h.shortNumber:
		addr = "0" + addr[3:]
	}
	d, delivered := w.h.dialect, i%3 != 0
	p := d.write(w.h.inReceipt(w.values[i]), addr, delivered)
	var m pdu.Message
	var r pdu.Receipt
	if st := m.Parse(p); st != pdu.ROK || !d.profile.IsReceipt(&m) || !d.profile.ParseReceipt(&m, &r) || r.State != d.state(delivered) {
		w.t.Fatalf("%s: %v, receipt %v, read as %q %v: %q", d.description, st, d.profile.IsReceipt(&m), r.ID, r.State, m.UserData())
	}
	w.source = m.SrcAddr()
	return r.ID
}

func (w *world) receipt(i int, calm, first bool) {
	w.current = i
	id := w.arrive(i)
	var ref uint64
	if first {
		ref = w.l.Resolve(id, calm, w.find)
	} else {
		ref = w.l.Again(id, calm, w.find)
	}
	switch {
	case ref == 0 && first && !w.done[i]:
		w.orphans = append(w.orphans, i)
		for _, k := range w.l.ReceiptKeys(id) {
			w.keys[k] = append(w.keys[k], i)
		}
	case ref == 0:
	case int(ref-1) != i:
		w.wrong++
		w.t.Errorf("%+v: the receipt of %s (answer %s) found that of answer %s", w.h, id, w.h.inAnswer(w.values[i]), w.h.inAnswer(w.values[ref-1]))
	default:
		w.done[i] = true
		delete(w.answers, w.h.inAnswer(w.values[i])) // it ends
	}
}

// answered tries the orphans that an answer may be about, as the appliance does.
func (w *world) answered(i int) {
	key := string(w.l.AnswerKey(nil, []byte(w.h.inAnswer(w.values[i]))))
	for _, j := range slices.Clone(w.keys[key]) {
		if !w.done[j] {
			w.receipt(j, false, false)
		}
	}
}

func (w *world) retry(calm bool) {
	old := w.orphans
	w.orphans = nil
	for _, i := range old {
		if w.done[i] {
			continue
		}
		if w.receipt(i, calm, false); !w.done[i] {
			w.orphans = append(w.orphans, i)
		}
	}
}

// fill makes n ids, a third of which read as another one of them in another base, and numbers, some shared.
func (w *world) fill(r *rand.Rand, n int) {
	used, base := map[uint64]bool{}, uint64(1)<<(4+r.IntN(36))
	add := func(v uint64) bool {
		if v == 0 || used[v] || len(w.values) >= n {
			return false
		}
		used[v] = true
		w.values = append(w.values, v)
		number := 4915100000000 + uint64(len(w.values))*7919
		if k := len(w.values) - 1; k > 0 && r.IntN(3) == 0 {
			number = w.number[k-1] // of the id that reads alike
		}
		w.number = append(w.number, number)
		return true
	}
	for next := base; len(w.values) < n; next += 1 + uint64(r.IntN(3)) {
		v := next
		add(v)
		for range r.IntN(3) {
			other, err := strconv.ParseUint(strconv.FormatUint(v, 10), 16, 48)
			if r.IntN(2) == 0 {
				other, err = strconv.ParseUint(strconv.FormatUint(v, 16), 10, 48)
			}
			if err != nil || !add(other) {
				break
			}
			v = other
		}
	}
}

// Whatever a carrier does to its ids: no receipt finds another message's, and in the end each has found its own.
// Receipts come before answers, twice, for messages of strangers, and with ids that read as others'.
func TestQuirksOfIDs(t *testing.T) {
	total := 0
	for k := range *combinations {
		r := rand.New(rand.NewPCG(uint64(k), 42))
		w := &world{t: t, h: randomHabits(r), l: NewLearner(IDs{}), answers: map[string]int{}, keys: map[string][]int{}}
		w.fill(r, *perCarrier)
		n := len(w.values)
		w.done, w.live = make([]bool, n), make([]bool, n)
		order := r.Perm(n)
		window := 1 + r.IntN(200)
		early, twice, strangers := []int{0, 1, 5}[r.IntN(3)], []int{0, 1, 5}[r.IntN(3)], r.IntN(2) // of ten
		stranger := make([]bool, n)
		var waiting []int // answered, no receipt yet
		answer := func(i int) {
			w.answers[w.h.inAnswer(w.values[i])] = i
			w.answered(i)
		}
		for at, i := range order {
			if at > 50 && r.IntN(10) < strangers { // somebody else's, with an id that reads like ours
				stranger[i] = true
				w.receipt(i, r.IntN(2) == 0, true)
				continue
			}
			if r.IntN(10) < early { // the receipt comes first
				w.receipt(i, false, true)
				answer(i)
			} else {
				answer(i)
				waiting = append(waiting, i)
			}
			for len(waiting) > window || len(waiting) > 0 && r.IntN(3) == 0 {
				j := r.IntN(len(waiting))
				m := waiting[j]
				waiting = append(waiting[:j], waiting[j+1:]...)
				w.receipt(m, r.IntN(2) == 0, true)
				if r.IntN(10) < twice {
					w.receipt(m, r.IntN(2) == 0, true)
				}
			}
			if e := w.l.Epoch(); e != w.epoch {
				w.epoch = e
				w.retry(false)
			}
		}
		for _, m := range waiting {
			w.receipt(m, true, true)
		}
		w.retry(true)
		lost := 0
		for i := range w.done {
			if !w.done[i] && !stranger[i] {
				lost++
			}
		}
		rule, by := w.l.Rule()
		if lost > 0 {
			t.Errorf("%d: %+v: %d of %d receipts found nothing; rule %q, %s", k, w.h, lost, n, rule, by)
		}
		total += n
		if testing.Verbose() {
			t.Logf("%3d: %d receipts, %d wrong, %d lost; %s; rule %q (%s); %s", k, n, w.wrong, lost, w.h, rule, by, w.h.dialect.description)
		}
		if w.wrong > 0 && t.Failed() && k > 5 {
			break
		}
	}
	t.Logf("%d combinations, %d receipts", *combinations, total)
}

// Every rule's receipt has the answer among its keys.
func TestLooseKeys(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	l := NewLearner(IDs{})
	for range 5000 {
		h := randomHabits(r)
		h.prefix = ""
		v := r.Uint64() >> r.IntN(60)
		key := string(l.AnswerKey(nil, []byte(h.inAnswer(v))))
		keys := l.ReceiptKeys([]byte(h.inReceipt(v)))
		found := false
		for _, k := range keys {
			found = found || k == key
		}
		if !found {
			t.Fatalf("%+v: answer %s has key %q, receipt %s has %q", h, h.inAnswer(v), key, h.inReceipt(v), keys)
		}
	}
}

// A carrier that names messages alike costs one look and no allocation, with or without numbers in its receipts.
func TestPlainCarriersAreCheap(t *testing.T) {
	for _, fit := range []Fit{Equal, Untold, Unequal} {
		l := NewLearner(IDs{})
		looks := 0
		ids := make([][]byte, 100)
		for i := range ids {
			ids[i] = []byte(strconv.Itoa(100000 + i*31))
		}
		find := func(answer []byte) (uint64, Fit) {
			looks++
			for i := range ids {
				if string(ids[i]) == string(answer) {
					return uint64(i + 1), fit
				}
			}
			return 0, Untold
		}
		for _, id := range ids[:50] {
			l.Resolve(id, true, find)
		}
		looks = 0
		if ref := l.Resolve(ids[77], false, find); ref != 78 || looks != 1 {
			t.Errorf("fit %d: found %d after %d looks", fit, ref, looks)
		}
		if n := testing.AllocsPerRun(50, func() { l.Resolve(ids[77], false, find) }); n != 0 {
			t.Errorf("fit %d: %v allocations", fit, n)
		}
	}
}

// A carrier that changes its habits is followed after a while, and its rule can be set by hand.
func TestChangedHabits(t *testing.T) {
	l := NewLearner(IDs{})
	run := func(from, to Base, n int) (found int) {
		for i := range n {
			v := uint64(70000 + i*17)
			answer := write(v, to, false, 0)
			if ref := l.Resolve([]byte(write(v, from, false, 0)), true, func(a []byte) (uint64, Fit) {
				if string(a) == answer {
					return v, Equal
				}
				return 0, Untold
			}); ref == v {
				found++
			}
		}
		return found
	}
	if n := run(Decimal, Decimal, 100); n != 100 {
		t.Errorf("%d of 100 found", n)
	}
	run(Decimal, Hex, 40)
	if n := run(Decimal, Hex, 100); n != 100 {
		rule, by := l.Rule()
		t.Errorf("after a change %d of 100 found; %s, %s", n, rule, by)
	}
	l = NewLearner(IDs{Set: true, Answer: Hex, Receipt: Decimal})
	if n := run(Decimal, Hex, 5); n != 5 {
		t.Errorf("%d of 5 found by a rule set by hand", n)
	}
	if n := run(Decimal, Decimal, 20); n != 0 {
		t.Errorf("%d found otherwise than the rule set by hand says", n)
	}
	if rule, by := l.Rule(); by != "set" || rule == "" {
		t.Error(rule, by)
	}
}

// A receipt that is repeated, or a stranger's, ends no message that it fits by a rule which explained next to nothing: not while
// the carrier's own rule is being learned, nor after such receipts have put it in question.
func TestNeighbour(t *testing.T) {
	live := map[string]uint64{}
	find := func(answer []byte) (uint64, Fit) {
		if v := live[string(answer)]; v != 0 {
			return v, Equal
		}
		return 0, Untold
	}
	l := NewLearner(IDs{})
	next := uint64(1 << 20)
	own := func() {
		t.Helper()
		next++
		answer, receipt := strconv.FormatUint(next, 10), fmt.Sprintf("%010x", next)
		live[answer] = next
		if ref := l.Resolve([]byte(receipt), true, find); ref != next {
			t.Errorf("the receipt %s of %s found %d", receipt, answer, ref)
		}
		delete(live, answer)
	}
	neighbour := func() { // has the digits of a receipt that is about another message, which has ended
		t.Helper()
		next++
		answer := fmt.Sprintf("%x", next)
		live[answer] = next
		id := []byte("0000" + answer)
		if l.Resolve(id, true, find) != 0 || l.Again(id, true, find) != 0 {
			t.Errorf("after %d receipts %s found the message %s, which is not its own", l.n, id, answer)
		}
		delete(live, answer)
	}
	own()
	own()
	neighbour()
	for range 18 {
		own()
	}
	for range 2 {
		neighbour()
	}
	if _, by := l.Rule(); by != "learning" {
		t.Errorf("the rule is still %s", by)
	}
	neighbour()
	own()
}
