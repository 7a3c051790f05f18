package peer

import (
	"bytes"
	"strconv"
)

// tagLen is the length of "m:" and 16 hex digits.
const tagLen = 18

const hexDigits = "0123456789abcdef"

// putTag writes run and index over the first tagLen octets of p.
func putTag(p []byte, run, index uint32) {
	p[0], p[1] = 'm', ':'
	v := uint64(run)<<32 | uint64(index)
	for i := tagLen - 1; i >= 2; i-- {
		p[i] = hexDigits[v&15]
		v >>= 4
	}
}

// findTag reads the first tag in a message's user data.
func findTag(text []byte) (run, index uint32, ok bool) {
	for {
		at := bytes.Index(text, []byte("m:"))
		if at < 0 || len(text)-at < tagLen {
			return 0, 0, false
		}
		if v, ok := hex16(text[at+2 : at+tagLen]); ok {
			return uint32(v >> 32), uint32(v), true
		}
		text = text[at+2:]
	}
}

func hex16(b []byte) (v uint64, ok bool) {
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// runName is how a run number appears in reports.
func runName(run uint32) string {
	s := strconv.FormatUint(uint64(run), 16)
	return "00000000"[len(s):] + s
}
