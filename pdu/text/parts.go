package text

import (
	"iter"

	"smsplane/pdu"
)

// Sizes on the air (3GPP TS 23.040 §9.2.3.24): a short message has 140 octets of user data, header included.
const (
	airOctets  = 140
	concatUDH  = 6 // a header with nothing but an 8-bit concatenation element
	concatElem = 5 // that element inside a header with others
)

// Parts is how many short messages the user data takes, 1 at least; a message is charged for each. The limits are
// 160/153 septets, 70/67 UTF-16 units, 140/134 octets, less what a user data header takes away. Neither an escape and
// its code nor a surrogate pair is split, as the SMSC will not split them.
//
// A message that brings its own header is normally one part of a concatenation made by the client, and counts as one;
// one that does not fit is counted like any other, so that a header does not buy a long text for the price of one part.
func Parts(coding, esmClass uint8, data []byte) int {
	udh := 0
	if esmClass&pdu.ESMUDHI != 0 {
		udh = pdu.UDHLen(data)
	}
	if len(data)-udh <= 66 && udh <= concatUDH {
		return 1 // fits any alphabet: the common case
	}
	extra := concatElem
	if udh > 0 && concatenated(data[1:udh]) {
		extra = 0
	}
	n := 0
	for range Cut(coding, data[:udh], data[udh:], extra) {
		n++
	}
	return n
}

// Sizes of what says in a user data header which part this is.
const (
	Concat8  = concatElem     // information element 0, 8-bit reference
	Concat16 = concatElem + 1 // information element 8, 16-bit reference
)

// Cut divides the body behind a header into what one short message each can hold, extra being what the header grows by
// when there are several. Counting for the bill and cutting for the air are this one walk.
func Cut(coding uint8, header, body []byte, extra int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		udh, step, n := len(header), 1, len(body)
		a := AlphabetOf(coding)
		switch a {
		case UCS2:
			n = (n + 1) / 2
			step = 2
		case Latin1, Local:
			cutTranscoded(a, body, udh, extra, yield)
			return
		}
		if n <= room(a, udh) {
			yield(body)
			return
		}
		if udh == 0 && extra > 0 {
			extra++ // the header's own length
		}
		size := max(room(a, udh+extra), 2)
		for at := 0; at < n; {
			to := min(at+size, n)
			if to < n && a != Octets && pairAt(a, body[(to-1)*step:]) {
				to--
			}
			if !yield(body[at*step : min(to*step, len(body))]) {
				return
			}
			at = to
		}
	}
}

// cutTranscoded cuts a one-octet alphabet by what an SMSC makes of it.
func cutTranscoded(a Alphabet, body []byte, udh, extra int, yield func([]byte) bool) {
	air, n := transcoded(a, body)
	if n <= room(air, udh) {
		yield(body)
		return
	}
	if udh == 0 && extra > 0 {
		extra++
	}
	size := max(room(air, udh+extra), 2)
	for at := 0; at < len(body); {
		to, used := at, 0
		for to < len(body) {
			c := 1
			if air == GSM7 {
				c += int(septets[rune(body[to])] >> 7)
			}
			if used += c; used > size {
				break
			}
			to++
		}
		if !yield(body[at:to]) {
			return
		}
		at = to
	}
}

// room is how many units of the alphabet fit beside a header of udh octets.
func room(a Alphabet, udh int) int {
	switch left := max(airOctets-udh, 0); a {
	case GSM7:
		return left * 8 / 7
	case UCS2:
		return left / 2
	default:
		return left
	}
}

// pairAt reports whether the unit b begins with belongs to the one after it.
func pairAt(a Alphabet, b []byte) bool {
	if a == GSM7 {
		return b[0] == escape
	}
	return b[0]&0xFC == 0xD8
}

// transcoded is what an SMSC makes of a one-octet alphabet: septets when all characters are in the GSM alphabet, else
// UTF-16 units.
func transcoded(a Alphabet, body []byte) (Alphabet, int) {
	n := 0
	for _, c := range body {
		s, ok := septets[rune(c)]
		if !ok || a == Local && c >= 0x80 {
			return UCS2, len(body)
		}
		n += 1 + int(s>>7)
	}
	return GSM7, n
}

// concatenated reports whether the elements of a user data header hold a concatenation, 8 or 16 bits wide.
func concatenated(elements []byte) bool {
	for len(elements) >= 2 {
		if elements[0] == 0x00 || elements[0] == 0x08 {
			return true
		}
		elements = elements[2+int(elements[1]):]
	}
	return false
}
