package ledger

import "errors"

// MsgID names one accepted message for ever: 16 bits of lane, 48 bits of sequence. It is written as 16
// lower-case hex digits, well inside the 64 characters of SMPP 3.4 §5.2.23.
type MsgID uint64

const (
	idDigits = 16
	seqBits  = 48
	seqMask  = 1<<seqBits - 1
)

// ErrMsgID says that a text is not one of our message ids.
var ErrMsgID = errors.New("a message id is 16 hex digits")

// MakeMsgID joins a lane and a sequence; the sequence must fit 48 bits.
func MakeMsgID(lane uint16, seq uint64) MsgID {
	if seq > seqMask {
		panic("ledger: message sequence exceeds 48 bits")
	}
	return MsgID(uint64(lane)<<seqBits | seq)
}

// Lane is the raft group that owns the message.
func (id MsgID) Lane() uint16 { return uint16(id >> seqBits) }

// Seq is the message's number inside its lane.
func (id MsgID) Seq() uint64 { return uint64(id) & seqMask }

const hexDigits = "0123456789abcdef"

// Append writes the 16 digits.
func (id MsgID) Append(dst []byte) []byte {
	var d [idDigits]byte
	for i := idDigits - 1; i >= 0; i-- {
		d[i] = hexDigits[id&15]
		id >>= 4
	}
	return append(dst, d[:]...)
}

// AppendShort writes the low eight digits: a peer bound as SMPP 3.3 takes no longer id (SMPP 3.4 §1.8).
func (id MsgID) AppendShort(dst []byte) []byte {
	for shift := 28; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[id>>shift&15])
	}
	return dst
}

func (id MsgID) String() string { return string(id.Append(nil)) }

// ParseShortID reads what AppendShort wrote, or a peer made of it: at most eight hex digits, leading zeros or not.
func ParseShortID(s []byte) (low uint32, ok bool) {
	if len(s) == 0 || len(s) > idDigits/2 {
		return 0, false
	}
	var full [idDigits]byte
	for i := range full {
		full[i] = '0'
	}
	copy(full[idDigits-len(s):], s)
	id, err := ParseMsgID(full[:])
	return uint32(id), err == nil
}

// ParseMsgID reads 16 hex digits of either case.
func ParseMsgID[T string | []byte](s T) (MsgID, error) {
	if len(s) != idDigits {
		return 0, ErrMsgID
	}
	var id MsgID
	for i := range idDigits {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			id = id<<4 | MsgID(c-'0')
		case c >= 'a' && c <= 'f':
			id = id<<4 | MsgID(c-'a'+10)
		case c >= 'A' && c <= 'F':
			id = id<<4 | MsgID(c-'A'+10)
		default:
			return 0, ErrMsgID
		}
	}
	return id, nil
}
