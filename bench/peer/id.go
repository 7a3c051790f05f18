package peer

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// idForm is how a carrier writes the ids it gives.
type idForm uint8

const (
	idDecimal idForm = iota
	idHex
	idUUID
)

var idForms = map[string]idForm{"decimal": idDecimal, "hex": idHex, "uuid": idUUID}

// appendID writes an id. The forms are distinct for distinct ids; a UUID's octets are the id twice, once scrambled, with
// version 4 and its variant set.
func appendID(dst []byte, form idForm, id uint64) []byte {
	switch form {
	case idHex:
		return strconv.AppendUint(dst, id, 16)
	case idUUID:
		return appendUUID(dst, id)
	}
	return strconv.AppendUint(dst, id, 10)
}

func appendUUID(dst []byte, id uint64) []byte {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], (id^id>>29)*0xBF58476D1CE4E5B9)
	binary.BigEndian.PutUint64(b[8:], id)
	b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80
	at := 0
	for i, n := range [...]int{4, 2, 2, 2, 6} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, b[at:at+n])
		at += n
	}
	return dst
}
