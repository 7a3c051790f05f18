package ledger

import (
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
)

// A block is a batch of records, sealed with a checksum. Layout, little endian:
//
//	0 magic u32   4 version u8, 3 zero   8 records u32   12 length u32 (header included)
//	16 crc32c u32 over everything else   20 lane u16, 2 zero   24 cut at, unix ns i64
const (
	BlockHeader  = 32
	blockMagic   = 0x314B4253 // "SBK1"
	blockVersion = 1
)

// ErrBlock says that bytes are not a whole, undamaged block.
var ErrBlock = errors.New("damaged block")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// OpenBlock starts a block in b[:0]; records are appended behind it and counted by the caller.
func OpenBlock(b []byte) []byte { return append(b[:0], make([]byte, BlockHeader)...) }

// SealBlock fills the header in. The block is immutable from here on: raft, the journal and the
// transport alias it.
func SealBlock(b []byte, lane uint16, records int, now int64) []byte {
	le.PutUint32(b, blockMagic)
	b[4] = blockVersion
	le.PutUint32(b[8:], uint32(records))
	le.PutUint32(b[12:], uint32(len(b)))
	le.PutUint16(b[20:], lane)
	le.PutUint64(b[24:], uint64(now))
	le.PutUint32(b[16:], blockSum(b))
	return b
}

// blockSum covers the header too: a wrong count of records must be found before the first is folded.
func blockSum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:16], castagnoli), castagnoli, b[20:])
}

// CheckBlock verifies length and checksum. The journal checks what it reads back from disk; a block that
// never left memory is not checked again.
func CheckBlock(b []byte) error {
	switch {
	case len(b) < BlockHeader || le.Uint32(b) != blockMagic || b[4] != blockVersion:
		return fmt.Errorf("%w: no block header", ErrBlock)
	case int(le.Uint32(b[12:])) != len(b):
		return fmt.Errorf("%w: length %d, have %d", ErrBlock, le.Uint32(b[12:]), len(b))
	case le.Uint32(b[16:]) != blockSum(b):
		return fmt.Errorf("%w: checksum", ErrBlock)
	}
	return nil
}

// BlockLane and BlockRecords read the header of a sealed block.
func BlockLane(b []byte) uint16 { return le.Uint16(b[20:]) }
func BlockRecords(b []byte) int { return int(le.Uint32(b[8:])) }

// BlockAt is when a sealed block was cut, unix nanoseconds.
func BlockAt(b []byte) int64 { return int64(le.Uint64(b[24:])) }

// Walk hands every record of a sealed block to f, in order. The view is reused between calls.
func Walk(b []byte, f func(r *Record) error) error {
	if len(b) < BlockHeader {
		return ErrBlock
	}
	var r Record
	at := BlockHeader
	for n := BlockRecords(b); n > 0; n-- {
		if len(b)-at < recordHeader {
			return fmt.Errorf("%w: %d records missing", ErrBlock, n)
		}
		h := b[at:]
		size := int(le.Uint32(h))
		if size < recordHeader || size > len(h) {
			return fmt.Errorf("%w: record of %d octets", ErrBlock, size)
		}
		if h[4] == 0 || Kind(h[4]) >= kindEnd || h[5] != recordVersion {
			return fmt.Errorf("%w: record kind %d version %d is not known to this build", ErrBlock, h[4], h[5])
		}
		r = Record{Kind: Kind(h[4]), Worker: h[6], Flags: h[7], ID: MsgID(le.Uint64(h[8:])), At: int64(le.Uint64(h[16:])),
			Body: h[recordHeader:size:size], Off: uint32(at + recordHeader)}
		if err := f(&r); err != nil {
			return err
		}
		at += size
	}
	if at != len(b) {
		return fmt.Errorf("%w: %d octets behind the last record", ErrBlock, len(b)-at)
	}
	return nil
}

// Ahead hands the ids of up to n records from offset at on to f, and returns the offset behind them. It checks
// nothing: Walk will, and f may only look.
func Ahead(b []byte, at uint32, n int, f func(id MsgID)) uint32 {
	for ; n > 0 && int(at)+recordHeader <= len(b); n-- {
		f(MsgID(le.Uint64(b[at+8:])))
		size := le.Uint32(b[at:])
		if size < recordHeader || size > uint32(len(b)) {
			return uint32(len(b))
		}
		at += size
	}
	return at
}

// EncodeFiles packs a catalog's files for a CATALOG record; DecodeFiles is its inverse.
func EncodeFiles(files map[string][]byte) []byte {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(files)) {
		b = le.AppendUint32(b, uint32(len(name)))
		b = append(b, name...)
		b = le.AppendUint32(b, uint32(len(files[name])))
		b = append(b, files[name]...)
	}
	return b
}

// DecodeFiles unpacks what EncodeFiles packed.
func DecodeFiles(b []byte) (map[string][]byte, error) {
	files := map[string][]byte{}
	d := reader{b: b}
	for len(d.b) > 0 && !d.bad {
		name := string(d.long())
		files[name] = slices.Clone(d.long())
	}
	if d.bad {
		return nil, fmt.Errorf("%w: catalog archive", ErrBlock)
	}
	return files, nil
}
