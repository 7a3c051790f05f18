package pdu

import "encoding/binary"

// HeaderLen is the size of the header every PDU begins with (3.4 §3.2), and so the least command_length.
const HeaderLen = 16

// Header is the fixed part of a PDU. Length counts the header itself.
type Header struct {
	Length   uint32
	Command  Command
	Status   Status
	Sequence uint32
}

// ParseHeader reads the first HeaderLen octets of b. It panics when there are fewer: Frame said otherwise.
func ParseHeader(b []byte) Header {
	_ = b[HeaderLen-1]
	return Header{
		Length:   binary.BigEndian.Uint32(b),
		Command:  Command(binary.BigEndian.Uint32(b[4:])),
		Status:   Status(binary.BigEndian.Uint32(b[8:])),
		Sequence: binary.BigEndian.Uint32(b[12:]),
	}
}

// Frame finds the first PDU in b: n is its length once all of it is there, and 0 while octets are missing. A
// command_length outside [HeaderLen, max] is RInvCmdLen as soon as it can be read; framing is lost then, so the caller
// answers generic_nack and closes.
func Frame(b []byte, max int) (n int, st Status) {
	if len(b) < 4 {
		return 0, ROK
	}
	l := binary.BigEndian.Uint32(b)
	if l < HeaderLen || uint64(l) > uint64(max) {
		return 0, RInvCmdLen
	}
	if uint64(len(b)) < uint64(l) {
		return 0, ROK
	}
	return int(l), ROK
}

// AppendHeader begins a PDU. Its command_length is zero until Finish.
func AppendHeader(dst []byte, c Command, st Status, seq uint32) []byte {
	return append(dst,
		0, 0, 0, 0,
		byte(c>>24), byte(c>>16), byte(c>>8), byte(c),
		byte(st>>24), byte(st>>16), byte(st>>8), byte(st),
		byte(seq>>24), byte(seq>>16), byte(seq>>8), byte(seq))
}

// Finish ends the PDU that began at offset at: everything from there on is its, and command_length says so.
func Finish(dst []byte, at int) []byte {
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at))
	return dst
}

// AppendPlain writes a PDU that is only a header: enquire_link, unbind, their responses, generic_nack, the responses to
// cancel_sm and replace_sm, and any response that carries an error (3.4 §4.4.2).
func AppendPlain(dst []byte, c Command, st Status, seq uint32) []byte {
	at := len(dst)
	return Finish(AppendHeader(dst, c, st, seq), at)
}

// SetSequence and SetStatus patch a whole PDU in place.
func SetSequence(p []byte, seq uint32) { binary.BigEndian.PutUint32(p[12:], seq) }
func SetCommand(p []byte, c Command)   { binary.BigEndian.PutUint32(p[4:], uint32(c)) }
func SetStatus(p []byte, st Status)    { binary.BigEndian.PutUint32(p[8:], uint32(st)) }
