package book

import (
	"fmt"

	"smsplane/ledger"
	"smsplane/pdu"
)

// A body is in the log, in the block that its message came in, until nothing in the block lives and the log
// is dropped behind it. What must outlive that is written under a key of its own: a live message whole, an
// ended one that only waits for its client to take the receipt without its text.

// Strip takes the text of a message that has ended and owes a receipt: what is left under its own key is who
// wrote to whom, and what a receipt repeats. It reports whether there was anything to do.
func (b *Book) Strip(m *Msg) (bool, error) {
	if m.State != StateEnded || m.MO || m.Stripped {
		return false, nil
	}
	p, err := b.PDU(m)
	if err != nil {
		return false, err
	}
	if st := b.view.Parse(p); st != pdu.ROK {
		return false, fmt.Errorf("%w: message %v no longer parses: %v", ErrBooks, m.ID, st)
	}
	v := &b.view
	s := pdu.Submit{Command: pdu.SubmitSM, SrcTON: v.SrcTON(), SrcNPI: v.SrcNPI(), Src: v.SrcAddr(), DstTON: v.DstTON(), DstNPI: v.DstNPI(), Dst: v.DstAddr(),
		Registered: v.RegisteredDelivery(), Coding: v.DataCoding()}
	if ref, ok := v.TLV(pdu.TagUserMessageReference); ok {
		s.TLVs = pdu.AppendTLV(nil, pdu.TagUserMessageReference, ref)
	}
	b.setBody(m, s.Append(nil, 0))
	m.Stripped = true
	return true, nil
}

// OldestBlock is when the oldest block was cut that some message still needs; 0 when none is needed.
func (b *Book) OldestBlock() (int64, error) {
	index, ok := b.live.lowest()
	if !ok {
		return 0, nil
	}
	blk, err := b.log.Block(index)
	if err != nil {
		return 0, err
	}
	return ledger.BlockAt(blk), nil
}
