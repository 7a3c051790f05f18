package dataplane_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"smsplane/dataplane/admin"
	"smsplane/pdu"
)

// partOf reads the header of a part joined by 8-bit references.
func partOf(t *testing.T, m *pdu.Message) (ref, total, seq uint8, body []byte) {
	t.Helper()
	d := m.UserData()
	n := pdu.UDHLen(d)
	if !m.UDHI() || n != 6 || d[1] != 0 {
		t.Fatalf("no part: %x", d)
	}
	return d[3], d[4], d[5], d[n:]
}

// joined is the text that parts make, which must stand in order and belong together.
func joined(t *testing.T, parts []*pdu.Message) (text []byte) {
	t.Helper()
	var first uint8
	for i, m := range parts {
		ref, total, seq, body := partOf(t, m)
		if i == 0 {
			first = ref
		}
		if ref != first || int(total) != len(parts) || int(seq) != i+1 {
			t.Errorf("part %d of %d says %d/%d of %d, the first %d", i+1, len(parts), seq, total, ref, first)
		}
		text = append(text, body...)
	}
	return text
}

const udh8 = "        profile: {long: udh8}\n"

// trace is the life of a message in words.
func (s *stage) trace(id string) string {
	s.t.Helper()
	var lines []struct{ Event, Detail string }
	s.get("/api/v1/trace?id="+id, &lines)
	return fmt.Sprint(lines)
}

// A text that we split has one id, pays for its parts once, and ends once: delivered when all parts are.
func TestTextThatWeSplit(t *testing.T) {
	s := newStage(t, play{link: udh8})
	e := s.bind(trx)
	words := strings.Repeat("All is well. ", 31) // 403 septets: three parts
	to := s.number()
	id := e.submit(text(to, words))
	_, r := e.receipt(id, 1)
	if r.State != pdu.StateDelivered || r.Sub != 3 || r.Dlvrd != 3 {
		t.Errorf("receipt %+v", r)
	}
	if got := joined(t, s.carrier.taken()); string(got) != words {
		t.Errorf("the carrier reads %q", got)
	}
	told := s.trace(id)
	for _, want := range []string{"3 part(s)", "price 0.030000 held", "part 1 of the text", "part 2 of the text", "its id n-1; owed 0.015000", "of 0.030000 held 0.030000 charged"} {
		if !strings.Contains(told, want) {
			t.Errorf("the trace does not tell %q:\n%s", want, told)
		}
	}
	eventually(t, "the receipt is taken", func() bool { return s.books().ReceiptsReturned == 1 })
	if b := s.books(); b.Accepted != 1 || b.Delivered != 1 || b.InFlight != 0 || len(e.received()) != 1 {
		t.Errorf("%+v, %d deliver_sm", b, len(e.received()))
	}
}

// One part that does not arrive, and the text did not; receipts of parts that come before the last part is sent wait
// for it.
func TestPartThatFails(t *testing.T) {
	for failing := range uint8(3) {
		s := newStage(t, play{link: udh8})
		s.carrier.states = func(m *pdu.Message) []pdu.State {
			if _, _, seq, _ := partOf(t, m); seq == failing+1 {
				return []pdu.State{pdu.StateUndeliverable}
			}
			return []pdu.State{pdu.StateDelivered}
		}
		e := s.bind(trx)
		id := e.submit(text(s.number(), strings.Repeat("x", 400)))
		m, r := e.receipt(id, 1)
		if r.State != pdu.StateUndeliverable || r.Dlvrd != 0 || string(r.Err) != "007" || !m.IsReceipt() {
			t.Errorf("part %d fails: receipt %+v", failing+1, r)
		}
		if b := s.books(); b.Failed != 1 || b.InFlight != 0 || len(s.carrier.taken()) != 3 {
			t.Errorf("%+v, %d parts sent", b, len(s.carrier.taken()))
		}
		s.exported(id, failing)
	}
}

// exported demands what the files of parts and attempts say of a text of three parts, of which one failed.
func (s *stage) exported(id string, failing uint8) {
	s.t.Helper()
	var page admin.EDRPage
	s.get("/api/v1/edr?of=parts&client=esme", &page)
	for i, p := range page.Parts {
		state := "DELIVERED"
		if i == int(failing) {
			state = "UNDELIVERABLE"
		}
		if p.MessageID != id || p.Client != "esme" || p.Part != i+1 || p.Parts != 3 || p.CarrierMessageID == "" || p.ReceiptState != state || p.ErrorRaw != "007" {
			s.t.Errorf("part %d fails: %+v", failing+1, p)
		}
	}
	n := len(page.Parts)
	page = admin.EDRPage{}
	s.get("/api/v1/edr?of=attempts&client=esme", &page)
	for i, a := range page.Attempts {
		if a.MessageID != id || a.Client != "esme" || a.Part != (i+1)%3 || a.Attempt != i+1 || a.Outcome != "taken" || a.AnswerStatus != "0" || a.AnsweredAt.IsZero() {
			s.t.Errorf("attempt %d: %+v", i+1, a)
		}
	}
	if n != 3 || len(page.Attempts) != 3 || len(page.Rows) != 0 {
		s.t.Errorf("%d parts, %d attempts, %d rows of messages", n, len(page.Attempts), len(page.Rows))
	}
	page = admin.EDRPage{}
	s.get("/api/v1/edr?of=parts&client=esme&until=2020-01-01T00:00:00Z", &page)
	if len(page.Parts) != 0 {
		s.t.Errorf("%d parts before there were any", len(page.Parts))
	}
}

// A carrier that answers for the first or the last part only has said all that it will say.
func TestReceiptForOnePart(t *testing.T) {
	for word, only := range map[string]uint8{"first": 1, "last": 3} {
		for _, state := range []pdu.State{pdu.StateDelivered, pdu.StateExpired} {
			s := newStage(t, play{link: udh8, carrier: "    part_receipts: " + word + "\n"})
			s.carrier.states = func(m *pdu.Message) []pdu.State {
				if _, _, seq, _ := partOf(t, m); seq == only {
					return []pdu.State{state}
				}
				return nil
			}
			e := s.bind(trx)
			id := e.submit(text(s.number(), strings.Repeat("x", 400)))
			if _, r := e.receipt(id, 1); r.State != state {
				t.Errorf("%s %v: receipt %+v", word, state, r)
			}
			if told := s.trace(id); !strings.Contains(told, "receipt_of_other_part") {
				t.Errorf("%s: the end is not marked as derived:\n%s", word, told)
			}
		}
	}
}

// withSouth adds a carrier that takes what north does not.
func withSouth(south *smsc) func(s *stage) {
	return func(s *stage) {
		s.write("catalog/carriers.yaml", string(s.read("catalog/carriers.yaml"))+fmt.Sprintf(`  - id: south
    currency: EUR
    cost: sent
    links:
      - address: %q
        system_id: smsplane
        password: secret
        tps: unlimited
        profile: {long: udh8}
`, south.address))
		s.write("catalog/rates.csv", string(s.read("catalog/rates.csv"))+"buy,south,,,,0.004,EUR,2020-01-01,\n")
		s.write("catalog/routes.csv", string(s.read("catalog/routes.csv"))+"standard,,,,,2,1,south\n")
	}
}

// A carrier that refuses the first part loses the text to the next; one that has the first part keeps the others,
// whatever it says about them meanwhile.
func TestPartsStayTogether(t *testing.T) {
	south := newSMSC(t)
	south.open()
	s := newStage(t, play{link: udh8, before: withSouth(south)})
	eventually(t, "south is bound", func() bool { return south.bound() > 0 })
	refusals := 0
	s.carrier.status = func(m *pdu.Message) pdu.Status {
		_, _, seq, _ := partOf(t, m)
		switch to := string(m.DstAddr()); {
		case to == "491500000001" && seq == 1:
			return pdu.RSysErr
		case to == "491500000002" && seq == 2 && refusals == 0:
			refusals++
			return pdu.RSysErr
		}
		return pdu.ROK
	}
	e := s.bind(trx)
	words := strings.Repeat("together ", 40)
	first := e.submit(text("491500000001", words))
	second := e.submit(text("491500000002", words))
	for _, id := range []string{first, second} {
		if _, r := e.receipt(id, 1); r.State != pdu.StateDelivered {
			t.Errorf("%+v", r)
		}
	}
	if got := joined(t, south.taken()); string(got) != words {
		t.Errorf("south reads %q", got)
	}
	if got := joined(t, s.carrier.taken()); string(got) != words || refusals != 1 {
		t.Errorf("north reads %q", got)
	}
}

// What a process did not get to know of a part, the next one sends once more under the same reference; the other parts
// are sent once, and their receipts are known.
func TestPartsOverARestart(t *testing.T) {
	s := newStage(t, play{link: udh8, node: "drain_seconds: 1"})
	silent := true
	s.carrier.mute = func(m *pdu.Message) bool { _, _, seq, _ := partOf(t, m); return silent && seq == 2 }
	e := s.bind(trx)
	words := strings.Repeat("whatever happens ", 20)
	id := e.submit(text(s.number(), words))
	eventually(t, "two parts are sent", func() bool { return len(s.carrier.taken()) == 2 })
	s.stop()
	s.carrier.mu.Lock()
	silent = false
	s.carrier.mu.Unlock()
	s.start()
	e = s.bind(trx)
	if _, r := e.receipt(id, 1); r.State != pdu.StateDelivered {
		t.Errorf("%+v", r)
	}
	all := s.carrier.taken()
	if len(all) != 4 || !bytes.Equal(all[1].UserData(), all[2].UserData()) {
		t.Fatalf("%d submit_sm", len(all))
	}
	if got := joined(t, append(all[:1:1], all[2:]...)); string(got) != words {
		t.Errorf("the carrier reads %q", got)
	}
	if b := s.books(); b.Delivered != 1 || b.InFlight != 0 {
		t.Errorf("%+v", b)
	}
}

// pieces are the parts that a client makes of a text.
func pieces(dst, words string, ref uint8) (all []pdu.Submit) {
	n := (len(words) + 152) / 153
	for i := range n {
		s := text(dst, string([]byte{5, 0, 3, ref, byte(n), byte(i + 1)})+words[i*153:min(len(words), (i+1)*153)])
		s.ESMClass = pdu.ESMUDHI
		all = append(all, s)
	}
	return all
}

// The parts of a client's text take one way, however the weights fall: all of each text arrives at one carrier.
func TestPartsOfClientsTakeOneWay(t *testing.T) {
	south := newSMSC(t)
	south.open()
	s := newStage(t, play{client: "    window: 200\n", before: func(s *stage) {
		withSouth(south)(s)
		s.write("catalog/routes.csv", "plan,prefix,mcc,mnc,class,tier,weight,carrier\nstandard,,,,,1,1,north\nstandard,,,,,1,1,south\n")
	}})
	eventually(t, "south is bound", func() bool { return south.bound() > 0 })
	e := s.bind(trx)
	const texts = 40
	var answers []chan []byte
	for i := range texts {
		for _, p := range pieces(s.number(), strings.Repeat("one way or another ", 20), byte(i)) {
			answers = append(answers, e.start(p.Append(nil, 0)))
		}
	}
	for _, a := range answers {
		<-a
	}
	eventually(t, "all is sent", func() bool { return len(s.carrier.taken())+len(south.taken()) == len(answers) })
	parts := [2]map[string]int{{}, {}}
	for i, c := range []*smsc{s.carrier, south} {
		for _, m := range c.taken() {
			parts[i][string(m.DstAddr())]++
		}
	}
	for dst, n := range parts[0] {
		if n != 3 || parts[1][dst] != 0 {
			t.Errorf("%s: %d parts north, %d south", dst, n, parts[1][dst])
		}
	}
	if len(parts[0]) == 0 || len(parts[1]) == 0 || len(parts[0])+len(parts[1]) != texts {
		t.Errorf("%d texts north, %d south", len(parts[0]), len(parts[1]))
	}
}

// Once a carrier took one part the others do not move, though it refuses them for a while; before that they move as one.
func TestPartsOfClientsStayTogether(t *testing.T) {
	south := newSMSC(t)
	south.open()
	s := newStage(t, play{before: withSouth(south)})
	eventually(t, "south is bound", func() bool { return south.bound() > 0 })
	refused := map[string]int{}
	s.carrier.status = func(m *pdu.Message) pdu.Status {
		_, _, seq, _ := partOf(t, m)
		to := string(m.DstAddr())
		if to == "491500000001" && seq == 1 || to == "491500000002" && seq == 2 && refused[to] == 0 {
			refused[to]++
			return pdu.RSysErr
		}
		return pdu.ROK
	}
	e := s.bind(trx)
	words := strings.Repeat("together again ", 25)
	for i, dst := range []string{"491500000001", "491500000002"} {
		for k, p := range pieces(dst, words, byte(i)) {
			e.submit(p)
			if k == 0 {
				eventually(t, "the first part is settled", func() bool { return len(s.carrier.taken())+len(south.taken()) >= 3*i+1 })
			}
		}
	}
	eventually(t, "all is sent", func() bool { return len(s.carrier.taken())+len(south.taken()) == 6 })
	for dst, c := range map[string]*smsc{"491500000001": south, "491500000002": s.carrier} {
		n := 0
		for _, m := range c.taken() {
			if string(m.DstAddr()) == dst {
				n++
			}
		}
		if n != 3 || refused[dst] == 0 {
			t.Errorf("%s: %d parts where they belong, %d refusals", dst, n, refused[dst])
		}
	}
}

// A carrier that sends a receipt for one part of a client's text has spoken for all of them: each id gets one receipt.
func TestClientsPartsWithOneReceipt(t *testing.T) {
	for word, only := range map[string]uint8{"first": 1, "last": 3} {
		s := newStage(t, play{carrier: "    part_receipts: " + word + "\n"})
		s.carrier.states = func(m *pdu.Message) []pdu.State {
			switch _, _, seq, body := partOf(t, m); {
			case seq != only:
				return nil
			case bytes.Contains(body, []byte("twice")):
				return []pdu.State{pdu.StateDelivered}
			}
			return []pdu.State{pdu.StateUndeliverable}
		}
		e := s.bind(trx)
		var ids []string
		to := s.number()
		for _, p := range pieces(to, strings.Repeat("only one ", 45), 9) {
			ids = append(ids, e.submit(p))
		}
		derived := 0
		for _, id := range ids {
			if _, r := e.receipt(id, 1); r.State != pdu.StateUndeliverable || string(r.Err) != "007" {
				t.Errorf("%s: %+v", word, r)
			}
			if strings.Contains(s.trace(id), "receipt_of_other_part") {
				derived++
			}
		}
		if b := s.books(); derived != 2 || len(e.received()) != 3 || b.Failed != 3 || b.InFlight != 0 {
			t.Errorf("%s: %d ends are marked as derived, %d receipts, %+v", word, derived, len(e.received()), b)
		}
		// Many a client has one reference for all its texts: what became of the first says nothing of the second.
		ids = ids[:0]
		for _, p := range pieces(to, strings.Repeat("twice ", 68), 9) {
			ids = append(ids, e.submit(p))
		}
		for _, id := range ids {
			if _, r := e.receipt(id, 1); r.State != pdu.StateDelivered {
				t.Errorf("%s: of the second text, %+v", word, r)
			}
		}
	}
}

// A client whose order is kept gets it with texts in parts, too, ours and its own: nothing to a number passes what was sent to
// it before, though the carrier puts parts off.
func TestOrderOfTextsInParts(t *testing.T) {
	s := newStage(t, play{link: udh8 + "        window: 5\n", client: "    in_order: true\n"})
	refused := map[string]bool{}
	s.carrier.status = func(m *pdu.Message) pdu.Status {
		_, _, seq, body := partOf(t, m)
		if k := fmt.Sprint(seq, body[0]); seq == 2 && !refused[k] {
			refused[k] = true
			return pdu.RThrottled
		}
		return pdu.ROK
	}
	e := s.bind(trx)
	var answers []chan []byte
	const letters = "abcd"
	for i, c := range letters {
		words := strings.Repeat(string(c), 400)
		if i%2 == 0 { // ours to cut
			m := text("491500000001", words)
			answers = append(answers, e.start(m.Append(nil, 0)))
			continue
		}
		for _, p := range pieces("491500000001", words, byte(i)) {
			answers = append(answers, e.start(p.Append(nil, 0)))
		}
	}
	for _, a := range answers {
		<-a
	}
	eventually(t, "all is sent", func() bool { return len(s.carrier.taken()) == 3*len(letters) })
	for i, m := range s.carrier.taken() {
		if _, total, seq, body := partOf(t, m); body[0] != letters[i/3] || int(seq) != i%3+1 || total != 3 {
			t.Errorf("the %d. is part %d of %d of %q", i+1, seq, total, body[0])
		}
	}
	if len(refused) != len(letters) {
		t.Errorf("put off: %v", refused)
	}
}
