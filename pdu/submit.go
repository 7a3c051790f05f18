package pdu

// Submit is a submit_sm, deliver_sm or data_sm to be written from scratch: tests, generated receipts, generated load.
// What was received is passed on with AppendForward instead.
type Submit struct {
	Command                      Command // 0 = SubmitSM
	Service                      []byte
	SrcTON, SrcNPI               uint8
	Src                          []byte
	DstTON, DstNPI               uint8
	Dst                          []byte
	ESMClass, Protocol, Priority uint8
	Schedule, Validity           []byte
	Registered, Replace          uint8
	Coding, DefaultMsg           uint8
	Text                         []byte // goes into message_payload when longer than 254 octets, and always in data_sm
	TLVs                         []byte // as AppendTLV wrote them
}

// Append writes s. A NUL inside a C-octet string ends it. Limits are not enforced: tests want to break them.
func (s *Submit) Append(dst []byte, seq uint32) []byte {
	at, c := len(dst), s.Command
	if c == 0 {
		c = SubmitSM
	}
	dst = AppendHeader(dst, c, ROK, seq)
	dst = appendCString(dst, s.Service)
	dst = append(dst, s.SrcTON, s.SrcNPI)
	dst = appendCString(dst, s.Src)
	dst = append(dst, s.DstTON, s.DstNPI)
	dst = appendCString(dst, s.Dst)
	dst = append(dst, s.ESMClass)
	short := s.Text
	if c == DataSM || len(short) > maxShort {
		short = nil
	}
	if c == DataSM {
		dst = append(dst, s.Registered, s.Coding)
	} else {
		dst = append(dst, s.Protocol, s.Priority)
		dst = appendCString(dst, s.Schedule)
		dst = appendCString(dst, s.Validity)
		dst = append(dst, s.Registered, s.Replace, s.Coding, s.DefaultMsg, byte(len(short)))
		dst = append(dst, short...)
	}
	if len(short) < len(s.Text) {
		dst = AppendTLV(dst, TagMessagePayload, s.Text)
	}
	return Finish(append(dst, s.TLVs...), at)
}
