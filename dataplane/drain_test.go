package dataplane

import (
	"context"
	"testing"

	"smsplane/ledger"
	"smsplane/pdu"
)

// What the loops still had to say when they ended is journaled before the store closes.
func TestSettleHearsTheLoopsOut(t *testing.T) {
	n := newTestNode(t)
	n.links.close(context.Background())
	n.engine.Close()
	lane := n.x.accounts[1].Lane
	s := pdu.Submit{Command: pdu.SubmitSM, Dst: []byte("441234567890"), Text: []byte("x")}
	now := n.clock()
	b := ledger.AppendAccept(ledger.OpenBlock(nil), 0, ledger.MakeMsgID(lane, 1), now, &ledger.Accept{Account: 1, Parts: 1,
		Number: 441234567890, ValidUntil: now + 1e12, PDU: s.Append(nil, 1)})
	n.loops[int(lane)%len(n.loops)].up.push(event{kind: evBlock, lane: lane, data: ledger.SealBlock(b, lane, 1, now)})
	n.settle()
	accepted := uint64(0)
	n.x.call(func() { accepted = n.x.lanes[lane].book.Counts.Accepted })
	if accepted != 1 {
		t.Errorf("%d messages accepted, the loop had pushed 1", accepted)
	}
}
