package pdu

import "bytes"

// Interface versions as they stand in interface_version and sc_interface_version (3.4 §5.2.4).
const (
	Version33 = 0x33
	Version34 = 0x34
	Version50 = 0x50
)

// Bind is the body of bind_receiver, bind_transmitter and bind_transceiver (3.4 §4.1).
type Bind struct {
	Command                        Command
	SystemID, Password, SystemType string
	Version, TON, NPI              uint8
	Range                          string // address_range, "" for NULL
}

// bindLimit is how long a credential may be on receipt, terminator included. The specification says 16, 9 and 13
// octets, and real accounts exceed it.
const bindLimit = 65

// ParseBind reads a bind request. Too long a system_id is RInvSysID, and so on by field; a body that ends early is
// RInvMsgLen. What can be read is returned even then. A command that is no bind is our bug and panics.
func ParseBind(p []byte) (Bind, Status) {
	b := Bind{Command: ParseHeader(p).Command}
	if b.Command != BindReceiver && b.Command != BindTransmitter && b.Command != BindTransceiver {
		panic("pdu: ParseBind of " + b.Command.String())
	}
	r := reader{p: p, at: HeaderLen}
	b.SystemID = string(r.str(bindLimit, RInvSysID))
	b.Password = string(r.str(bindLimit, RInvPaswd))
	b.SystemType = string(r.str(bindLimit, RInvSysTyp))
	b.Version, b.TON, b.NPI = r.u8(), r.u8(), r.u8()
	b.Range = string(r.str(bindLimit, RBindFail))
	return b, r.st
}

// AppendBind writes a bind request. A NUL cannot be part of a C-octet string and ends the field.
func AppendBind(dst []byte, b *Bind, seq uint32) []byte {
	at := len(dst)
	dst = AppendHeader(dst, b.Command, ROK, seq)
	dst = appendCString(dst, b.SystemID)
	dst = appendCString(dst, b.Password)
	dst = appendCString(dst, b.SystemType)
	dst = append(dst, b.Version, b.TON, b.NPI)
	dst = appendCString(dst, b.Range)
	return Finish(dst, at)
}

// AppendBindResp answers the bind request c. An error has no body (3.4 §4.1.2). version 0 leaves sc_interface_version
// out, which is how a server tells a peer bound as 3.3 or older not to expect TLVs.
func AppendBindResp(dst []byte, c Command, st Status, seq uint32, systemID string, version uint8) []byte {
	if st != ROK {
		return AppendPlain(dst, c.Resp(), st, seq)
	}
	at := len(dst)
	dst = AppendHeader(dst, c.Resp(), st, seq)
	dst = appendCString(dst, systemID)
	if version != 0 {
		dst = AppendTLV8(dst, TagSCInterfaceVersion, version)
	}
	return Finish(dst, at)
}

// AppendBindRefusal is an error with a body all the same: the field has clients whose library fails without one.
func AppendBindRefusal(dst []byte, c Command, st Status, seq uint32, systemID string) []byte {
	at := len(dst)
	dst = AppendHeader(dst, c.Resp(), st, seq)
	return Finish(appendCString(dst, systemID), at)
}

// ParseBindResp reads a bind response. st is the peer's command_status; version is 0 when the peer did not say. The body
// is read as far as it makes sense: some peers send none, and some send one with an error.
func ParseBindResp(p []byte) (systemID string, version uint8, st Status) {
	r := reader{p: p, at: HeaderLen}
	id := r.str(bindLimit, RInvSysID)
	if v, ok := FindTLV(r.rest(), TagSCInterfaceVersion); ok && len(v) == 1 {
		version = v[0]
	}
	return string(id), version, ParseHeader(p).Status
}

func appendCString[T string | []byte](dst []byte, s T) []byte {
	at := len(dst)
	dst = append(dst, s...)
	if n := bytes.IndexByte(dst[at:], 0); n >= 0 {
		dst = dst[:at+n]
	}
	return append(dst, 0)
}
