package profile

import "bytes"

// A loose key is the same for an answer's id and for every way in which a receipt may have written it: it finds the
// orphans that an answer may be about. What it finds has to be resolved.

// AnswerKey appends the loose key of an answer's id.
func (l *Learner) AnswerKey(dst, id []byte) []byte {
	return appendLoose(dst, bytes.TrimPrefix(id, []byte(l.set.AnswerPrefix)))
}

// ReceiptKeys are the loose keys of the answers that a receipt's id may stand for: as it is, and as a number in the
// other base.
func (l *Learner) ReceiptKeys(id []byte) []string {
	id = l.bare(id)
	if len(id) == 0 || len(id) > maxID {
		return nil
	}
	keys := []string{string(appendLoose(nil, id))}
	for _, b := range [...][2]Base{{Decimal, Hex}, {Hex, Decimal}} {
		if v, ok := convert(nil, id, b[0], b[1]); ok && string(v) != keys[0] {
			keys = append(keys, string(v))
		}
	}
	return keys
}

func appendLoose(dst, id []byte) []byte {
	for _, c := range stripZeros(id) {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}
