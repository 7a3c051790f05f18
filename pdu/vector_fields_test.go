package pdu

import (
	"fmt"
	"testing"
)

func vectorFields(t *testing.T) (checked int) {
	for _, v := range vectors(t, "field") {
		checked++
		b := v.octets(t)
		have := vectorField(t, &v, b)
		want := v.Value
		if v.Error != "" {
			want = v.Error
		}
		if have != want {
			t.Errorf("%s %s %s: %s, want %s", v.ID, v.FieldType, v.Hex, have, want)
		}
	}
	return checked
}

// old are 3.4's names of statuses that 5.0 renamed; our names are 5.0's.
var old = map[Status]string{RInvTLVVal: "ESME_RINVOPTPARAMVAL", RInvTLVLen: "ESME_RINVPARLEN"}

// vectorField is what this package makes of an encoded field, in the vector's words where it has words of its own.
func vectorField(t *testing.T, v *vector, b []byte) string {
	t.Helper()
	number := Command(0)
	for _, c := range b {
		number = number<<8 | Command(c)
	}
	ok := func(st Status) string {
		if st == ROK {
			return v.Value
		}
		if n := old[st]; n != "" {
			return n
		}
		return st.String()
	}
	submit := func(change func(p []byte, m *Message)) string {
		p := (&Submit{Dst: []byte("1"), Text: []byte("x")}).Append(nil, 1)
		var m Message
		m.Parse(p)
		change(p, &m)
		return ok(m.Parse(p))
	}
	switch v.FieldType {
	case "Int2":
		return fmt.Sprintf("0x%X", uint32(number))
	case "CommandId":
		if !number.Known() {
			return RInvCmdID.String()
		}
		return number.String()
	case "Tag":
		return Tag(number).String()
	case "MessageState":
		return State(number).String()
	case "RegisteredDelivery":
		// Refused by 3.4, "success only" in 5.0: taken.
		if st := submit(func(p []byte, m *Message) { p[m.OffRegistered()] = b[0] }); st != v.Value {
			t.Errorf("%s: registered_delivery 3 gives %s", v.ID, st)
		}
		return v.Error
	case "PriorityFlag":
		return submit(func(p []byte, m *Message) { p[m.OffPriority()] = b[0] })
	case "AddrNpi":
		return submit(func(p []byte, m *Message) { p[18] = b[0] })
	case "AddrSubunit":
		return ok(TagDestAddrSubunit.Check(b))
	case "BearerType":
		return ok(TagDestBearerType.Check(b))
	case "PrivacyIndicator":
		return ok(TagPrivacyIndicator.Check(b))
	case "LanguageIndicator":
		return ok(TagLanguageIndicator.Check(b))
	case "DisplayTime":
		return ok(TagDisplayTime.Check(b))
	case "CallbackNum":
		return ok(TagCallbackNum.Check(b))
	case "SubaddressTypeTag":
		return ok(TagSourceSubaddress.Check(append(b, 0)))
	case "Option":
		tag, value, _, _ := NextTLV(b)
		return ok(tag.Check(value))
	case "DestFlag":
		d := New(SubmitMulti, ROK, 1)
		d.Dests = []Dest{{List: b[0] == destList, Name: []byte("x")}}
		if d, st := Decode(d.Append(nil)); st != ROK || !d.Dests[0].List {
			return "ADDRESS"
		}
		return "DISTRIBUTION_LIST_NAME"
	}
	t.Errorf("%s: field type %s is not tested", v.ID, v.FieldType)
	return ""
}
