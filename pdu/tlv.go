package pdu

import (
	"encoding/binary"
	"fmt"
)

// Tag names a TLV, SMPP 3.4's optional parameter (3.4 §5.3, 5.0 §4.8).
type Tag uint16

// tlvHeader is a TLV's tag and length.
const tlvHeader = 4

// Vendor reports whether t is in the block left to vendors: the same tag means different things to different peers.
func (t Tag) Vendor() bool { return t >= 0x1400 && t <= 0x3FFF }

// String is the specification's name, or the number in hex.
func (t Tag) String() string {
	if s := t.spec(); s != nil {
		return s.name
	}
	return fmt.Sprintf("0x%04x", uint16(t))
}

// AppendTLV writes one TLV. A value has at most 65535 octets; a longer one is our bug.
func AppendTLV(dst []byte, t Tag, v []byte) []byte {
	if len(v) > 0xFFFF {
		panic(fmt.Sprintf("pdu: TLV %v of %d octets", t, len(v)))
	}
	dst = append(dst, byte(t>>8), byte(t), byte(len(v)>>8), byte(len(v)))
	return append(dst, v...)
}

// AppendTLV8, AppendTLV16 and AppendTLVString write the common kinds: one octet, two, and a C-octet string with its NUL.
func AppendTLV8(dst []byte, t Tag, v uint8) []byte {
	return append(dst, byte(t>>8), byte(t), 0, 1, v)
}

func AppendTLV16(dst []byte, t Tag, v uint16) []byte {
	return append(dst, byte(t>>8), byte(t), 0, 2, byte(v>>8), byte(v))
}

func AppendTLVString(dst []byte, t Tag, v []byte) []byte {
	n := len(v) + 1
	dst = append(dst, byte(t>>8), byte(t), byte(n>>8), byte(n))
	return append(append(dst, v...), 0)
}

// NextTLV splits the first TLV off b. It reports false when b holds no whole TLV; rest is then b.
func NextTLV(b []byte) (t Tag, v, rest []byte, ok bool) {
	if len(b) < tlvHeader {
		return 0, nil, b, false
	}
	n := tlvHeader + int(binary.BigEndian.Uint16(b[2:]))
	if n > len(b) {
		return 0, nil, b, false
	}
	return Tag(binary.BigEndian.Uint16(b)), b[tlvHeader:n:n], b[n:], true
}

// AppendTLVs adds those of tlvs that keep wants, in their order.
func AppendTLVs(dst, tlvs []byte, keep func(t Tag) bool) []byte {
	for {
		t, v, rest, ok := NextTLV(tlvs)
		if !ok {
			return dst
		}
		if keep(t) {
			dst = append(dst, tlvs[:tlvHeader+len(v)]...)
		}
		tlvs = rest
	}
}

// FindTLV is the value of the first TLV tagged t in b.
func FindTLV(b []byte, t Tag) ([]byte, bool) {
	for {
		tag, v, rest, ok := NextTLV(b)
		if !ok {
			return nil, false
		}
		if tag == t {
			return v, true
		}
		b = rest
	}
}

// Walk hands every whole TLV of b to f, in order, until f says stop.
func Walk(b []byte, f func(t Tag, v []byte) (more bool)) {
	for {
		t, v, rest, ok := NextTLV(b)
		if !ok || !f(t, v) {
			return
		}
		b = rest
	}
}
