package pdu

import "bytes"

// Receipt text in the wild. The specification calls its own layout typical and vendor-specific, and vendors took the
// hint: fields are missing, reordered, in other letter case, written submitdate: or Submit Date:, padded with NULs;
// stat loses its label; err is empty, long or not a number. So each key is looked for by itself, a value ends where
// the next key begins, and the first of two equal keys counts. Once id and stat are known, text: takes all that is
// left: it is the subscriber's text, and may look like anything.

// key is a field of receipt text.
type key uint8

const (
	keyNone key = iota // a word before a colon that we do not know
	keyID
	keySub
	keyDlvrd
	keySubmitDate
	keyDoneDate
	keyStat
	keyErr
	keyText
	keys
)

// keyNames in lower case; a blank stands for none, a blank or an underscore.
var keyNames = [keys]string{keyID: "id", keySub: "sub", keyDlvrd: "dlvrd", keySubmitDate: "submit date", keyDoneDate: "done date",
	keyStat: "stat", keyErr: "err", keyText: "text"}

// keysEnding is the keys by the letter they end with, letter case aside: no two of a row need telling apart further
// than by spelling them out.
var keysEnding = [32][2]key{'d' & 0x1F: {keyID, keyDlvrd}, 'b' & 0x1F: {keySub}, 'e' & 0x1F: {keySubmitDate, keyDoneDate},
	't' & 0x1F: {keyStat, keyText}, 'r' & 0x1F: {keyErr}}

// readText finds the fields of a receipt in b and reports whether it says a state.
func (r *Receipt) readText(b []byte) bool {
	var values [keys][]byte
	split(b, &values)
	r.ID = receiptID(values[keyID])
	r.Err = trim(values[keyErr])
	r.Text = bytes.TrimRight(values[keyText], "\x00")
	r.Sub, r.Dlvrd = count(values[keySub]), count(values[keyDlvrd])
	r.SubmitDate, r.DoneDate = ParseDate(first(values[keySubmitDate])), ParseDate(first(values[keyDoneDate]))
	if r.Stat = first(values[keyStat]); len(r.Stat) > 0 {
		r.State, _ = stateOf(r.Stat)
		return true
	}
	return r.bareState(&values)
}

// bareState looks for the word of a stat that lost its label and became the tail of the field before it.
func (r *Receipt) bareState(values *[keys][]byte) bool {
	for k, v := range values[:keyText] {
		v = trim(v)
		at := bytes.LastIndexByte(v, ' ')
		if at < 0 {
			continue
		}
		if s, ok := stateOf(v[at+1:]); ok {
			r.State, r.Stat = s, v[at+1:]
			if key(k) == keyID {
				r.ID = receiptID(v[:at])
			}
			return true
		}
	}
	return false
}

// split cuts b into values by key.
func split(b []byte, values *[keys][]byte) {
	open, from := keyNone, 0 // the field being read and where its value began
	seen := [keys]bool{keyNone: true}
	put := func(to int) {
		if from <= to && !seen[open] {
			values[open], seen[open] = b[from:to:to], true
		}
	}
	for i := 0; ; i++ {
		n := bytes.IndexByte(b[i:], ':')
		if n < 0 {
			break
		}
		i += n
		k, at := keyBefore(b[:i], from)
		if k == keyNone && (at < 0 || open == keyText) || k != keyNone && seen[k] && open == keyText {
			continue
		}
		put(at)
		open, from = k, i+1
		if k == keyText && seen[keyID] && seen[keyStat] {
			break
		}
	}
	put(len(b))
}

// keyBefore is the key that b, everything before a colon, ends with, and where it begins: not before from, and at the
// beginning or behind something that is no part of a word. at is -1 when there is no word with a blank before it.
func keyBefore(b []byte, from int) (k key, at int) {
	for len(b) > from && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	if len(b) > from {
		for _, k := range keysEnding[b[len(b)-1]&0x1F] {
			if at := endsWith(b[from:], keyNames[k]); k != keyNone && at >= 0 {
				return k, from + at
			}
		}
	}
	at = bytes.LastIndexByte(b[from:], ' ')
	if at < 0 || from+at+1 == len(b) {
		return keyNone, -1
	}
	return keyNone, from + at
}

// endsWith is where name begins at the end of b, -1 when b ends otherwise.
func endsWith(b []byte, name string) int {
	at := len(b)
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == ' ' {
			if at > 0 && (b[at-1] == ' ' || b[at-1] == '_') {
				at--
			}
			continue
		}
		if at == 0 || b[at-1]|0x20 != name[i] {
			return -1
		}
		at--
	}
	if at > 0 && wordOctet(b[at-1]) {
		return -1
	}
	return at
}

func wordOctet(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == '-'
}

// pad reports whether c is what senders pad or end values with.
func pad(c byte) bool {
	return c == ' ' || c == 0 || c == ',' || c == ';' || c == '\r' || c == '\n' || c == '\t'
}

// trim drops padding from both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && pad(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && pad(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// receiptID is an id without padding; empty when it is longer than any id is.
func receiptID(b []byte) []byte {
	if b = trim(b); len(b) > receiptIDMax {
		return nil
	}
	return b
}

// first is the first word of a value.
func first(b []byte) []byte {
	b = trim(b)
	for i, c := range b {
		if pad(c) {
			return b[:i]
		}
	}
	return b
}

// count reads sub and dlvrd; -1 when there is no number.
func count(b []byte) int {
	b = first(b)
	if len(b) == 0 || len(b) > 9 || !digits(b) {
		return -1
	}
	n := 0
	for _, c := range b {
		n = n*10 + int(c-'0')
	}
	return n
}

// stateWords are the words seen as stat, beyond those the specification lists: longer spellings, and the vendors' own.
var stateWords = [...]struct {
	word  string
	state State
}{
	{"DELIVRD", StateDelivered}, {"UNDELIV", StateUndeliverable}, {"EXPIRED", StateExpired}, {"REJECTD", StateRejected},
	{"ACCEPTD", StateAccepted}, {"ENROUTE", StateEnroute}, {"UNKNOWN", StateUnknown}, {"DELETED", StateDeleted},
	{"DELIVERED", StateDelivered}, {"UNDELIVERABLE", StateUndeliverable}, {"UNDELIVERED", StateUndeliverable},
	{"REJECTED", StateRejected}, {"ACCEPTED", StateAccepted}, {"EXPIRD", StateExpired},
	{"BUFFRED", StateEnroute}, {"BUFFERD", StateEnroute}, {"BUFFERED", StateEnroute}, {"ACKED", StateAccepted},
	{"SCHEDULED", StateScheduled}, {"SKIPPED", StateSkipped},
	{"FAILED", StateUndeliverable}, {"SYSERR", StateUndeliverable}, {"NOCRED", StateRejected},
}

// stateOf is the state a word stands for, in any letter case; a word nobody knows is StateUnknown, false.
func stateOf(b []byte) (State, bool) {
	for i := range stateWords {
		if equalFold(b, stateWords[i].word) {
			return stateWords[i].state, true
		}
	}
	return StateUnknown, false
}

// equalFold compares b with a word in capitals.
func equalFold(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if c&^0x20 != word[i] {
			return false
		}
	}
	return true
}
