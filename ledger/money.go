package ledger

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Micro is an amount of money in millionths of a currency unit. The currency stands beside it, never
// inside it; there are no floats and no rounding anywhere in the books.
type Micro int64

const microDigits = 6

// ErrMoney says why a text is not an amount.
var ErrMoney = errors.New("not an amount with at most six decimals")

// ParseMicro reads a decimal amount such as "0.0120". More than six decimals is an error, never rounded.
func ParseMicro(s string) (Micro, error) {
	t, neg := strings.CutPrefix(s, "-")
	whole, frac, point := strings.Cut(t, ".")
	if whole == "" || point && frac == "" || len(frac) > microDigits || !digits(whole) || !digits(frac) {
		return 0, fmt.Errorf("%q: %w", s, ErrMoney)
	}
	for len(frac) < microDigits {
		frac += "0"
	}
	v, err := strconv.ParseUint(whole+frac, 10, 64)
	if err != nil || v > math.MaxInt64 {
		return 0, fmt.Errorf("%q: %w", s, ErrMoney)
	}
	if neg {
		return -Micro(v), nil
	}
	return Micro(v), nil
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// String writes the amount with all six decimals.
func (m Micro) String() string {
	sign, v := "", uint64(m)
	if m < 0 {
		sign, v = "-", uint64(-m)
	}
	return fmt.Sprintf("%s%d.%06d", sign, v/1_000_000, v%1_000_000)
}
