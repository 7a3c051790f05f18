package text

import (
	"unicode/utf8"
)

const escape = 0x1B

// basic is the default alphabet, row after row of the specification's table. Its escape is written as ESC itself.
var basic = [128]rune([]rune("" +
	"@£$¥èéùìòÇ\nØø\rÅå" +
	"Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ" +
	" !\"#¤%&'()*+,-./" +
	"0123456789:;<=>?" +
	"¡ABCDEFGHIJKLMNO" +
	"PQRSTUVWXYZÄÖÑÜ§" +
	"¿abcdefghijklmno" +
	"pqrstuvwxyzäöñüà"))

// extended are the characters behind an escape; each costs two septets.
var extended = map[byte]rune{0x0A: '\f', 0x14: '^', 0x28: '{', 0x29: '}', 0x2F: '\\', 0x3C: '[', 0x3D: '~', 0x3E: ']', 0x40: '|', 0x65: '€'}

// septets turns a character into its code, with the high bit set when an escape comes before it.
var septets = func() map[rune]byte {
	m := make(map[rune]byte, len(basic)+len(extended))
	for i, r := range basic {
		if i != escape {
			m[r] = byte(i)
		}
	}
	for c, r := range extended {
		m[r] = c | 0x80
	}
	return m
}()

// DecodeGSM7 appends the UTF-8 of unpacked septets. An escape before a code the extension does not define shows the
// code's own character, one at the very end is dropped.
func DecodeGSM7(dst, data []byte) []byte {
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case c >= 0x80:
			dst = utf8.AppendRune(dst, utf8.RuneError)
		case c != escape:
			dst = utf8.AppendRune(dst, basic[c])
		case i+1 < len(data):
			if r, ok := extended[data[i+1]]; ok {
				dst = utf8.AppendRune(dst, r)
				i++
			}
		}
	}
	return dst
}

// EncodeGSM7 appends the unpacked septets of s. It reports false, with dst as it was, when s has a character that
// neither the alphabet nor its extension holds.
func EncodeGSM7(dst []byte, s string) ([]byte, bool) {
	at := len(dst)
	for _, r := range s {
		c, ok := septets[r]
		switch {
		case !ok:
			return dst[:at], false
		case c >= 0x80:
			dst = append(dst, escape, c&0x7F)
		default:
			dst = append(dst, c)
		}
	}
	return dst, true
}

// GSM7Len is how many septets s takes, and whether it can be written in them at all.
func GSM7Len(s string) (n int, ok bool) {
	for _, r := range s {
		c, ok := septets[r]
		if !ok {
			return 0, false
		}
		n += 1 + int(c>>7)
	}
	return n, true
}
