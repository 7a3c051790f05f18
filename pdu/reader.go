package pdu

import "encoding/binary"

// reader takes fields off a PDU one by one. The first trouble sticks in st; from then on every field reads as empty.
type reader struct {
	p  []byte
	at int
	st Status
}

func (r *reader) fail(st Status) {
	if r.st == ROK {
		r.st = st
	}
}

// str is a C-octet string without its NUL; limit counts the NUL.
func (r *reader) str(limit int, long Status) []byte {
	if r.st != ROK {
		return nil
	}
	next, st := skipString(r.p, r.at, limit, long)
	if st != ROK {
		r.st = st
		return nil
	}
	s := r.p[r.at : next-1 : next-1]
	r.at = next
	return s
}

// take is the next n octets.
func (r *reader) take(n int) []byte {
	if r.st != ROK || n > len(r.p)-r.at {
		r.fail(RInvMsgLen)
		return nil
	}
	b := r.p[r.at : r.at+n : r.at+n]
	r.at += n
	return b
}

func (r *reader) u8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// rest is everything not taken yet.
func (r *reader) rest() []byte {
	if r.st != ROK {
		return nil
	}
	return r.p[r.at:]
}
