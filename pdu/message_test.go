package pdu

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// good is a submit every test starts from and spoils in one place.
func good() Submit {
	return Submit{SrcTON: 5, Src: []byte("MyBrand"), DstTON: 1, DstNPI: 1, Dst: []byte("447700900123"), Registered: 1, Text: []byte("Hello")}
}

func repeat(n int) []byte { return []byte(strings.Repeat("1", n)) }

func TestMessageStatuses(t *testing.T) {
	payload := AppendTLV(nil, TagMessagePayload, []byte("text"))
	for name, c := range map[string]struct {
		spoil func(s *Submit)
		want  Status
	}{
		"as it is":                  {func(s *Submit) {}, ROK},
		"service_type 5":            {func(s *Submit) { s.Service = repeat(5) }, ROK},
		"service_type 6":            {func(s *Submit) { s.Service = repeat(6) }, RInvSerTyp},
		"source 20":                 {func(s *Submit) { s.Src = repeat(20) }, ROK},
		"source 21":                 {func(s *Submit) { s.Src = repeat(21) }, RInvSrcAdr},
		"destination 20":            {func(s *Submit) { s.Dst = repeat(20) }, ROK},
		"destination 21":            {func(s *Submit) { s.Dst = repeat(21) }, RInvDstAdr},
		"data_sm source 64":         {func(s *Submit) { s.Command, s.Src = DataSM, repeat(64) }, ROK},
		"data_sm source 65":         {func(s *Submit) { s.Command, s.Src = DataSM, repeat(65) }, RInvSrcAdr},
		"data_sm destination 65":    {func(s *Submit) { s.Command, s.Dst = DataSM, repeat(65) }, RInvDstAdr},
		"data_sm without payload":   {func(s *Submit) { s.Command, s.Text = DataSM, nil }, RMissingTLV},
		"data_sm of unknown type":   {func(s *Submit) { s.Command, s.ESMClass = DataSM, 0x0C }, RInvEsmClass},
		"source ton":                {func(s *Submit) { s.SrcTON = 7 }, RInvSrcTON},
		"source npi":                {func(s *Submit) { s.SrcNPI = 2 }, RInvSrcNPI},
		"destination ton":           {func(s *Submit) { s.DstTON = 200 }, RInvDstTON},
		"destination npi":           {func(s *Submit) { s.DstNPI = 19 }, RInvDstNPI},
		"wap npi":                   {func(s *Submit) { s.DstNPI = 18 }, ROK},
		"esm_class modes and reply": {func(s *Submit) { s.ESMClass = 0x83 }, ROK},
		"esm_class user ack":        {func(s *Submit) { s.ESMClass = ESMUserAck }, ROK},
		"esm_class receipt":         {func(s *Submit) { s.ESMClass = ESMReceipt }, RInvEsmClass},
		"esm_class reserved":        {func(s *Submit) { s.ESMClass = 0x3C }, RInvEsmClass},
		"udhi":                      {func(s *Submit) { s.ESMClass, s.Text = ESMUDHI, []byte("\x05\x00\x03\x01\x02\x01Hi") }, ROK},
		"udhi without header":       {func(s *Submit) { s.ESMClass, s.Text = ESMUDHI, []byte("\x09\x00\x03\x01\x02\x01Hi") }, RInvEsmClass},
		"udhi header overrun":       {func(s *Submit) { s.ESMClass, s.Text = ESMUDHI, []byte("\x05\x00\x09\x01\x02\x01Hi") }, RInvEsmClass},
		"udhi without text":         {func(s *Submit) { s.ESMClass, s.Text = ESMUDHI, nil }, RInvEsmClass},
		"priority 3":                {func(s *Submit) { s.Priority = 3 }, ROK},
		"priority 4":                {func(s *Submit) { s.Priority = 4 }, RInvPrtFlg},
		"registered success only":   {func(s *Submit) { s.Registered = 3 }, ROK},
		"registered reserved":       {func(s *Submit) { s.Registered = 0x80 }, RInvRegDlvFlg},
		"replace 2":                 {func(s *Submit) { s.Replace = 2 }, RInvRepFlag},
		"canned message":            {func(s *Submit) { s.DefaultMsg = 1 }, RInvDftMsgID},
		"schedule":                  {func(s *Submit) { s.Schedule = []byte("261123120000004+") }, ROK},
		"schedule 15":               {func(s *Submit) { s.Schedule = repeat(15) }, RInvSched},
		"schedule 17":               {func(s *Submit) { s.Schedule = repeat(17) }, RInvSched},
		"schedule month 13":         {func(s *Submit) { s.Schedule = []byte("261323120000004+") }, RInvSched},
		"validity":                  {func(s *Submit) { s.Validity = []byte("000002000000000R") }, ROK},
		"validity 12":               {func(s *Submit) { s.Validity = []byte("261123120000") }, RInvExpiry},
		"validity 20":               {func(s *Submit) { s.Validity = repeat(20) }, RInvExpiry},
		"validity sign":             {func(s *Submit) { s.Validity = []byte("000002000000000X") }, RInvExpiry},
		"validity offset 49":        {func(s *Submit) { s.Validity = []byte("261123120000049+") }, RInvExpiry},
		"both texts":                {func(s *Submit) { s.TLVs = payload }, RInvMsgLen},
		"payload alone":             {func(s *Submit) { s.Text, s.TLVs = nil, payload }, ROK},
		"neither text":              {func(s *Submit) { s.Text = nil }, ROK},
		"unknown tlv":               {func(s *Submit) { s.TLVs = AppendTLV(nil, 0x3FFF, repeat(300)) }, ROK},
		"tlv length":                {func(s *Submit) { s.TLVs = AppendTLV(nil, TagUserMessageReference, repeat(1)) }, RInvTLVLen},
		"tlv overrun":               {func(s *Submit) { s.TLVs = []byte{0x02, 0x04, 0, 9, 1} }, RInvTLVStream},
		"stray octet":               {func(s *Submit) { s.TLVs = []byte{1} }, RInvTLVStream},
		"stray zero":                {func(s *Submit) { s.TLVs = []byte{0} }, ROK},
		"three stray zeros":         {func(s *Submit) { s.TLVs = append(bytes.Clone(payload[:0]), 0, 0, 0) }, ROK},
		"deliver_sm is let off":     {func(s *Submit) { s.Command, s.SrcTON, s.Priority, s.ESMClass = DeliverSM, 9, 9, 0x0C }, ROK},
		"deliver_sm tlv length":     {func(s *Submit) { s.Command, s.TLVs = DeliverSM, AppendTLV(nil, TagUserMessageReference, nil) }, ROK},
		"deliver_sm tlv overrun":    {func(s *Submit) { s.Command, s.TLVs = DeliverSM, []byte{0x02, 0x04, 0, 9, 1} }, RInvTLVStream},
		"receipt tlv overrun":       {func(s *Submit) { s.Command, s.ESMClass, s.TLVs = DeliverSM, 0x44, []byte{0x02, 0x04, 0, 9, 1} }, ROK},
		"data_sm receipt, no text":  {func(s *Submit) { s.Command, s.ESMClass, s.Text = DataSM, ESMReceipt, nil }, ROK},
		"deliver_sm source 21":      {func(s *Submit) { s.Command, s.Src = DeliverSM, repeat(21) }, RInvSrcAdr},
		"deliver_sm schedule 17":    {func(s *Submit) { s.Command, s.Schedule = DeliverSM, repeat(17) }, RInvSched},
	} {
		s := good()
		c.spoil(&s)
		var m Message
		if st := m.Parse(s.Append(nil, 7)); st != c.want {
			t.Errorf("%s: %v, want %v", name, st, c.want)
		}
	}
}

// Wherever a PDU is cut, the answer is a length error or a damaged TLV, and the view is safe to read.
func TestMessageCutAnywhere(t *testing.T) {
	for _, c := range []Command{SubmitSM, DeliverSM, DataSM} {
		s := good()
		s.Command, s.Validity, s.TLVs = c, []byte("000002000000000R"), userReference
		whole := s.Append(nil, 1)
		var m Message
		m.Parse(whole)
		tlv := m.OffTLV()
		for n := HeaderLen; n < len(whole); n++ {
			p := bytes.Clone(whole[:n])
			binary.BigEndian.PutUint32(p, uint32(n))
			st := m.Parse(p)
			viewFields(&m)
			switch {
			case n < tlv && st != RInvMsgLen:
				t.Errorf("%v cut at %d: %v", c, n, st)
			case n < tlv && (len(m.SrcAddr()) != 0 || len(m.UserData()) != 0 || len(m.TLVs()) != 0):
				t.Errorf("%v cut at %d: a failed view shows something", c, n)
			case n > tlv && st == ROK && c != DataSM && n != len(whole)-len(userReference):
				t.Errorf("%v cut at %d: accepted", c, n)
			}
		}
		if st := m.Parse(whole[:len(whole)-1]); st != RInvCmdLen {
			t.Errorf("%v shorter than it says: %v", c, st)
		}
	}
}

func TestMessageBodySources(t *testing.T) {
	var m Message
	long := good()
	long.Text = repeat(300)
	m.Parse(long.Append(nil, 1))
	if !bytes.Equal(m.UserData(), long.Text) || len(m.ShortMessage()) != 0 || m.FitsWithoutTLVs() {
		t.Error("long text is not in message_payload")
	}
	none := good()
	none.Text = nil
	m.Parse(none.Append(nil, 1))
	if m.UserData() != nil {
		t.Error("user data out of nothing")
	}
	data := good()
	data.Command = DataSM
	m.Parse(data.Append(nil, 1))
	if string(m.UserData()) != "Hello" || m.OffPriority() != 0 || m.Schedule() != nil || m.Priority() != 0 {
		t.Errorf("data_sm reads %q", m.UserData())
	}
}

func TestMessageOffsetsPatchTheirField(t *testing.T) {
	s := good()
	s.Schedule, s.Validity = []byte("261123120000004+"), []byte("000002000000000R")
	p := s.Append(nil, 1)
	var m Message
	m.Parse(p)
	p[m.OffESMClass()], p[m.OffPriority()], p[m.OffRegistered()], p[m.OffDataCoding()] = 0x80, 2, 0x11, 8
	p[m.OffSchedule()], p[m.OffValidity()] = '3', '9'
	if m.ESMClass() != 0x80 || m.Priority() != 2 || m.RegisteredDelivery() != 0x11 || m.DataCoding() != 8 ||
		m.Schedule()[0] != '3' || m.Validity()[0] != '9' {
		t.Errorf("offsets point elsewhere: %v", viewFields(&m))
	}
}

func TestIsReceiptMasks(t *testing.T) {
	for _, c := range []struct {
		command               Command
		esm                   uint8
		receipt, intermediate bool
	}{
		{DeliverSM, 0x04, true, false}, {DeliverSM, 0x44, true, false}, {DeliverSM, 0x07, true, false}, {DeliverSM, 0xC4, true, false},
		{DeliverSM, 0x00, false, false}, {DeliverSM, 0x08, false, false}, {DeliverSM, 0x20, false, true}, {DeliverSM, 0x24, false, false},
		{DataSM, 0x04, true, false}, {SubmitSM, 0x04, false, false},
	} {
		s := good()
		s.Command, s.ESMClass = c.command, c.esm
		var m Message
		m.Parse(s.Append(nil, 1))
		if m.IsReceipt() != c.receipt || m.IsIntermediate() != c.intermediate {
			t.Errorf("%v %#02x: receipt %v, intermediate %v", c.command, c.esm, m.IsReceipt(), m.IsIntermediate())
		}
	}
}

func TestMessageParseRefusesOtherCommands(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a view over enquire_link did not panic")
		}
	}()
	var m Message
	m.Parse(AppendPlain(nil, EnquireLink, ROK, 1))
}
