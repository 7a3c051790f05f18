package text

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

func TestGSM7Table(t *testing.T) {
	seen := map[rune]bool{}
	for i, r := range basic {
		if seen[r] {
			t.Errorf("%q stands twice", r)
		}
		seen[r] = true
		if i == escape {
			continue
		}
		if s := string(DecodeGSM7(nil, []byte{byte(i)})); s != string(r) {
			t.Errorf("%#x decodes to %q", i, s)
		}
	}
	for in, want := range map[string]string{
		"@£$¥èéùìòÇ\nØø\rÅå": "000102030405060708090a0b0c0d0e0f",
		"Δ_ΦΓΛΩΠΨΣΘΞÆæßÉ":    "101112131415161718191a1c1d1e1f",
		"¤¡ÄÖÑÜ§¿äöñüà":      "24405b5c5d5e5f607b7c7d7e7f",
		"Az09 ~":             "417a3039201b3d",
		"\f^{}\\[~]|€":       "1b0a1b141b281b291b2f1b3c1b3d1b3e1b401b65",
		"":                   "",
	} {
		have, ok := EncodeGSM7(nil, in)
		if !ok || hex.EncodeToString(have) != want {
			t.Errorf("%q = %x %v, want %s", in, have, ok, want)
		}
		if n, ok := GSM7Len(in); !ok || n != len(have) {
			t.Errorf("%q takes %d, said %d", in, len(have), n)
		}
		if back := string(DecodeGSM7(nil, have)); back != in {
			t.Errorf("%q reads back as %q", in, back)
		}
	}
	for _, in := range []string{"ç", "`", "á", "“", "–", "😀", "a\x1bb", "\xff"} {
		if have, ok := EncodeGSM7([]byte("x"), in); ok || string(have) != "x" {
			t.Errorf("%q is taken: %x", in, have)
		}
		if _, ok := GSM7Len(in); ok {
			t.Errorf("%q has a length", in)
		}
	}
	for in, want := range map[string]string{"\x1b": "", "a\x1b": "a", "\x1ba": "a", "\x1b\x1b\x65": "€", "\x80": "\uFFFD"} {
		if have := string(DecodeGSM7(nil, []byte(in))); have != want {
			t.Errorf("%x decodes to %q, want %q", in, have, want)
		}
	}
}

func TestUCS2(t *testing.T) {
	for in, want := range map[string]string{
		"00610062": "ab", "feff00610062": "ab", "fffe61006200": "ab", "d83dde00": "😀", "fffe3dd800de": "😀",
		"d83d0061": "\uFFFDa", "de000061": "\uFFFDa", "d83d": "\uFFFD", "006100": "a\uFFFD", "": "",
	} {
		b, _ := hex.DecodeString(in)
		if have := string(DecodeUCS2(nil, b)); have != want {
			t.Errorf("%s = %q, want %q", in, have, want)
		}
	}
	if have := EncodeUCS2(nil, "a😀\xff"); hex.EncodeToString(have) != "0061d83dde00fffd" {
		t.Errorf("%x", have)
	}
}

// The vectors of encodings, kept with the PDUs' own.
func TestVectorAlphabets(t *testing.T) {
	b, err := os.ReadFile("../testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Vectors []struct{ ID, Kind, Encoding, Text, Hex string }
	}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, v := range all.Vectors {
		if v.Kind != "alphabet" {
			continue
		}
		n++
		b, _ := hex.DecodeString(v.Hex)
		have := ""
		switch v.Encoding {
		case "UCS2", "UTF16BE":
			if e := EncodeUCS2(nil, v.Text); !bytes.Equal(e, b) {
				t.Errorf("%s: encoded %x", v.ID, e)
			}
			have = string(DecodeUCS2(nil, b))
		case "UTF16BEM", "UTF16LEM":
			have = string(DecodeUCS2(nil, b))
		case "LATIN1":
			have = string(DecodeLatin1(nil, b))
		case "UTF16LE": // cannot be told without a mark: the same with one
			have = string(DecodeUCS2(nil, append([]byte{0xFF, 0xFE}, b...)))
		case "CYRILLIC": // passed on, not read
			if _, ok := Decode(nil, 6, b); ok {
				t.Errorf("%s: decoded", v.ID)
			}
			continue
		default:
			t.Errorf("%s: encoding %s is not tested", v.ID, v.Encoding)
		}
		if have != v.Text {
			t.Errorf("%s: %q, want %q", v.ID, have, v.Text)
		}
	}
	if n == 0 {
		t.Error("no vectors of alphabets")
	}
}

func TestAlphabetOf(t *testing.T) {
	for coding, want := range map[uint8]Alphabet{0: GSM7, 1: GSM7, 2: Octets, 3: Latin1, 4: Octets, 5: Octets, 6: Local, 7: Local, 8: UCS2,
		0x0D: Octets, 0x10: GSM7, 0x11: GSM7, 0x14: Octets, 0x18: UCS2, 0x90: Octets, 0xC8: GSM7, 0xD0: GSM7, 0xE0: UCS2,
		0xF0: GSM7, 0xF1: GSM7, 0xF2: GSM7, 0xF4: Octets} {
		if have := AlphabetOf(coding); have != want {
			t.Errorf("%#x: %d, want %d", coding, have, want)
		}
	}
	for coding, in := range map[uint8]string{0: "\x00", 3: "@", 8: "\x00@"} {
		if s, ok := Decode(nil, coding, []byte(in)); !ok || string(s) != "@" {
			t.Errorf("%d: %q", coding, s)
		}
	}
	if _, ok := Decode(nil, 4, []byte("x")); ok {
		t.Error("binary has text")
	}
}

func TestParts(t *testing.T) {
	s := strings.Repeat
	const concat8, concat16, ports = "\x05\x00\x03\x01\x02\x01", "\x06\x08\x04\x00\x01\x02\x01", "\x06\x05\x04\x0b\x84\x23\xf0"
	for name, c := range map[string]struct {
		coding, esm uint8
		data        string
		want        int
	}{
		"empty":                {0, 0, "", 1},
		"gsm 160":              {0, 0, s("a", 160), 1},
		"gsm 161":              {0, 0, s("a", 161), 2},
		"gsm 306":              {1, 0, s("a", 306), 2},
		"gsm 307":              {1, 0, s("a", 307), 3},
		"gsm escape not split": {0, 0, s("a", 152) + "\x1be" + s("a", 152), 3},
		"gsm escape fits":      {0, 0, s("a", 151) + "\x1be" + s("a", 153), 2},
		"gsm all euros":        {0, 0, s("\x1be", 80), 1},
		"gsm 81 euros":         {0, 0, s("\x1be", 81), 2},
		"gsm 153 euros":        {0, 0, s("\x1be", 153), 3}, // 76 to a part
		"gsm large":            {0, 0, s("a", 65535), 429},
		"ucs2 70":              {8, 0, s("\x04a", 70), 1},
		"ucs2 71":              {8, 0, s("\x04a", 71), 2},
		"ucs2 134":             {8, 0, s("\x04a", 134), 2},
		"ucs2 135":             {8, 0, s("\x04a", 135), 3},
		"ucs2 pair not split":  {8, 0, s("\x04a", 66) + "\xd8\x3d\xde\x00" + s("\x04a", 66), 3},
		"ucs2 pair fits":       {8, 0, s("\x04a", 65) + "\xd8\x3d\xde\x00" + s("\x04a", 67), 2},
		"ucs2 odd":             {8, 0, s("\x04a", 70) + "x", 2},
		"binary 140":           {4, 0, s("\x1b", 140), 1},
		"binary 141":           {4, 0, s("\x1b", 141), 2},
		"binary 268":           {2, 0, s("\x1b", 268), 2},
		"binary 269":           {2, 0, s("\x1b", 269), 3},
		"latin1 160":           {3, 0, s("a", 160), 1},
		"latin1 brackets":      {3, 0, s("[", 81), 2},
		"latin1 á 70":          {3, 0, s("\xe1", 70), 1},
		"latin1 á 71":          {3, 0, s("\xe1", 71), 2},
		"cyrillic 71":          {6, 0, s("\xb0", 71), 2},
		"cyrillic ascii":       {6, 0, s("a", 160), 1},
		"flash ucs2 71":        {0x18, 0, s("\x04a", 71), 2},
		"part gsm":             {0, 0x40, concat8 + s("a", 153), 1},
		"part gsm 16":          {0, 0x40, concat16 + s("a", 152), 1},
		"part ucs2":            {8, 0x40, concat8 + s("\x04a", 67), 1},
		"part binary":          {4, 0x40, concat8 + s("x", 134), 1},
		"part too large":       {0, 0x40, concat8 + s("a", 154), 2},
		"ports":                {4, 0x40, ports + s("x", 133), 1},
		"ports, two parts":     {4, 0x40, ports + s("x", 134), 2}, // 128 to a part
		"ports, three parts":   {4, 0x40, ports + s("x", 257), 3},
		"header fills it":      {4, 0x40, "\x8a\x05\x88" + s("x", 136) + s("y", 10), 5},
		"broken header":        {0, 0x40, "\x50" + s("a", 30), 1},
	} {
		if have := Parts(c.coding, c.esm, []byte(c.data)); have != c.want {
			t.Errorf("%s: %d, want %d", name, have, c.want)
		}
	}
}

func TestPartsDoesNotAllocate(t *testing.T) {
	long := []byte(strings.Repeat("a", 300))
	if n := testing.AllocsPerRun(100, func() { Parts(0, 0, long); Parts(8, 0, long); Parts(3, 0, long) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever the bytes: at least one part, no more than the octets could fill, and more data is never fewer parts.
func FuzzParts(f *testing.F) {
	f.Add(uint8(0), uint8(0x40), []byte("\x05\x00\x03\x01\x02\x01hello"))
	f.Add(uint8(8), uint8(0), bytes.Repeat([]byte{0xD8, 0x3D, 0xDE, 0}, 60))
	f.Add(uint8(0), uint8(0), bytes.Repeat([]byte{escape}, 400))
	f.Fuzz(func(t *testing.T, coding, esm uint8, data []byte) {
		n := Parts(coding, esm, data)
		if n < 1 || n > 1+len(data) {
			t.Fatalf("%d parts of %d octets", n, len(data))
		}
		if a := AlphabetOf(coding); a <= UCS2 && len(data)%2 == 0 && len(data) > 0 && esm&0x40 == 0 && Parts(coding, esm, data[:len(data)-2]) > n {
			t.Fatalf("less text, more parts")
		}
		Decode(nil, coding, data)
	})
}

// What can be written in an alphabet reads back.
func FuzzRoundTrip(f *testing.F) {
	f.Add("Hello {€}")
	f.Add("😀")
	f.Fuzz(func(t *testing.T, s string) {
		if g, ok := EncodeGSM7(nil, s); ok && string(DecodeGSM7(nil, g)) != s {
			t.Fatalf("GSM: %q became %x", s, g)
		}
		u := EncodeUCS2(nil, s)
		if utf8.ValidString(s) && !strings.HasPrefix(s, "\uFEFF") && !strings.HasPrefix(s, "\uFFFE") && string(DecodeUCS2(nil, u)) != s {
			t.Fatalf("UCS-2: %q became %x", s, u)
		}
		if len(u) != 2*len(utf16.Encode([]rune(s))) {
			t.Fatalf("UCS-2: %q has %d octets", s, len(u))
		}
	})
}

func BenchmarkParts(b *testing.B) {
	short, long := []byte(strings.Repeat("a", 100)), []byte(strings.Repeat("a", 300))
	for b.Loop() {
		Parts(0, 0, short)
		Parts(0, 0, long)
	}
}
