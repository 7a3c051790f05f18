package dataplane

import (
	"bytes"
	"testing"

	"smsplane/dataplane/admin"
	"smsplane/ledger/book"
	"smsplane/pdu"
	"smsplane/pdu/profile"
	"smsplane/pdu/text"
)

// What is held while its plan waits for the verifier has no plan that was passed, whatever it had before its client
// replaced it: released, it is planned and verified anew. A DISPATCH of it would contradict the books for ever.
func TestHeldBetweenReplaceAndVerifier(t *testing.T) {
	n, stop := startTestNode(t, testNodeFile(t))
	defer stop()
	lane := n.x.accounts[1].Lane
	id := n.admit(t, lane, 1)[0]
	stands := func(state book.State, phase uint8) {
		t.Helper()
		if !n.await(func() bool { m := n.x.lanes[lane].book.Get(id); return m.State == state && m.Phase == phase }) {
			n.x.call(func() {
				m := n.x.lanes[lane].book.Get(id)
				t.Fatalf("it is %v in phase %d, not %v in phase %d", m.State, m.Phase, state, phase)
			})
		}
	}
	deed := func(action string) {
		t.Helper()
		if r, err := n.source().Deed(t.Context(), admin.Deed{Action: action, Client: "acme", Yes: true, Reason: "r", Author: "t"}); err != nil || r.Done != 1 {
			t.Fatalf("%s: %+v, %v", action, r, err)
		}
	}
	stands(book.StateRouted, phaseQueued)
	n.x.call(func() {
		n.x.verifiers.paused = true
		p := pdu.New(pdu.ReplaceSM, pdu.ROK, 1).Set("message_id", []byte(id.String())).Set("source_addr", []byte("shop")).Set("short_message", []byte("other words"))
		n.x.lanes[lane].replace(&order{account: 1, p: p}, n.x.now)
	})
	stands(book.StateAccepted, phaseVerifying)
	deed("hold")
	stands(book.StateAccepted, phaseOperator)
	deed("release")
	n.x.call(func() { n.x.verifiers.paused = false })
	stands(book.StateRouted, phaseQueued)
	check(t, n)
}

// A text that replaces another costs what it would have cost as it came: by the alphabet that its client writes in.
func TestReplacedTextIsReadAsItsClientWritesIt(t *testing.T) {
	n, stop := startTestNode(t, testNodeFile(t))
	defer stop()
	lane := n.x.accounts[1].Lane
	id := n.admit(t, lane, 1)[0]
	n.x.call(func() {
		l := n.x.lanes[lane]
		m := l.book.Get(id)
		c := *n.x.table.ClientOf(1)
		c.Profile = &profile.Client{Text: profile.Charsets{DCS0: text.ISO88591}}
		if !l.read(m) {
			t.Fatal("it cannot be read")
		}
		words := bytes.Repeat([]byte{0xEA}, 100) // UCS-2 on a phone: the GSM alphabet has no such letter
		p := pdu.New(pdu.ReplaceSM, pdu.ROK, 1).Set("short_message", words)
		v, st := l.revised(&order{account: 1, p: p}, m, &c, n.x.now)
		if st != pdu.ROK || v.Parts != 2 || v.Price != 2*m.Hold {
			t.Errorf("%v: %d parts for %v", st, v.Parts, v.Price)
		}
	})
}
