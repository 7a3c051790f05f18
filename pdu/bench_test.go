package pdu

import (
	"bytes"
	"testing"
)

// sampleSubmit is the PDU the design measures with: 100 octets of text, 152 in all, two TLVs.
func sampleSubmit(tlvs ...[]byte) []byte {
	s := Submit{SrcTON: 5, Src: []byte("MyBrand"), DstTON: 1, DstNPI: 1, Dst: []byte("447700900123"), Registered: 1,
		Text: bytes.Repeat([]byte("abcde"), 20), TLVs: bytes.Join(tlvs, nil)}
	return s.Append(nil, 1)
}

var (
	userReference = AppendTLV16(nil, TagUserMessageReference, 7)
	vendorTLV     = AppendTLVString(nil, 0x1400, []byte("1201159"))
	qosTLV        = AppendTLV(nil, TagQOSTimeToLive, []byte{0, 0, 1, 0})
)

func TestHotPathDoesNotAllocate(t *testing.T) {
	p := sampleSubmit(userReference, vendorTLV, qosTLV)
	var m Message
	var b Receipt
	dst := make([]byte, 0, 4096)
	h := Hop{Sequence: 9, Validity: []byte("000002000000000R"), Registered: 1}
	id := []byte("00000000000000ff")
	var receipt Message
	receipt.Parse((&Submit{Command: DeliverSM, ESMClass: ESMReceipt,
		Text: []byte("id:A1B2 sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:DELIVRD err:000 text:Hello"),
		TLVs: AppendTLV(nil, TagNetworkErrorCode, []byte{3, 0, 5})}).Append(nil, 1))
	for name, f := range map[string]func(){
		"Message.Parse":     func() { m.Parse(p) },
		"AppendForward":     func() { m.Parse(p); dst = AppendForward(dst[:0], &m, &h) },
		"AppendMessageResp": func() { dst = AppendMessageResp(dst[:0], SubmitSM, ROK, 1, id) },
		"AppendPlain":       func() { dst = AppendPlain(dst[:0], EnquireLink, ROK, 1) },
		"ParseReceipt":      func() { ParseReceipt(&receipt, &b) },
		"AppendReceiptText": func() { dst = AppendReceiptText(dst[:0], &b) },
		"Submit.Append":     func() { dst = (&Submit{Src: id, Dst: id, Text: id, TLVs: userReference}).Append(dst[:0], 1) },
		"ParseTime":         func() { ParseTime([]byte("261123120000004+"), 0) },
		"MessageID":         func() { MessageID(p) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkFrame(b *testing.B) {
	p := sampleSubmit(userReference)
	for b.Loop() {
		n, _ := Frame(p, 70000)
		_ = ParseHeader(p[:n])
	}
}

func BenchmarkMessageParse(b *testing.B) {
	p := sampleSubmit(userReference)
	var m Message
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		m.Parse(p)
	}
}

func BenchmarkAppendForward(b *testing.B) {
	p := sampleSubmit(userReference)
	var m Message
	m.Parse(p)
	h := Hop{Sequence: 9, Validity: []byte("000002000000000R"), Registered: 1}
	dst := make([]byte, 0, 4096)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		dst = AppendForward(dst[:0], &m, &h)
	}
}

func BenchmarkAppendMessageResp(b *testing.B) {
	dst, id := make([]byte, 0, 64), []byte("00000000000000ff")
	for b.Loop() {
		dst = AppendMessageResp(dst[:0], SubmitSM, ROK, 1, id)
	}
}

func BenchmarkParseReceipt(b *testing.B) {
	var m Message
	var r Receipt
	m.Parse((&Submit{Command: DeliverSM, ESMClass: ESMReceipt,
		Text: []byte("id:A1B2 sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:DELIVRD err:000 text:Hello")}).Append(nil, 1))
	for b.Loop() {
		ParseReceipt(&m, &r)
	}
}

func BenchmarkDecode(b *testing.B) {
	p := sampleSubmit(userReference)
	for b.Loop() {
		Decode(p)
	}
}
