package codec

import (
	"bytes"
	"testing"

	fiorix "github.com/fiorix/go-smpp/smpp/pdu"
	"github.com/fiorix/go-smpp/smpp/pdu/pdufield"
	"github.com/linxGnu/gosmpp/data"
	gosmpp "github.com/linxGnu/gosmpp/pdu"

	"smsplane/pdu"
)

// submit is the submit_sm that everybody decodes: 152 octets, no TLVs, which is what most traffic looks like.
func submit() []byte {
	m := pdu.Submit{SrcTON: 5, Src: []byte("Brand"), DstTON: 1, DstNPI: 1, Dst: []byte("49151123456789"), Registered: 1,
		Text: bytes.Repeat([]byte("text "), 20)}
	p := m.Append(nil, 12345)
	if len(p) != 152 {
		panic(len(p))
	}
	return p
}

var id = []byte("00a1000000b2c3d4")

// What the compiler must not find out is unused.
var sinkInt int

// BenchmarkDecodeSubmit: from octets to destination, text and data_coding at hand.
func BenchmarkDecodeSubmit(b *testing.B) {
	p := submit()
	b.Run("smsplane", func(b *testing.B) {
		b.ReportAllocs()
		var m pdu.Message
		for b.Loop() {
			if m.Parse(p) != pdu.ROK {
				b.Fatal("refused")
			}
			sinkInt += len(m.DstAddr()) + len(m.ShortMessage()) + int(m.DataCoding())
		}
	})
	b.Run("gosmpp", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			g, err := gosmpp.Parse(bytes.NewReader(p))
			if err != nil {
				b.Fatal(err)
			}
			m := g.(*gosmpp.SubmitSM)
			text, err := m.Message.GetMessageData()
			if err != nil {
				b.Fatal(err)
			}
			sinkInt += len(m.DestAddr.Address()) + len(text) + int(m.Message.Encoding().DataCoding())
		}
	})
	b.Run("go-smpp", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f, err := fiorix.Decode(bytes.NewReader(p))
			if err != nil {
				b.Fatal(err)
			}
			m := f.Fields()
			sinkInt += len(m[pdufield.DestinationAddr].Bytes()) + len(m[pdufield.ShortMessage].Bytes()) + len(m[pdufield.DataCoding].Bytes())
		}
	})
}

// BenchmarkEncodeSubmitResp: from an id to octets, into a buffer that is used again where the library can.
func BenchmarkEncodeSubmitResp(b *testing.B) {
	b.Run("smsplane", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 64)
		for b.Loop() {
			sinkInt += len(pdu.AppendMessageResp(buf[:0], pdu.SubmitSM, pdu.ROK, 12345, id))
		}
	})
	b.Run("gosmpp", func(b *testing.B) {
		b.ReportAllocs()
		buf := gosmpp.NewBuffer(make([]byte, 0, 64))
		for b.Loop() {
			buf.Reset()
			r := gosmpp.NewSubmitSMResp().(*gosmpp.SubmitSMResp)
			r.MessageID = string(id)
			r.SetSequenceNumber(12345)
			r.Marshal(buf)
			sinkInt += buf.Len()
		}
	})
	b.Run("go-smpp", func(b *testing.B) {
		b.ReportAllocs()
		var buf bytes.Buffer
		for b.Loop() {
			buf.Reset()
			r := fiorix.NewSubmitSMResp()
			r.Header().Seq = 12345
			if err := r.Fields().Set(pdufield.MessageID, string(id)); err != nil {
				b.Fatal(err)
			}
			if err := r.SerializeTo(&buf); err != nil {
				b.Fatal(err)
			}
			sinkInt += buf.Len()
		}
	})
}

// TestSameWork: the three encoders of the benchmark write the same octets, and ours allocates nothing in either direction.
func TestSameWork(t *testing.T) {
	want := pdu.AppendMessageResp(nil, pdu.SubmitSM, pdu.ROK, 12345, id)
	g := gosmpp.NewSubmitSMResp().(*gosmpp.SubmitSMResp)
	g.MessageID = string(id)
	g.SetSequenceNumber(12345)
	buf := gosmpp.NewBuffer(nil)
	g.Marshal(buf)
	f := fiorix.NewSubmitSMResp()
	f.Header().Seq = 12345
	if err := f.Fields().Set(pdufield.MessageID, string(id)); err != nil {
		t.Fatal(err)
	}
	var other bytes.Buffer
	if err := f.SerializeTo(&other); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(buf.Bytes(), want) || !bytes.Equal(other.Bytes(), want) {
		t.Errorf("we write\n%x, gosmpp\n%x, go-smpp\n%x", want, buf.Bytes(), other.Bytes())
	}
	p, out := submit(), make([]byte, 0, 64)
	var m pdu.Message
	if n := testing.AllocsPerRun(1000, func() { m.Parse(p); out = pdu.AppendMessageResp(out[:0], pdu.SubmitSM, pdu.ROK, 1, id) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	s, err := gosmpp.Parse(bytes.NewReader(p))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := s.(*gosmpp.SubmitSM).Message.GetMessageWithEncoding(data.ASCII); err != nil || text != string(m.ShortMessage()) {
		t.Errorf("gosmpp reads %q, %v", text, err)
	}
}
