package pdu

import (
	"encoding/binary"
	"strconv"
	"time"
)

// Receipt is a delivery receipt or an intermediate notification (3.4 §2.11, Appendix B). Slices alias the message it
// was read from.
type Receipt struct {
	ID                   []byte // as the carrier wrote it: hex, decimal, padded or not, a UUID
	State                State
	Stat                 []byte // the word in the text, nil when there is none: vendors have their own
	Err                  []byte // the text's err, else network_error_code's code in decimal
	NetworkType          uint8  // network_error_code's first octet, 0 = TLV absent
	NetworkCode          uint16
	SubmitDate, DoneDate int64 // unix ns, 0 = not told or unreadable
	Sub, Dlvrd           int   // -1 = not told
	Text                 []byte
}

// ParseReceipt reads r from m: TLVs first, and what they leave open from the text. It reports whether both an id and a
// state were found; r then says what became of which message. It does not ask esm_class: see IsReceipt and
// LooksLikeReceipt.
func ParseReceipt(m *Message, r *Receipt) bool {
	*r = Receipt{}
	haveState := r.readText(receiptText(m))
	Walk(m.TLVs(), func(t Tag, v []byte) bool {
		switch {
		case t == TagReceiptedMessageID:
			if id := receiptID(v); len(id) > 0 {
				r.ID = id
			}
		case t == TagMessageState && len(v) == 1 && v[0] < states:
			r.State, haveState = State(v[0]), true
		case t == TagNetworkErrorCode:
			r.readNetworkError(v)
		}
		return true
	})
	return len(r.ID) > 0 && haveState
}

// ParseReceiptTLVs reads r from the TLVs of m alone, and reports as ParseReceipt does.
func ParseReceiptTLVs(m *Message, r *Receipt) bool {
	id, ok := m.TLV(TagReceiptedMessageID)
	state, have := m.TLV(TagMessageState)
	if !ok || !have || len(receiptID(id)) == 0 || len(state) != 1 || state[0] >= states {
		*r = Receipt{}
		return false
	}
	return ParseReceipt(m, r) // they win over the text
}

// ReceiptText is the text of a receipt as octets of ASCII, whatever data_coding says. It aliases m unless m holds
// 16-bit units.
func ReceiptText(m *Message) []byte { return receiptText(m) }

// ParseReceiptText reads r from the text of a receipt alone, and reports as ParseReceipt does.
func ParseReceiptText(text []byte, r *Receipt) bool {
	*r = Receipt{}
	return r.readText(text) && len(r.ID) > 0
}

// readNetworkError takes network_error_code (3.4 §5.3.2.31): one octet of network type and a 16-bit code. Some carriers
// put three digits there instead.
func (r *Receipt) readNetworkError(v []byte) {
	if len(v) != 3 {
		return
	}
	if digits(v) {
		r.NetworkType, r.NetworkCode = 3, uint16(v[0]-'0')*100+uint16(pair(v[1:]))
	} else {
		r.NetworkType, r.NetworkCode = v[0], binary.BigEndian.Uint16(v[1:])
	}
	if len(r.Err) == 0 {
		r.Err = decimal(r.NetworkCode)
	}
}

// decimals is 000 to 999 side by side, so that the usual code is a slice of it.
var decimals = func() (d [3000]byte) {
	for i := range 1000 {
		appendCount(d[:3*i], i)
	}
	return d
}()

// decimal is n as text, at least three digits as in err. The result is shared and not to be written to.
func decimal(n uint16) []byte {
	if n < 1000 {
		return decimals[3*int(n) : 3*int(n)+3 : 3*int(n)+3]
	}
	return strconv.AppendUint(nil, uint64(n), 10)
}

// LooksLikeReceipt reports whether the text reads like a receipt although esm_class may not say so: some carriers
// leave it 0. An id and a stat must stand in the text.
func (m *Message) LooksLikeReceipt() bool {
	if m.command == SubmitSM {
		return false
	}
	var r Receipt
	t := receiptText(m)
	return len(t) > 3 && t[0]|0x20 == 'i' && t[1]|0x20 == 'd' && r.readText(t) && len(r.ID) > 0 && len(r.Stat) > 0
}

// receiptText is the user data as octets of ASCII. data_coding says nothing useful here: UCS-2 is declared over plain
// ASCII, and the reverse. Only octets that are 16-bit ASCII are unpacked, and only that allocates.
func receiptText(m *Message) []byte {
	b := m.UserData()
	if m.UDHI() {
		b = b[UDHLen(b):]
	}
	high, at := 0, 0 // where the high octet of a unit stands, where the text begins
	switch {
	case len(b) >= 4 && b[0] == 0xFF && b[1] == 0xFE && b[3] == 0:
		high, at = 1, 2
	case len(b) >= 4 && b[0] == 0xFE && b[1] == 0xFF && b[2] == 0:
		at = 2
	case len(b) < 6 || b[0]|b[2]|b[4] != 0:
		return b
	}
	narrow := make([]byte, 0, len(b)/2)
	for ; at+1 < len(b); at += 2 {
		c := b[at+1-high]
		if b[at+high] != 0 {
			c = '?'
		}
		narrow = append(narrow, c)
	}
	return narrow
}

// Sizes of the text layout (3.4 Appendix B).
const (
	receiptTextMax = 20
	receiptErrMax  = 8   // three there, more in the field
	receiptIDMax   = 128 // a message_id and what carriers put before it
	zeroDate       = "0000000000"
)

// AppendReceiptText writes the layout of 3.4 Appendix B:
//
//	id:ID sub:001 dlvrd:001 submit date:YYMMDDhhmm done date:YYMMDDhhmm stat:DELIVRD err:000 text:first 20 octets
//
// Dates are UTC. Counts not told are 000, a date not told is zeros, an empty Err is 000. Octets of Err and Text that are not
// printable ASCII become '?'; Err is cut after eight of them.
func AppendReceiptText(dst []byte, r *Receipt) []byte {
	dst = append(append(dst, "id:"...), r.ID...)
	dst = appendCount(append(dst, " sub:"...), r.Sub)
	dst = appendCount(append(dst, " dlvrd:"...), r.Dlvrd)
	dst = appendReceiptDate(append(dst, " submit date:"...), r.SubmitDate)
	dst = appendReceiptDate(append(dst, " done date:"...), r.DoneDate)
	dst = append(append(dst, " stat:"...), r.State.Text()...)
	dst = append(dst, " err:"...)
	if len(r.Err) == 0 {
		dst = append(dst, "000"...)
	}
	dst = append(appendPrintable(dst, r.Err, receiptErrMax), " text:"...)
	return appendPrintable(dst, r.Text, receiptTextMax)
}

// appendPrintable writes at most the first n octets of b.
func appendPrintable(dst, b []byte, n int) []byte {
	for _, c := range b[:min(len(b), n)] {
		if c < ' ' || c > '~' {
			c = '?'
		}
		dst = append(dst, c)
	}
	return dst
}

func appendCount(dst []byte, n int) []byte {
	n = min(max(n, 0), 999)
	return appendPair(append(dst, '0'+byte(n/100)), n%100)
}

func appendReceiptDate(dst []byte, at int64) []byte {
	if at == 0 {
		return append(dst, zeroDate...)
	}
	return appendDate(dst, time.Unix(0, at).UTC())
}
