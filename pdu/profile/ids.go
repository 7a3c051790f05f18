package profile

import "fmt"

// Base is what an id is a number in; Text is no number.
type Base uint8

const (
	Text Base = iota
	Decimal
	Hex
)

var baseNames = [...]string{"text", "decimal", "hex"}

func (b Base) String() string { return baseNames[b] }

// Case is that of an answer's letters.
type Case uint8

const (
	KeepCase Case = iota
	Lower
	Upper
)

var caseNames = [...]string{"", "lower", "upper"}

func (c Case) String() string { return caseNames[c] }

// asIs is the Width of a rule that leaves zeros in front alone.
const asIs = 0xFF

// Rule makes the id of an answer out of the id of a receipt.
type Rule struct {
	From, To Base  // how the receipt is read, how the answer is written; both Text when the number stays as it is
	Case     Case  // of the answer's letters
	Width    uint8 // digits that the answer has at least, with zeros in front; 0: none in front; asIs: as the receipt
}

// String writes "as the answer", "decimal for hex, upper case, 8 digits".
func (r Rule) String() string {
	if r == rules[0] {
		return "as the answer"
	}
	s := "as the answer but for zeros"
	switch {
	case r.From != r.To:
		s = fmt.Sprintf("%v for the answer's %v", r.From, r.To)
	case r.Width == asIs:
		s = "as the answer but for case"
	}
	if r.Case != KeepCase {
		s += ", the answer in " + r.Case.String() + " case"
	}
	if r.Width != asIs && r.Width > 0 {
		s += fmt.Sprintf(", of %d digits", r.Width)
	}
	return s
}

// Bounds of the ways that are tried: 64-bit numbers have at most 20 decimal and 16 hex digits.
const (
	maxDecimal = 20
	maxHex     = 16
	maxID      = 64 // message_id without its NUL (3.4 §5.2.23)

	// MaxDigits bounds IDs.Digits.
	MaxDigits = maxHex
)

// rules are all ways that are tried, simplest first: of two that explain all receipts the first is told.
var rules = func() []Rule {
	all := []Rule{{Width: asIs}, {Case: Lower, Width: asIs}, {Case: Upper, Width: asIs}}
	add := func(from, to Base, c Case, most int) {
		all = append(all, Rule{from, to, c, 0})
		for w := 2; w <= most; w++ {
			all = append(all, Rule{from, to, c, uint8(w)})
		}
	}
	add(Text, Text, KeepCase, maxDecimal)
	add(Text, Text, Lower, maxDecimal)
	add(Text, Text, Upper, maxDecimal)
	add(Decimal, Hex, Lower, maxHex)
	add(Decimal, Hex, Upper, maxHex)
	add(Hex, Decimal, KeepCase, maxDecimal)
	return all
}()

// core is the part of id that the rule keeps: cased, without zeros in front unless asIs, in the rule's base. It
// reports false for an id that cannot be read so.
func (r Rule) core(dst, id []byte) ([]byte, bool) {
	at := len(dst)
	switch {
	case len(id) == 0 || len(id) > maxID:
		return dst, false
	case r.From != r.To:
		var ok bool
		if dst, ok = convert(dst, id, r.From, r.To); !ok {
			return dst[:at], false
		}
	case r.Width != asIs:
		dst = append(dst, stripZeros(id)...)
	default:
		dst = append(dst, id...)
	}
	for i, c := range dst[at:] {
		switch {
		case r.Case == Lower && c >= 'A' && c <= 'Z', r.Case == Upper && c >= 'a' && c <= 'z':
			dst[at+i] = c ^ 0x20
		}
	}
	return dst, true
}

// Answer appends the id that the answer had if the receipt's is id; false when the rule cannot read it.
func (r Rule) Answer(dst, id []byte) ([]byte, bool) {
	var digits [2 * maxID]byte
	core, ok := r.core(digits[:0], id)
	if !ok {
		return dst, false
	}
	return pad(dst, core, r.Width), true
}

// pad appends core with zeros in front, up to width.
func pad(dst, core []byte, width uint8) []byte {
	if width != asIs {
		for n := int(width) - len(core); n > 0; n-- {
			dst = append(dst, '0')
		}
	}
	return append(dst, core...)
}

// stripZeros leaves the last digit.
func stripZeros(id []byte) []byte {
	for len(id) > 1 && id[0] == '0' {
		id = id[1:]
	}
	return id
}

// convert appends the number id in another base, of any length up to maxID; letters come out small.
func convert(dst, id []byte, from, to Base) ([]byte, bool) {
	var n [maxID]byte // digits in base from, most significant first
	base := [...]int{0, 10, 16}
	a, b := base[from], base[to]
	for i, c := range id {
		v := hexDigit(c)
		if v < 0 || v >= a {
			return dst, false
		}
		n[i] = byte(v)
	}
	at := len(dst)
	for left := n[:len(id)]; ; { // divide by b again and again: remainders are the digits, last first
		rest, any := 0, false
		for i, d := range left {
			rest = rest*a + int(d)
			left[i] = byte(rest / b)
			any = any || left[i] != 0
			rest %= b
		}
		dst = append(dst, "0123456789abcdef"[rest])
		if !any {
			break
		}
	}
	for i, j := at, len(dst)-1; i < j; i, j = i+1, j-1 {
		dst[i], dst[j] = dst[j], dst[i]
	}
	return dst, true
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// number reports whether id reads as one, in hex at most.
func number(id []byte) bool {
	for _, c := range id {
		if hexDigit(c) < 0 {
			return false
		}
	}
	return len(id) > 0
}

// IDs is what the catalog says about a link's ids. The zero IDs says nothing: they are learned.
type IDs struct {
	Set             bool
	Answer, Receipt Base
	Case            Case   // of the answer; KeepCase leaves it to be learned
	Digits          int    // of the answer, at least; 0 leaves it to be learned
	ReceiptPrefix   string // stands before the id in receipts
	AnswerPrefix    string // stands before the id in answers
}

// allows says that a rule is in line with what was said.
func (v *IDs) allows(r Rule) bool {
	switch {
	case !v.Set:
		return true
	case v.Answer != v.Receipt:
		if r.From != v.Receipt || r.To != v.Answer {
			return false
		}
	case r.From != r.To:
		return false
	}
	if v.Case != KeepCase && r.Case != v.Case {
		return false
	}
	return v.Digits == 0 || r.Width == uint8(v.Digits)
}
