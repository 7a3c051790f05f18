package text

import "smsplane/pdu"

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
	body := data[udh:]
	if len(body) <= 66 && udh <= concatUDH {
		return 1 // fits any alphabet: the common case
	}
	step, n := 1, len(body)
	a := AlphabetOf(coding)
	switch a {
	case UCS2:
		n = (n + 1) / 2
		step = 2
	case Latin1, Local:
		a, n = transcoded(a, body)
		step = 0
	}
	if n <= room(a, udh) {
		return 1
	}
	next := udh
	switch {
	case udh == 0:
		next = concatUDH
	case !concatenated(data[1:udh]):
		next += concatElem
	}
	return split(a, body, n, step, max(room(a, next), 2))
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

// split counts segments of size units each. step is how many octets of body make a unit, 0 when body is not what goes
// on the air and pairs cannot be seen in it.
func split(a Alphabet, body []byte, n, step, size int) int {
	if step == 0 || a == Octets {
		return (n + size - 1) / size
	}
	parts := 0
	for at := 0; at < n; parts++ {
		at += size
		if at < n && pairAt(a, body[(at-1)*step:]) {
			at--
		}
	}
	return parts
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
