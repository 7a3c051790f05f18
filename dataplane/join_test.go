package dataplane_test

import (
	"bytes"
	"strings"
	"testing"

	"smsplane/pdu"
	charset "smsplane/pdu/text"
)

const joining = "        profile: {parts: payload}\n"

// submitAll sends the parts of a text, in the order given, and returns their ids.
func (e *esme) submitAll(parts []pdu.Submit, order ...int) (ids []string) {
	e.t.Helper()
	for _, i := range order {
		ids = append(ids, e.submit(parts[i]))
	}
	return ids
}

// payload demands that a carrier's message is a text in message_payload, and no part of anything.
func payload(t *testing.T, m *pdu.Message, words string) {
	t.Helper()
	if _, sar := m.TLV(pdu.TagSARMsgRefNum); sar || m.UDHI() || len(m.ShortMessage()) > 0 || string(m.Payload()) != words {
		t.Errorf("the carrier reads %q, esm_class %#x", m.UserData(), m.ESMClass())
	}
}

// each demands one final receipt for each id, and none besides.
func (e *esme) each(ids []string, state pdu.State) {
	e.t.Helper()
	for _, id := range ids {
		if _, r := e.receipt(id, 1); r.State != state {
			e.t.Errorf("%s: %+v", id, r)
		}
	}
	if n := len(e.received()); n != len(ids) {
		e.t.Errorf("%d receipts for %d ids", n, len(ids))
	}
}

// The parts that a client made of a text reach a carrier that wants it whole as one message, in whatever order and form they
// came, and each id ends as that message did. A client that uses one reference for all loses nothing by it.
func TestClientsPartsAreJoined(t *testing.T) {
	for _, state := range []pdu.State{pdu.StateDelivered, pdu.StateUndeliverable} {
		s := newStage(t, play{link: joining})
		s.carrier.states = func(*pdu.Message) []pdu.State { return []pdu.State{state} }
		e := s.bind(trx)
		var ids []string
		var texts []string
		for i, order := range [][]int{{0, 1, 2}, {2, 0, 1}, {1, 2, 0}} {
			words := strings.Repeat([]string{"one ", "two ", "six "}[i], 100)
			parts := pieces("491500000007", words, 9)
			if i == 1 {
				for k := range parts {
					p := &parts[k]
					p.TLVs = pdu.AppendTLV16(nil, pdu.TagSARMsgRefNum, 9)
					p.TLVs = pdu.AppendTLV8(p.TLVs, pdu.TagSARTotalSegments, 3)
					p.TLVs = pdu.AppendTLV8(p.TLVs, pdu.TagSARSegmentSeqnum, uint8(k+1))
					p.Text, p.ESMClass = p.Text[6:], 0
				}
			}
			ids = append(ids, e.submitAll(parts, order...)...)
			texts = append(texts, words)
		}
		e.each(ids, state)
		all := s.carrier.taken()
		if len(all) != len(texts) {
			t.Fatalf("%d messages for %d texts", len(all), len(texts))
		}
		for i, m := range all {
			payload(t, m, texts[i])
		}
		b := s.books()
		if b.Accepted != 9 || b.Delivered+b.Failed != 9 || b.InFlight != 0 {
			t.Errorf("%+v", b)
		}
		if told := s.trace(ids[0]); !strings.Contains(told, "receipt_of_other_part") || !strings.Contains(told, "owed 0.005000") {
			t.Errorf("the trace of a part that another bore:\n%s", told)
		}
	}
}

// A client that packs its septets has parts that begin in the middle of an octet; the carrier reads the text all the same.
func TestPackedPartsAreJoined(t *testing.T) {
	s := newStage(t, play{client: "    profile: {dcs0: gsm7packed}\n", link: joining})
	e := s.bind(trx)
	words := strings.Repeat("packed ", 60)
	parts := pieces("491500000001", words, 1)
	for i := range parts {
		p := &parts[i]
		body, _ := charset.Packed.Encode(nil, p.Text[6:], 6)
		p.Text = append(p.Text[:6:6], body...)
	}
	e.each(e.submitAll(parts, 2, 0, 1), pdu.StateDelivered)
	if all := s.carrier.taken(); len(all) != 1 {
		t.Fatalf("%d messages for one text", len(all))
	}
	payload(t, s.carrier.taken()[0], words)
}

// What the carrier says about the text is said about each part: it is tried again whole, and refused whole.
func TestJoinedTextThatIsRefused(t *testing.T) {
	s := newStage(t, play{link: joining, carrier: "    statuses: {0x45: reject}\n"})
	tries := map[string]int{}
	s.carrier.status = func(m *pdu.Message) pdu.Status {
		to := string(m.DstAddr())
		tries[to]++
		switch {
		case to == "491500000001" && tries[to] <= 2:
			return []pdu.Status{pdu.RThrottled, pdu.RSysErr}[tries[to]-1]
		case to == "491500000002":
			return pdu.RSubmitFail
		}
		return pdu.ROK
	}
	e := s.bind(trx)
	words := strings.Repeat("again ", 60)
	again := e.submitAll(pieces("491500000001", words, 1), 0, 1, 2)
	never := e.submitAll(pieces("491500000002", words, 1), 0, 1, 2)
	for _, id := range again {
		if _, r := e.receipt(id, 1); r.State != pdu.StateDelivered {
			t.Errorf("%+v", r)
		}
	}
	for _, id := range never {
		if _, r := e.receipt(id, 1); r.State != pdu.StateRejected {
			t.Errorf("%+v", r)
		}
	}
	if tries["491500000001"] != 3 || tries["491500000002"] != 1 || len(e.received()) != 6 {
		t.Errorf("tried %v, %d receipts", tries, len(e.received()))
	}
	payload(t, s.carrier.to("491500000001"), words)
	if b := s.books(); b.Delivered != 3 || b.Failed != 3 || b.InFlight != 0 {
		t.Errorf("%+v", b)
	}
}

// A text whose parts do not all come goes as they came.
func TestPartsThatAreNotJoined(t *testing.T) {
	s := newStage(t, play{link: joining})
	e := s.bind(trx)
	words := strings.Repeat("alone ", 60)
	e.each(e.submitAll(pieces("491500000001", words, 1), 0, 2), pdu.StateDelivered)
	for _, m := range s.carrier.taken() {
		partOf(t, m)
	}
	late := e.submit(pieces("491500000001", words, 1)[1])
	if _, r := e.receipt(late, 1); r.State != pdu.StateDelivered {
		t.Errorf("the part that came late: %+v", r)
	}
}

// A client whose order is kept has its parts joined, too, all under one reference and while the carrier puts texts off; nothing
// to a number passes what was sent to it before, not even a text of which a part is missing.
func TestPartsAreJoinedInOrder(t *testing.T) {
	s := newStage(t, play{client: "    in_order: true\n    window: 100\n", link: joining + "        window: 20\n"})
	refused := map[string]bool{}
	s.carrier.status = func(m *pdu.Message) pdu.Status {
		if k := string(m.UserData()[len(m.UserData())-1:]); !refused[k] && k != "d" {
			refused[k] = true
			return pdu.RThrottled
		}
		return pdu.ROK
	}
	e := s.bind(trx)
	const to = "491500000001"
	var all []byte
	var want []string
	for i, c := range "abcdefg" {
		words := strings.Repeat(string(c), 400)
		parts := pieces(to, words, 9)
		switch {
		case i == 3: // the second of three never comes
			parts = []pdu.Submit{parts[0], parts[2]}
			want = append(want, words[:153], words[306:])
		case i%2 == 1: // a short one in between
			parts = []pdu.Submit{text(to, string(c))}
			want = append(want, string(c))
		default:
			parts[0], parts[2] = parts[2], parts[0]
			want = append(want, words)
		}
		for _, p := range parts {
			all = p.Append(all, 0)
		}
	}
	answers := e.startAll(all)
	for _, a := range answers {
		if p := <-a; pdu.ParseHeader(p).Status != pdu.ROK {
			t.Fatalf("%v", pdu.ParseHeader(p).Status)
		}
	}
	eventually(t, "each id has its receipt", func() bool { return len(e.received()) == len(answers) })
	var got []string
	for _, m := range s.carrier.taken() {
		data := m.UserData()
		if m.UDHI() {
			data = data[pdu.UDHLen(data):]
		}
		got = append(got, string(data))
	}
	if len(got) > 4 && len(got[3]) < len(got[4]) { // of one text, and neither waits for the other
		got[3], got[4] = got[4], got[3]
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the carrier reads\n%q, want\n%q", got, want)
	}
	if b := s.books(); int(b.Delivered) != len(answers) || b.InFlight != 0 || len(refused) != 6 {
		t.Errorf("%+v, %d put off", b, len(refused))
	}
}

// A part that asks for a receipt gets it, whichever of them that is: the carrier is asked for it, and what it says is not lost
// with a part that wants none.
func TestOnePartAsksForReceipt(t *testing.T) {
	for asks := range 3 {
		s := newStage(t, play{carrier: "    receipts: asked\n", link: joining})
		e := s.bind(trx)
		parts := pieces("491500000001", strings.Repeat("one of us ", 40), 1)
		for i := range parts {
			if i != asks {
				parts[i].Registered = 0
			}
		}
		ids := e.submitAll(parts, 0, 1, 2)
		if _, r := e.receipt(ids[asks], 1); r.State != pdu.StateDelivered || len(e.received()) != 1 {
			t.Errorf("part %d asks: %+v, %d receipts", asks+1, r, len(e.received()))
		}
		if b := s.books(); b.Delivered != 1 || b.Sent != 2 || b.InFlight != 0 {
			t.Errorf("part %d asks: %+v", asks+1, b)
		}
	}
}

// A process that ends between DISPATCH and answer leaves all parts in doubt, and the next one sends them joined once more; one
// that ends between answer and receipt still knows for whom the receipt speaks.
func TestJoinedTextOverARestart(t *testing.T) {
	s := newStage(t, play{link: joining, node: "drain_seconds: 1"})
	silent, receipts := true, false
	s.carrier.mute = func(*pdu.Message) bool { return silent }
	s.carrier.states = func(*pdu.Message) []pdu.State {
		if receipts {
			return []pdu.State{pdu.StateDelivered}
		}
		return nil
	}
	set := func(f func()) { s.carrier.mu.Lock(); defer s.carrier.mu.Unlock(); f() }
	e := s.bind(trx)
	words := strings.Repeat("twice at most ", 25)
	ids := e.submitAll(pieces(s.number(), words, 200), 0, 1, 2)
	eventually(t, "the text is sent", func() bool { return len(s.carrier.taken()) == 1 })
	s.stop()
	set(func() { silent = false })
	s.start()
	eventually(t, "it is sent again", func() bool { return len(s.carrier.taken()) == 2 })
	all := s.carrier.taken()
	if payload(t, all[0], words); !bytes.Equal(all[0].Payload(), all[1].Payload()) {
		t.Errorf("sent again: %q", all[1].UserData())
	}
	eventually(t, "the answer is journaled", func() bool {
		return strings.Contains(strings.Join([]string{s.trace(ids[0]), s.trace(ids[1]), s.trace(ids[2])}, ""), "n-1")
	})
	s.stop()
	s.start()
	eventually(t, "the link is bound", func() bool { return s.carrier.bound() > 0 })
	e = s.bind(trx)
	r := pdu.Receipt{ID: []byte("n-1"), State: pdu.StateDelivered, Sub: 1, Dlvrd: 1}
	s.carrier.send((&pdu.Submit{Command: pdu.DeliverSM, Src: all[0].DstAddr(), SrcTON: 1, Dst: all[0].SrcAddr(), ESMClass: pdu.ESMReceipt, Text: pdu.AppendReceiptText(nil, &r)}).Append(nil, 5))
	e.each(ids, pdu.StateDelivered)
	if b := s.books(); b.Delivered != 3 || b.InFlight != 0 {
		t.Errorf("%+v", b)
	}
}

// Many texts at once, on two sessions, some of them put off by the carrier: each arrives whole, and each id has one end.
func TestManyTextsAreJoined(t *testing.T) {
	s := newStage(t, play{client: "    window: 1000\n", link: joining + "        sessions: 2\n        window: 5\n"})
	eventually(t, "both sessions are bound", func() bool { return s.carrier.bound() == 2 })
	n := 0
	s.carrier.status = func(*pdu.Message) pdu.Status {
		if n++; n <= 5 {
			return pdu.RSysErr
		}
		return pdu.ROK
	}
	e := s.bind(trx)
	const texts = 80
	words := strings.Repeat("one of many ", 35)
	var answers []chan []byte
	for i := range texts {
		parts := pieces(s.number(), words, byte(i))
		for k := range parts {
			answers = append(answers, e.start(parts[(k+i)%len(parts)].Append(nil, 0)))
		}
	}
	var ids []string
	for _, a := range answers {
		id, _ := pdu.MessageID(<-a)
		ids = append(ids, string(id))
	}
	e.each(ids, pdu.StateDelivered)
	for _, m := range s.carrier.taken() {
		payload(t, m, words)
	}
	if b := s.books(); len(s.carrier.taken()) != texts || b.Delivered != 3*texts || b.InFlight != 0 {
		t.Errorf("%d messages, %+v", len(s.carrier.taken()), b)
	}
}
