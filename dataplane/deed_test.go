package dataplane

import (
	"testing"

	"smsplane/dataplane/admin"
	"smsplane/ledger/book"
	"smsplane/pdu"
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
