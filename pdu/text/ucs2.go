package text

import (
	"unicode/utf16"
	"unicode/utf8"
)

// DecodeUCS2 appends the UTF-8 of UTF-16. The order is big-endian unless a byte order mark says otherwise; the mark
// itself is dropped. A lone surrogate, and an odd octet at the end, become U+FFFD.
func DecodeUCS2(dst, data []byte) []byte {
	high := 0
	if len(data) >= 2 {
		switch {
		case data[0] == 0xFE && data[1] == 0xFF:
			data = data[2:]
		case data[0] == 0xFF && data[1] == 0xFE:
			data, high = data[2:], 1
		}
	}
	for ; len(data) >= 2; data = data[2:] {
		r := unit(data, high)
		if utf16.IsSurrogate(r) {
			r2 := rune(0)
			if len(data) >= 4 {
				r2 = unit(data[2:], high)
			}
			if r = utf16.DecodeRune(r, r2); r != utf8.RuneError {
				data = data[2:]
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
	if len(data) == 1 {
		dst = utf8.AppendRune(dst, utf8.RuneError)
	}
	return dst
}

// unit is the 16-bit unit at the beginning of b; high is where its high octet stands.
func unit(b []byte, high int) rune { return rune(b[high])<<8 | rune(b[1-high]) }

// EncodeUCS2 appends s as UTF-16 in big-endian order, without a byte order mark. Invalid UTF-8 becomes U+FFFD.
func EncodeUCS2(dst []byte, s string) []byte {
	for _, r := range s {
		if r1, r2 := utf16.EncodeRune(r); r > 0xFFFF {
			dst = append(dst, byte(r1>>8), byte(r1), byte(r2>>8), byte(r2))
		} else {
			dst = append(dst, byte(r>>8), byte(r))
		}
	}
	return dst
}

// DecodeLatin1 appends the UTF-8 of ISO 8859-1.
func DecodeLatin1(dst, data []byte) []byte {
	for _, c := range data {
		dst = utf8.AppendRune(dst, rune(c))
	}
	return dst
}
