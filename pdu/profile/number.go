package profile

// Fit says how the number in a receipt compares with the number that a message went to.
type Fit uint8

const (
	Unequal Fit = iota
	Untold      // the receipt has no number to compare
	Equal
)

// shortest number that is compared; what is shorter is a short code, or masked.
const shortest = 7

// FitNumber compares an address of a receipt with E.164 digits. Carriers write numbers with +, 00 or a trunk 0, or
// without the country code: equal are those of which one ends with the other.
func FitNumber(addr []byte, number uint64) Fit {
	if len(addr) > 0 && addr[0] == '+' {
		addr = addr[1:]
	}
	for len(addr) > 0 && addr[0] == '0' {
		addr = addr[1:]
	}
	if len(addr) < shortest || len(addr) > 15 {
		return Untold
	}
	v, unit := uint64(0), uint64(1)
	for _, c := range addr {
		if c < '0' || c > '9' {
			return Untold
		}
		v, unit = v*10+uint64(c-'0'), unit*10
	}
	if number%unit == v {
		return Equal
	}
	return Unequal
}
