package text

import (
	"unicode/utf16"
	"unicode/utf8"
)

// Charset is how characters stand in octets between two peers. data_coding alone does not say: 0 is whatever the two
// agreed on, and 8 is written in both orders.
type Charset uint8

const (
	Unpacked Charset = iota // GSM alphabet, a septet to an octet: what data_coding 0 mostly is
	Packed                  // GSM alphabet, eight septets to seven octets (3GPP TS 23.038 §6.1.2.1)
	ASCII
	ISO88591
	UTF8
	UTF16BE // what data_coding 8 is
	UTF16LE
	UTF16Mark // big-endian behind a byte order mark
)

// Decode appends the UTF-8 of data, which stands behind udh octets of header (they matter to Packed only). It reports
// false, with dst as it was, unless data is sound text: what Encode makes of it says the same.
func (c Charset) Decode(dst, data []byte, udh int) ([]byte, bool) {
	at := len(dst)
	ok := true
	switch c {
	case Packed:
		var septets [256]byte
		return Unpacked.Decode(dst, unpack(septets[:0], data, udh), 0)
	case Unpacked:
		dst, ok = decodeStrict(dst, data)
	case ASCII:
		for _, o := range data {
			ok = ok && o < 0x80
		}
		dst = append(dst, data...)
	case ISO88591:
		dst = DecodeLatin1(dst, data)
	case UTF8:
		ok = utf8.Valid(data)
		dst = append(dst, data...)
	default:
		dst, ok = c.decodeUnits(dst, data)
	}
	if !ok {
		return dst[:at], false
	}
	return dst, true
}

// decodeStrict reads septets and refuses what the alphabet does not define.
func decodeStrict(dst, data []byte) ([]byte, bool) {
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case c >= 0x80:
			return dst, false
		case c != escape:
			dst = utf8.AppendRune(dst, basic[c])
			continue
		}
		if i++; i == len(data) {
			return dst, false
		}
		r, ok := extended[data[i]]
		if !ok {
			return dst, false
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, true
}

// decodeUnits reads UTF-16 and refuses halves of pairs. A byte order mark wins over the order agreed on.
func (c Charset) decodeUnits(dst, data []byte) ([]byte, bool) {
	high := 0
	if c == UTF16LE {
		high = 1
	}
	if len(data) >= 2 && (data[0] == 0xFE && data[1] == 0xFF || data[0] == 0xFF && data[1] == 0xFE) {
		high = int(data[1] & 1) // FE FF begins with its high octet
		high ^= 1
		data = data[2:]
	}
	if len(data)%2 != 0 {
		return dst, false
	}
	for ; len(data) >= 2; data = data[2:] {
		r := unit(data, high)
		if utf16.IsSurrogate(r) {
			if len(data) < 4 {
				return dst, false
			}
			if r = utf16.DecodeRune(r, unit(data[2:], high)); r == utf8.RuneError {
				return dst, false
			}
			data = data[2:]
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, true
}

// Encode appends s, which is UTF-8, to stand behind udh octets of header. It reports false, with dst as it was, when
// some character of s cannot be written.
func (c Charset) Encode(dst, s []byte, udh int) ([]byte, bool) {
	at := len(dst)
	if !utf8.Valid(s) {
		return dst, false
	}
	if c == UTF8 {
		return append(dst, s...), true
	}
	if c == Packed {
		var septets [256]byte
		b, ok := Unpacked.Encode(septets[:0], s, 0)
		if !ok {
			return dst, false
		}
		return pack(dst, b, udh), true
	}
	if c == UTF16Mark {
		dst = append(dst, 0xFE, 0xFF)
	}
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		s = s[n:]
		ok := true
		if dst, ok = c.appendRune(dst, r); !ok {
			return dst[:at], false
		}
	}
	return dst, true
}

func (c Charset) appendRune(dst []byte, r rune) ([]byte, bool) {
	switch c {
	case Unpacked:
		o, ok := septets[r]
		if !ok {
			return dst, false
		}
		if o >= 0x80 {
			dst = append(dst, escape)
		}
		return append(dst, o&0x7F), true
	case ASCII:
		return append(dst, byte(r)), r < 0x80
	case ISO88591:
		return append(dst, byte(r)), r < 0x100
	}
	if r > 0xFFFF {
		r1, r2 := utf16.EncodeRune(r)
		return c.appendUnit(c.appendUnit(dst, r1), r2), true
	}
	return c.appendUnit(dst, r), true
}

func (c Charset) appendUnit(dst []byte, r rune) []byte {
	if c == UTF16LE {
		return append(dst, byte(r), byte(r>>8))
	}
	return append(dst, byte(r>>8), byte(r))
}

const carriageReturn = 0x0D

// pack writes septets close together. They begin on a septet's border behind the header (3GPP TS 23.040 §9.2.3.24).
// Seven bits left over at the end would read as @, so a carriage return fills them, and a text that ends with one just
// there gets another (3GPP TS 23.038 §6.1.2.3.1).
func pack(dst, septets []byte, udh int) []byte {
	bits := fill(udh)
	acc := uint32(0)
	add := func(c byte) {
		acc |= uint32(c) << bits
		for bits += 7; bits >= 8; bits -= 8 {
			dst = append(dst, byte(acc))
			acc >>= 8
		}
	}
	for _, c := range septets {
		add(c)
	}
	switch {
	case bits == 1:
		add(carriageReturn)
	case bits == 0 && len(septets) > 0 && septets[len(septets)-1] == carriageReturn:
		add(carriageReturn)
	}
	if bits > 0 {
		dst = append(dst, byte(acc))
	}
	return dst
}

// fill is how many bits stand between a header and the first septet.
func fill(udh int) uint { return uint((7 - udh*8%7) % 7) }

func unpack(dst, data []byte, udh int) []byte {
	skip, acc, bits := fill(udh), uint32(0), uint(0)
	for _, o := range data {
		acc |= uint32(o) << bits
		bits += 8
		if skip > 0 {
			acc, bits, skip = acc>>skip, bits-skip, 0
		}
		for ; bits >= 7; bits -= 7 {
			dst = append(dst, byte(acc&0x7F))
			acc >>= 7
		}
	}
	if n := len(dst); n > 0 && bits == 0 && dst[n-1] == carriageReturn { // what fills the last octet
		dst = dst[:n-1]
	}
	return dst
}
