package router

// Number is an international number, E.164 digits without a sign; 0 is none.
type Number uint64

// Normalize reads an address as an international number.
func Normalize(addr []byte, ton, npi uint8, country string) (Number, bool) { return 0, false }

// Append writes the digits.
func (n Number) Append(dst []byte) []byte { return dst }

func (n Number) String() string { return string(n.Append(nil)) }

// Digits counts them.
func (n Number) Digits() int { return 0 }
