package profile

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"smsplane/pdu"
)

// dialect is how a simulated carrier writes a receipt, and what its link's profile has to say about it.
type dialect struct {
	text, tlvs  bool
	lies        bool // the half that the profile does not read says something else
	class       uint8
	short       bool // no sub, dlvrd, dates, err, text
	swapped     bool // other order of fields
	capitals    bool
	coding      uint8
	wide        bool // 16-bit units
	payload     bool
	nul         bool // behind the id
	bare        bool // stat without its label
	word        bool // a state word of its own
	data        bool // data_sm
	profile     Link
	description string
}

func randomDialect(r *rand.Rand) *dialect {
	coin := func() bool { return r.IntN(2) == 0 }
	d := &dialect{text: true, tlvs: coin(), short: coin(), swapped: coin(), capitals: coin(), wide: r.IntN(4) == 0, payload: r.IntN(3) == 0,
		nul: coin(), coding: []uint8{0, 0, 3, 8}[r.IntN(4)], word: r.IntN(4) == 0, data: r.IntN(5) == 0}
	switch r.IntN(4) {
	case 0:
		d.profile.Receipts.From, d.lies, d.tlvs = FromText, d.tlvs, true
	case 1:
		d.profile.Receipts.From, d.tlvs, d.lies, d.text, d.word = FromTLVs, true, coin(), coin(), false
	}
	d.bare = d.text && !d.tlvs && !d.word && !d.swapped && r.IntN(5) == 0
	switch r.IntN(4) {
	case 0:
		d.class = pdu.ESMReceipt
	case 1:
		d.class = pdu.ESMReceipt | pdu.ESMReplyPath
	case 2: // one that says nothing; the text says it, or the profile
		d.class = 0
	case 3:
		d.class = 0x08
	}
	if d.class != pdu.ESMReceipt && d.class != pdu.ESMReceipt|pdu.ESMReplyPath {
		d.profile.Receipts.Classes = []uint8{d.class}
	}
	if d.word {
		d.profile.Receipts.States = []Word{{"NOTDLV", pdu.StateUndeliverable}}
		d.tlvs = d.tlvs && d.profile.Receipts.From == FromText
	}
	d.description = fmt.Sprintf("text %v tlvs %v lies %v class %#x short %v swapped %v capitals %v coding %d wide %v payload %v nul %v bare %v word %v data_sm %v read %d",
		d.text, d.tlvs, d.lies, d.class, d.short, d.swapped, d.capitals, d.coding, d.wide, d.payload, d.nul, d.bare, d.word, d.data, d.profile.Receipts.From)
	return d
}

// state is what became of a message, as far as the carrier has words for it.
func (d *dialect) state(delivered bool) pdu.State {
	switch {
	case delivered:
		return pdu.StateDelivered
	case d.word:
		return pdu.StateUndeliverable
	}
	return pdu.StateExpired
}

func (d *dialect) write(id, src string, delivered bool) []byte {
	textID, tlvID, state := id, id, d.state(delivered)
	textState, tlvState := state.Text(), state
	if d.word && !delivered {
		textState = "NOTDLV"
	}
	if d.lies && d.profile.Receipts.From == FromText {
		tlvID, tlvState = id+"9", pdu.StateRejected
	} else if d.lies {
		textID, textState = id+"9", "REJECTD"
	}
	s := pdu.Submit{Command: pdu.DeliverSM, Src: []byte(src), Dst: []byte("sender"), DstTON: 5, ESMClass: d.class, Coding: d.coding}
	if d.data {
		s.Command = pdu.DataSM
	}
	if d.text {
		s.Text = d.layout(textID, textState)
	}
	if d.wide {
		s.Text = wide(s.Text)
	}
	if d.tlvs {
		v := []byte(tlvID)
		if d.nul {
			v = append(v, 0)
		}
		s.TLVs = pdu.AppendTLV8(pdu.AppendTLV(s.TLVs, pdu.TagReceiptedMessageID, v), pdu.TagMessageState, uint8(tlvState))
	}
	if d.payload && len(s.Text) > 0 && !d.data {
		s.TLVs, s.Text = pdu.AppendTLV(s.TLVs, pdu.TagMessagePayload, s.Text), nil
	}
	return s.Append(nil, 1)
}

// layout writes the text.
func (d *dialect) layout(id, state string) []byte {
	if d.nul && d.profile.Receipts.From != FromTLVs {
		id += "\x00"
	}
	stat := "stat:" + state
	if d.bare {
		stat = state
	}
	fields := []string{"id:" + id}
	if !d.short {
		fields = append(fields, "sub:001", "dlvrd:001", "submit date:2601010000", "done date:2601010001")
	}
	fields = append(fields, stat)
	if !d.short {
		fields = append(fields, "err:000")
	}
	if d.swapped {
		for i, j := 1, len(fields)-1; i < j; i, j = i+1, j-1 {
			fields[i], fields[j] = fields[j], fields[i]
		}
	}
	if !d.short {
		fields = append(fields, "text:id:1 stat:DELIVRD")
	}
	if d.capitals {
		for i, f := range fields {
			if k, v, ok := strings.Cut(f, ":"); ok {
				fields[i] = strings.ToUpper(k) + ":" + v
			}
		}
	}
	return []byte(strings.Join(fields, " "))
}

func wide(b []byte) (w []byte) {
	for _, c := range b {
		w = append(w, 0, c)
	}
	return w
}
