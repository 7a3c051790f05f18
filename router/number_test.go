package router

import (
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestNormalize(t *testing.T) {
	tests := []struct {
		addr     string
		ton, npi uint8
		country  string
		want     Number // 0: refused
	}{
		{"4915112345678", 1, 1, "", 4915112345678},
		{"4915112345678", 0, 0, "", 4915112345678},
		{"+4915112345678", 0, 0, "", 4915112345678},
		{"+4915112345678", 2, 1, "44", 4915112345678}, // the sign says more than the TON
		{"004915112345678", 0, 1, "", 4915112345678},
		{"004915112345678", 1, 1, "", 4915112345678},
		{"004915112345678", 2, 1, "44", 4915112345678},
		{"015112345678", 0, 0, "49", 4915112345678},
		{"015112345678", 2, 1, "49", 4915112345678},
		{"15112345678", 2, 1, "49", 4915112345678},
		{"15112345678", 4, 1, "49", 4915112345678},
		{"15112345678", 2, 8, "49", 4915112345678},
		{"4915112345678", 0, 1, "44", 4915112345678}, // without a trunk 0 it is international
		{"5551234567", 2, 1, "1", 15551234567},
		{"1", 1, 1, "", 1},
		{"123456789012345", 1, 1, "", 123456789012345},
		{"1234567890123456", 1, 1, "", 0},
		{"123456789012345", 2, 1, "49", 0}, // too long with the country
		{"+123456789012345", 1, 1, "", 123456789012345},
		{"", 1, 1, "", 0},
		{"", 2, 1, "49", 0},
		{"0", 0, 0, "49", 0},
		{"00", 0, 0, "49", 0},
		{"+", 0, 0, "49", 0},
		{"015112345678", 0, 0, "", 0}, // national, and nobody said of which country
		{"15112345678", 2, 1, "", 0},
		{"015112345678", 1, 1, "49", 0}, // said to be international
		{"+015112345678", 1, 1, "", 0},
		{"000491511", 0, 0, "", 0},
		{"49 151", 1, 1, "", 0},
		{"49-151", 1, 1, "", 0},
		{"++49151", 1, 1, "", 0},
		{"49151a", 1, 1, "", 0},
		{"Bank", 0, 0, "49", 0},
		{"Bank", 5, 0, "49", 0},
		{"4915112345678", 5, 0, "", 0}, // a name made of digits
		{"12345", 3, 0, "", 0},
		{"12345", 6, 0, "", 0},
		{"262011234567890", 1, 6, "", 0}, // an IMSI
		{"4915112345678", 1, 18, "", 0},
		{"4915112345678", 255, 1, "", 0},
	}
	for _, tt := range tests {
		n, ok := Normalize([]byte(tt.addr), tt.ton, tt.npi, tt.country)
		if ok != (tt.want != 0) || ok && n != tt.want {
			t.Errorf("%q ton %d npi %d country %q: %d %v, want %d", tt.addr, tt.ton, tt.npi, tt.country, n, ok, tt.want)
		}
	}
}

func TestNumberText(t *testing.T) {
	if s := Number(0).String(); s != "" {
		t.Errorf("no number is %q", s)
	}
	check := func(v uint64) {
		n, want := Number(v), strconv.FormatUint(v, 10)
		if n.String() != want || n.Digits() != len(want) {
			t.Errorf("%d: %s with %d digits", v, n, n.Digits())
		}
		for k := 1; k <= 6; k++ {
			if head := strconv.FormatUint(n.head(k), 10); head != want[:min(k, len(want))] {
				t.Errorf("the first %d digits of %d are %s", k, v, head)
			}
		}
	}
	for _, p := range pow10[:16] {
		check(p)
		check(p + 1)
		if p > 1 {
			check(p - 1)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		check(rng.Uint64N(pow10[1+rng.IntN(15)]-1) + 1)
	}
}

// Whatever form a number is sent in, it is the same number.
func FuzzNormalize(f *testing.F) {
	f.Add([]byte("015112345678"), uint8(0), uint8(0), uint16(49))
	f.Add([]byte("+4915112345678"), uint8(1), uint8(1), uint16(0))
	f.Fuzz(func(t *testing.T, addr []byte, ton, npi uint8, code uint16) {
		country := ""
		if code > 0 && code < 1000 {
			country = strconv.Itoa(int(code))
		}
		n, ok := Normalize(addr, ton, npi, country)
		if !ok {
			return
		}
		if d := n.Digits(); d < 1 || d > maxDigits {
			t.Fatalf("%q: %d digits", addr, d)
		}
		text := n.String()
		for _, form := range []string{text, "+" + text, "00" + text} {
			if again, ok := Normalize([]byte(form), 1, 1, country); !ok || again != n {
				t.Fatalf("%q is %d, but %q is %d %v", addr, n, form, again, ok)
			}
		}
	})
}

func TestNormalizeAllocatesNothing(t *testing.T) {
	addr := []byte("015112345678")
	if n := testing.AllocsPerRun(100, func() { Normalize(addr, 2, 1, "49") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
