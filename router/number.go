package router

import "math/bits"

// Number is an international number, E.164 digits without a sign; 0 is none. E.164 numbers never begin with
// a zero, so the digits are all in the value.
type Number uint64

// maxDigits of E.164.
const maxDigits = 15

// Types of number and numbering plans that Normalize tells apart (SMPP 3.4 §5.2.5, §5.2.6).
const (
	tonUnknown       = 0
	tonInternational = 1
	tonNational      = 2
	tonSubscriber    = 4

	npiUnknown  = 0
	npiISDN     = 1
	npiNational = 8
	npiPrivate  = 9
)

var pow10 = [...]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}

// Normalize reads an address as an international number. country is the dialling code of the client, which
// completes national numbers; empty if it sends none.
//
//	+4915112345678, 004915112345678     international, whatever the TON says
//	4915112345678                       international, unless TON says national
//	015112345678, or TON national       national: country, and without the trunk 0
//
// Names, short codes and addresses of other numbering plans are no numbers, nor is anything that does not
// come to 1..15 digits.
func Normalize(addr []byte, ton, npi uint8, country string) (Number, bool) {
	switch ton {
	case tonUnknown, tonInternational, tonNational, tonSubscriber:
	default:
		return 0, false
	}
	switch npi {
	case npiUnknown, npiISDN, npiNational, npiPrivate: // clients get the NPI wrong more often than the number
	default:
		return 0, false
	}
	switch {
	case len(addr) > 0 && addr[0] == '+':
		return join("", addr[1:])
	case len(addr) > 1 && addr[0] == '0' && addr[1] == '0':
		return join("", addr[2:])
	case ton == tonNational, ton == tonSubscriber, ton == tonUnknown && len(addr) > 0 && addr[0] == '0':
		if country == "" {
			return 0, false
		}
		if len(addr) > 0 && addr[0] == '0' {
			addr = addr[1:]
		}
		if len(addr) == 0 {
			return 0, false
		}
		return join(country, addr)
	}
	return join("", addr)
}

// join reads the digits of a country code and an address as one number.
func join(country string, addr []byte) (Number, bool) {
	if n := len(country) + len(addr); n == 0 || n > maxDigits {
		return 0, false
	}
	var v uint64
	for i := range len(country) {
		v = v*10 + uint64(country[i]-'0')
	}
	for _, c := range addr {
		if c < '0' || c > '9' || v == 0 && c == '0' {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	return Number(v), true
}

// Digits counts them; 0 for the number 0.
func (n Number) Digits() int {
	if n == 0 {
		return 0
	}
	d := bits.Len64(uint64(n)) * 1233 >> 12 // floor of the logarithm, or one less than it
	if uint64(n) >= pow10[d] {
		d++
	}
	return d
}

// Append writes the digits; nothing for the number 0.
func (n Number) Append(dst []byte) []byte {
	for d := n.Digits() - 1; d >= 0; d-- {
		dst = append(dst, byte('0'+uint64(n)/pow10[d]%10))
	}
	return dst
}

func (n Number) String() string { return string(n.Append(nil)) }

// head is the leading digits, at most k.
func (n Number) head(k int) uint64 {
	if d := n.Digits(); d > k {
		return uint64(n) / pow10[d-k]
	}
	return uint64(n)
}
