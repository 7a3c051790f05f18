package pdu

import (
	"math/rand/v2"
	"testing"
	"time"
)

func at(s string) int64 {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t.UnixNano()
}

func TestParseTime(t *testing.T) {
	now := at("2026-11-23T12:00:00Z")
	for in, want := range map[string]int64{
		"":                 0,
		"261123120000004+": at("2026-11-23T11:00:00Z"), // an hour ahead of UTC
		"261123120000004-": at("2026-11-23T13:00:00Z"),
		"261123120000900+": at("2026-11-23T12:00:00.9Z"),
		"261123120000001+": at("2026-11-23T11:45:00Z"),
		"261123120000048-": at("2026-11-24T00:00:00Z"),
		"260101001500002+": at("2025-12-31T23:45:00Z"),
		"991231235959000+": at("1999-12-31T23:59:59Z"),
		"750101000000000+": at("2075-01-01T00:00:00Z"), // nearer than 1975
		"770101000000000+": at("1977-01-01T00:00:00Z"),
		"240229000000000+": at("2024-02-29T00:00:00Z"),
		"000002000000000R": at("2026-11-25T12:00:00Z"),
		"000000000030000R": at("2026-11-23T12:00:30Z"),
		"010203040506000R": at("2028-01-26T16:05:06Z"),
		"000000990000000R": at("2026-11-27T15:00:00Z"),
	} {
		if have, ok := ParseTime([]byte(in), now); !ok || have != want {
			t.Errorf("%q = %v %v, want %v", in, time.Unix(0, have).UTC(), ok, time.Unix(0, want).UTC())
		}
	}
	for _, in := range []string{"0", "26112312000000+", "261123120000004", "261123120000004+0", "261123120000049+", "260023120000000+",
		"261323120000000+", "261100120000000+", "260431120000000+", "261123240000000+", "261123126000000+", "261123120060000+",
		"26112312000000a+", "261123120000000r", "261123120000000 ", "261123120000000"} {
		if have, ok := ParseTime([]byte(in), now); ok {
			t.Errorf("%q is taken as %v", in, time.Unix(0, have).UTC())
		}
	}
}

func TestTimeRoundTrips(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		now := r.Int64N(int64(60 * 365 * 24 * time.Hour))
		d := time.Duration(r.Int64N(int64(99*24*time.Hour))) + time.Second
		have, ok := ParseTime(AppendTimeRelative(nil, d), now)
		if want := now + int64(d.Truncate(time.Second)); !ok || have != want {
			t.Fatalf("%v from %d: %d, want %d", d, now, have, want)
		}
		tenth := now - now%int64(100*time.Millisecond)
		if have, ok := ParseTime(AppendTimeAbsolute(nil, now), now); !ok || have != tenth {
			t.Fatalf("absolute %d: %d", tenth, have)
		}
	}
	for d, want := range map[time.Duration]string{-time.Hour: "000000000001000R", 0: "000000000001000R", 1500 * time.Millisecond: "000000000001000R",
		48 * time.Hour: "000002000000000R", 1000 * 24 * time.Hour: "000099235959000R"} {
		if have := string(AppendTimeRelative(nil, d)); have != want {
			t.Errorf("%v = %s, want %s", d, have, want)
		}
	}
}

func TestParseDate(t *testing.T) {
	for in, want := range map[string]int64{
		"":                 0,
		"2611231200":       at("2026-11-23T12:00:00Z"),
		"261123120030":     at("2026-11-23T12:00:30Z"),
		"20261123120030":   at("2026-11-23T12:00:30Z"),
		"261123120030250":  at("2026-11-23T12:00:30.25Z"),
		"180711070003912+": at("2018-07-11T04:00:03.9Z"),
		"1702281424":       at("2017-02-28T14:24:00Z"), // not unix seconds
		"9912312359":       at("1999-12-31T23:59:00Z"),
		"0000000000":       0, "000000000000": 0, "00000000000000": 0, "000000000000000+": 0,
		"26112312": 0, "2613231200": 0, "261123120": 0, "26112312000": 0, "2611231200303": 0, "21001123120030": 0,
		"261123-120": 0, "garbage": 0, "000002000000000R": 0,
	} {
		if have := ParseDate([]byte(in)); have != want {
			t.Errorf("%q = %v, want %v", in, time.Unix(0, have).UTC(), time.Unix(0, want).UTC())
		}
	}
}
