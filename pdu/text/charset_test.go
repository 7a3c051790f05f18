package text

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"unicode/utf8"
)

var charsets = []Charset{Unpacked, Packed, ASCII, ISO88591, UTF8, UTF16BE, UTF16LE, UTF16Mark}

// randomText draws from what each charset has and what none but Unicode has.
func randomText(r *rand.Rand, n int) []byte {
	var s []byte
	pools := [][2]rune{{' ', '~'}, {0xA1, 0xFF}, {0x391, 0x3A9}, {0x4E00, 0x9FFF}, {0x1F300, 0x1F64F}, {0x20, 0xD7FF}}
	pool := pools[r.IntN(len(pools))]
	for range n {
		if r.IntN(20) == 0 {
			pool = pools[r.IntN(len(pools))]
		}
		s = utf8.AppendRune(s, pool[0]+r.Int32N(pool[1]-pool[0]+1))
	}
	return s
}

// What a charset can write reads back the same, code point by code point, behind any header.
func TestCharsetsAreLossless(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 7))
	wrote := map[Charset]int{}
	for range 20000 {
		s, udh := randomText(r, r.IntN(170)), []int{0, 6, 7, 12}[r.IntN(4)]
		if r.IntN(3) == 0 {
			s = DecodeGSM7(nil, bytes.Map(func(c rune) rune { return c & 0x7F }, s))
		}
		s = bytes.TrimRight(s, "\r") // packed, a return at the very end may be filling
		for _, c := range charsets {
			b, ok := c.Encode([]byte("x"), s, udh)
			if !ok {
				if string(b) != "x" || c >= UTF8 {
					t.Fatalf("charset %d cannot write %q: %x", c, s, b)
				}
				continue
			}
			wrote[c]++
			back, ok := c.Decode([]byte("y"), b[1:], udh)
			if !ok || !bytes.Equal(back[1:], s) {
				t.Fatalf("charset %d behind %d octets: %q reads back as %q, %v (%x)", c, udh, s, back[1:], ok, b[1:])
			}
		}
	}
	for _, c := range charsets {
		if wrote[c] < 500 {
			t.Errorf("charset %d wrote only %d texts", c, wrote[c])
		}
	}
}

func TestCharsetsRefuseWhatTheyAreNot(t *testing.T) {
	for _, c := range []struct {
		set  Charset
		data string
	}{{Unpacked, "\x80"}, {Unpacked, "a\x1b"}, {Unpacked, "\x1ba"}, {ASCII, "\xe9"}, {UTF8, "\xe9"}, {UTF16BE, "\x00a\x00"},
		{UTF16BE, "\xd8\x3d\x00a"}, {UTF16BE, "\xde\x00"}, {UTF16LE, "\x3d\xd8"}} {
		if s, ok := c.set.Decode([]byte("x"), []byte(c.data), 0); ok || string(s) != "x" {
			t.Errorf("charset %d takes %x as %q", c.set, c.data, s)
		}
	}
	for in, want := range map[string]string{"\xfe\xff\x00a": "a", "\xff\xfea\x00": "a", "\x00a": "a"} {
		if s, ok := UTF16BE.Decode(nil, []byte(in), 0); !ok || string(s) != want {
			t.Errorf("%x reads as %q", in, s)
		}
	}
}

func TestPackedAsPublished(t *testing.T) {
	for s, want := range map[string]string{"hellohello": "\xe8\x32\x9b\xfd\x46\x97\xd9\xec\x37", "1234567": "\x31\xd9\x8c\x56\xb3\xdd\x1a"} {
		if b, ok := Packed.Encode(nil, []byte(s), 0); !ok || string(b) != want {
			t.Errorf("%q packs to %x, want %x", s, b, want)
		}
	}
}
