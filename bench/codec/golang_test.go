package codec

import (
	"bytes"
	"testing"

	fiorix "github.com/fiorix/go-smpp/smpp/pdu"
	"github.com/fiorix/go-smpp/smpp/pdu/pdufield"
	"github.com/fiorix/go-smpp/smpp/pdu/pdutlv"
	gosmpp "github.com/linxGnu/gosmpp/pdu"

	"smsplane/pdu"
)

const (
	seed    = 20261124
	perType = 60
)

// TestGosmpp: gosmpp decodes what we wrote and writes the same octets.
func TestGosmpp(t *testing.T) {
	compared := 0
	for _, s := range samples(seed, perType) {
		if s.d.Command.Since() == pdu.Version50 {
			continue // it speaks 3.4
		}
		if s.d.Status != pdu.ROK && len(pdu.New(s.d.Command, pdu.ROK, 1).Fields) > 0 {
			continue // it wants a body there, which 3.4 §4.4.2 leaves out
		}
		g, err := gosmpp.Parse(bytes.NewReader(s.p))
		if err != nil {
			t.Fatalf("gosmpp does not read %v: %v", s, err)
		}
		if h := g.GetHeader(); int(h.CommandLength) != len(s.p) || uint32(h.CommandID) != uint32(s.d.Command) || uint32(h.CommandStatus) != uint32(s.d.Status) || uint32(h.SequenceNumber) != s.d.Sequence {
			t.Fatalf("%v: header %+v", s, h)
		}
		gosmppFields(t, s, g)
		if s.tlvCount() > 1 {
			continue // it keeps TLVs in a map and writes them in any order
		}
		b := gosmpp.NewBuffer(nil)
		g.Marshal(b)
		if !bytes.Equal(b.Bytes(), s.p) {
			t.Fatalf("gosmpp writes\n%x for\n%v", b.Bytes(), s)
		}
		compared++
	}
	if compared < 20*perType {
		t.Errorf("only %d compared", compared)
	}
}

// gosmppFields compares what a library's user sees of a message.
func gosmppFields(t *testing.T, s sample, g gosmpp.PDU) {
	t.Helper()
	var src, dst gosmpp.Address
	var sm *gosmpp.ShortMessage
	switch m := g.(type) {
	case *gosmpp.SubmitSM:
		src, dst, sm = m.SourceAddr, m.DestAddr, &m.Message
	case *gosmpp.DeliverSM:
		src, dst, sm = m.SourceAddr, m.DestAddr, &m.Message
	case *gosmpp.DataSM:
		src, dst = m.SourceAddr, m.DestAddr
	default:
		return
	}
	if src.Address() != string(s.d.Field("source_addr").Octets) || dst.Address() != string(s.d.Field("destination_addr").Octets) || src.Ton() != s.d.Field("source_addr_ton").Number {
		t.Fatalf("%v: from %v to %v", s, src, dst)
	}
	if sm == nil {
		return
	}
	text, err := sm.GetMessageData()
	if err != nil {
		t.Fatal(err)
	}
	whole := s.d.Field("short_message").Octets
	if n := pdu.UDHLen(whole); s.d.Field("esm_class").Number&pdu.ESMUDHI != 0 {
		whole = whole[n:]
	}
	if !bytes.Equal(text, whole) {
		t.Fatalf("%v: text %x", s, text)
	}
}

// TestFiorix: go-smpp decodes what we wrote, every field by its name.
func TestFiorix(t *testing.T) {
	compared := 0
	for _, s := range samples(seed+1, perType) {
		switch s.d.Command {
		case pdu.CancelSM, pdu.CancelSMResp, pdu.ReplaceSM, pdu.ReplaceSMResp, pdu.DataSM, pdu.DataSMResp, pdu.Outbind, pdu.AlertNotification:
			continue // it has none of these
		case pdu.SubmitMulti, pdu.SubmitMultiResp: // it takes lists of addresses apart in a form of its own; the others compare them
			continue
		}
		if s.d.Command.Since() == pdu.Version50 {
			continue
		}
		f, err := fiorix.Decode(bytes.NewReader(s.p))
		if err != nil {
			t.Fatalf("go-smpp does not read %v: %v", s, err)
		}
		if h := f.Header(); uint32(h.ID) != uint32(s.d.Command) || uint32(h.Status) != uint32(s.d.Status) || h.Seq != s.d.Sequence {
			t.Fatalf("%v: header %+v", s, h)
		}
		for _, want := range s.d.Fields {
			got := f.Fields()[pdufield.Name(want.Name)]
			switch {
			case want.Name == "short_message" && s.d.Field("esm_class").Number&pdu.ESMUDHI != 0:
				continue // it takes the header out
			case want.Name == "message_state" || want.Name == "error_code":
				continue // it reads C-octet strings there, 3.4 §4.8.2 has one octet each
			case got == nil && s.d.Status != pdu.ROK:
				continue
			case got == nil:
				t.Fatalf("%v: no %s", s, want.Name)
			}
			if w := plain(want); !bytes.Equal(bytes.TrimRight(got.Bytes(), "\x00"), bytes.TrimRight(w, "\x00")) {
				t.Fatalf("%v: %s is %x, want %x", s, want.Name, got.Bytes(), w)
			}
			compared++
		}
		pdu.Walk(s.d.TLVs, func(tag pdu.Tag, v []byte) bool {
			if got := f.TLVFields()[pdutlv.Tag(tag)]; got == nil || !bytes.Equal(got.Bytes(), v) {
				t.Fatalf("%v: TLV %v is %v", s, tag, got)
			}
			compared++
			return true
		})
	}
	if compared < 50*perType {
		t.Errorf("only %d fields compared", compared)
	}
}

// plain is a field's value in octets.
func plain(f pdu.Field) []byte {
	if f.Octets != nil {
		return f.Octets
	}
	return []byte{f.Number}
}
