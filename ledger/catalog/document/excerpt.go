package document

import (
	"bytes"
	"regexp"
	"strings"
)

// maxExcerpt is how much of a line is shown, in octets.
const maxExcerpt = 120

// secret finds keys that hold one, however they are misspelt.
var secret = regexp.MustCompile(`(?i)(pas+w?o?r?d?|pwd|secret)\w*`)

// Lines gives the text of a file by line number, fit to be shown.
type Lines [][]byte

// SplitLines prepares the lines of a file.
func SplitLines(b []byte) Lines { return bytes.Split(b, []byte("\n")) }

// At is line n, from 1; empty outside the file. What follows a key that holds a secret is left out.
func (l Lines) At(n int) string {
	if n < 1 || n > len(l) {
		return ""
	}
	s := strings.ToValidUTF8(strings.TrimRight(string(l[n-1]), " \t\r"), "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if at := secret.FindStringIndex(s); at != nil {
		s = s[:at[1]] + "…"
	}
	if len(s) > maxExcerpt {
		s = strings.ToValidUTF8(s[:maxExcerpt], "") + "…"
	}
	return s
}
