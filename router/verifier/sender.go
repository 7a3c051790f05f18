package verifier

// Types of number of a source address (SMPP 3.4 §5.2.5).
const (
	tonInternational = 1
	tonNational      = 2
	tonAlphanumeric  = 5
)

// Lengths of a sender. A name travels in ten octets of GSM septets: eleven of them (3GPP TS 23.040 §9.1.2.5).
const (
	maxName    = 11 // septets
	maxE164    = 15
	maxPrivate = 20   // digits of a short code or private number; what source_addr of submit_sm holds
	lastChar   = 0x7e // ASCII
)

// senderOK reports whether a source address has the form of a number or of a name. An empty one is left to
// the carrier, which puts its own in (SMPP 3.4 §4.4.1).
func senderOK(src []byte, ton uint8) bool {
	if len(src) == 0 {
		return true
	}
	if ton == tonAlphanumeric {
		return nameOK(src)
	}
	digits := src
	if src[0] == '+' {
		digits = src[1:]
	}
	if numeric(digits) {
		if ton == tonInternational || ton == tonNational || len(digits) < len(src) {
			return len(digits) <= maxE164
		}
		return len(digits) <= maxPrivate
	}
	// Names are often sent with the TON left at unknown; with the TON of a number they are a mistake.
	return ton != tonInternational && ton != tonNational && nameOK(src)
}

func numeric(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// nameOK counts septets: characters of the extension table take two (3GPP TS 23.038 §6.2.1.1), and the
// backquote is in neither table.
func nameOK(b []byte) bool {
	n := 0
	for _, c := range b {
		switch {
		case c < ' ' || c > lastChar || c == '`':
			return false
		case c == '[' || c == ']' || c == '{' || c == '}' || c == '\\' || c == '^' || c == '~' || c == '|':
			n += 2
		default:
			n++
		}
	}
	return n <= maxName
}
