package ledger

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func TestParseMicro(t *testing.T) {
	for text, want := range map[string]Micro{
		"0": 0, "-0": 0, "1": 1e6, "0.0120": 12000, "0.000001": 1, "-0.000001": -1, "-1.5": -1500000, "007.10": 7100000,
		"9223372036854.775807": math.MaxInt64, "-9223372036854.775807": -math.MaxInt64,
	} {
		if got, err := ParseMicro(text); got != want || err != nil {
			t.Errorf("%q is %d (%v), want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-", ".", ".5", "5.", "+1", "--1", "1.0000000", "0.0000001", "1e3", "1,5", " 1", "1 ",
		"0x10", "1_000", "1.2.3", "1.-2", "٣", "9223372036854.775808", "99999999999999999999", "NaN"} {
		if got, err := ParseMicro(text); !errors.Is(err, ErrMoney) {
			t.Errorf("%q is %d (%v), want an error", text, got, err)
		}
	}
}

func TestMicroString(t *testing.T) {
	for m, want := range map[Micro]string{0: "0.000000", 1: "0.000001", -1: "-0.000001", 1500000: "1.500000",
		math.MaxInt64: "9223372036854.775807", math.MinInt64: "-9223372036854.775808"} {
		if got := m.String(); got != want {
			t.Errorf("%d is %s, want %s", int64(m), got, want)
		}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		m := Micro(int64(rng.Uint64()) >> rng.IntN(64))
		if m == math.MinInt64 { // the one amount that String can write and ParseMicro refuses
			continue
		}
		if got, err := ParseMicro(m.String()); got != m || err != nil {
			t.Fatalf("%d came back as %d (%v)", int64(m), int64(got), err)
		}
	}
}

func FuzzParseMicro(f *testing.F) {
	for _, s := range []string{"0.012", "-1", "1.0000000", "", "9223372036854.775807"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMicro(s)
		if err != nil {
			return
		}
		if again, err := ParseMicro(m.String()); again != m || err != nil {
			t.Fatalf("%q is %d, which comes back as %d (%v)", s, int64(m), int64(again), err)
		}
	})
}
