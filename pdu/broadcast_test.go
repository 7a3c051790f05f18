package pdu

import (
	"bytes"
	"testing"
)

// broadcast is a broadcast_sm with two areas, a text, and a TLV that some vendor made up.
func broadcast() *PDU {
	d := New(BroadcastSM, ROK, 9).Set("service_type", []byte("CBS")).Set("source_addr", []byte("warn")).SetNumber("source_addr_ton", 5).
		SetNumber("priority_flag", 4).Set("validity_period", []byte("000000010000000R")).SetNumber("data_coding", 8)
	d.TLVs = AppendTLV(nil, TagBroadcastAreaIdentifier, []byte("\x00north"))
	d.TLVs = AppendTLV(d.TLVs, TagBroadcastAreaIdentifier, []byte("\x01arc"))
	d.TLVs = AppendTLV(d.TLVs, TagBroadcastContentType, []byte{1, 0, 1})
	d.TLVs = AppendTLV16(d.TLVs, TagBroadcastRepNum, 4)
	d.TLVs = AppendTLV(d.TLVs, TagBroadcastFrequencyInt, []byte{9, 0, 5})
	d.TLVs = AppendTLV(d.TLVs, TagMessagePayload, []byte("\x00h\x00i"))
	return d
}

// A broadcast that was kept leaves as it came.
func TestBroadcastKept(t *testing.T) {
	for _, d := range []*PDU{broadcast(), broadcast().SetNumber("priority_flag", 0).Set("validity_period", nil).Set("schedule_delivery_time", []byte("261123120000004+"))} {
		var m Message
		if st := m.Parse(d.AppendBroadcastKept(nil, []byte("99901"))); st != ROK || string(m.DstAddr()) != "99901" || !m.International() {
			t.Fatalf("kept as %x: %v", m.PDU(), st)
		}
		out := m.AppendBroadcast([]byte("before"))[6:]
		SetSequence(out, d.Sequence)
		if !bytes.Equal(out, d.Append(nil)) {
			t.Errorf("%x\nbecame %x", d.Append(nil), out)
		}
	}
	d := broadcast()
	plain := d.Append(nil)
	d.TLVs = AppendTLV(d.TLVs, 0x1400, []byte("ours"))
	var m Message
	m.Parse(d.AppendBroadcastKept(nil, []byte("1")))
	if out := m.AppendBroadcast(nil); len(out) != len(plain) {
		t.Errorf("with a vendor's TLV %d octets became %d", len(plain), len(out))
	}
}

func TestCheckBroadcast(t *testing.T) {
	with := func(tag Tag, v ...byte) *PDU {
		d := broadcast()
		d.TLVs = AppendTLV(d.TLVs, tag, v)
		return d
	}
	for what, c := range map[string]struct {
		d    *PDU
		want Status
	}{
		"a good one":         {broadcast(), ROK},
		"an extended chan":   {with(TagBroadcastChannelIndicator, 1), ROK},
		"priority 5":         {broadcast().SetNumber("priority_flag", 5), RInvPrtFlg},
		"replace flag 2":     {broadcast().SetNumber("replace_if_present_flag", 2), RInvRepFlag},
		"one that replaces":  {broadcast().SetNumber("replace_if_present_flag", 1), RInvSubRep},
		"with an id":         {broadcast().Set("message_id", []byte("1")), RInvSubRep},
		"area format 3":      {with(TagBroadcastAreaIdentifier, 3, 'x'), RInvBcastAreaFmt},
		"an arc of nothing":  {with(TagBroadcastAreaIdentifier, 1), RInvBcastAreaFmt},
		"an area, no name":   {with(TagBroadcastAreaIdentifier, 0), RInvBcastAliasName},
		"network type 4":     {with(TagBroadcastContentType, 4, 0, 0), RInvBcastCntType},
		"as often as it can": {with(TagBroadcastFrequencyInt, 0, 0, 0), ROK},
		"unit 7":             {with(TagBroadcastFrequencyInt, 7, 0, 1), RInvBcastFreqInt},
		"unit 15":            {with(TagBroadcastFrequencyInt, 15, 0, 1), RInvBcastFreqInt},
		"message class 4":    {with(TagBroadcastMessageClass, 4), RInvBcastMsgClass},
		"channel 2":          {with(TagBroadcastChannelIndicator, 2), RInvBcastChanInd},
	} {
		d, st := Decode(c.d.Append(nil))
		if st == ROK {
			st = d.CheckBroadcast()
		}
		if st != c.want {
			t.Errorf("%s: %v, want %v", what, st, c.want)
		}
	}
	for _, tag := range []Tag{TagBroadcastAreaIdentifier, TagBroadcastContentType, TagBroadcastRepNum, TagBroadcastFrequencyInt} {
		d := broadcast()
		var rest []byte
		for b := d.TLVs; len(b) > 0; {
			have, v, next, _ := NextTLV(b)
			if have != tag {
				rest = AppendTLV(rest, have, v)
			}
			b = next
		}
		d.TLVs = rest
		if _, st := Decode(d.Append(nil)); st != RMissingTLV {
			t.Errorf("without %v: %v", tag, st)
		}
	}
}
