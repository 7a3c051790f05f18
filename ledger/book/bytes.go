package book

import "encoding/binary"

var (
	le = binary.LittleEndian
	be = binary.BigEndian // keys
)

// reader walks stored bytes; one that ends early turns bad and stays so.
type reader struct {
	b   []byte
	bad bool
}

var zeros [8]byte

// take hands out n octets; fixed-size fields of bytes that end early read as zero.
func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return zeros[:min(n, len(zeros))]
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) u8() uint8   { return r.take(1)[0] }
func (r *reader) u16() uint16 { return le.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return le.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return le.Uint64(r.take(8)) }

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// bytes reads a string of at most 255 octets behind its length.
func (r *reader) bytes() []byte {
	n := int(r.u8())
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	return r.take(n)
}

func appendBytes(b, v []byte) []byte {
	if len(v) > 255 {
		v = v[:255]
	}
	b = append(b, byte(len(v)))
	return append(b, v...)
}
