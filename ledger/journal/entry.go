package journal

import (
	"errors"
	"fmt"
	"hash/crc32"

	"smsplane/ledger"
)

// ErrCorrupt says that what came from disk is not what was written. The text names lane and index.
var ErrCorrupt = errors.New("journal is damaged")

// Entry is one raft entry. Data of Kind 0 is a sealed ledger block or empty (a leader's first entry).
type Entry struct {
	Index, Term uint64
	Kind        uint8
	Data        []byte // immutable
}

// KindBlock is the Kind of entries whose data is a block.
const KindBlock = 0

// Block is what the entry is there for; nil for one of raft itself, also the empty one with which a leader begins.
func (e *Entry) Block() []byte {
	if e.Kind != KindBlock || len(e.Data) == 0 {
		return nil
	}
	return e.Data
}

// Vote is a lane's raft hard state.
type Vote struct{ Term, Voted, Commit uint64 }

// An entry's value: a fixed header, then the block's bytes as they are.
//
//	0 crc32c u32 over key, the rest of the header, and the data unless it is a block, which has its own
//	4 version u8   5 kind u8   6 two zero   8 term u64
const (
	entryHeader  = 16
	entryVersion = 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func putEntryHeader(v, key []byte, e *Entry) {
	v[4], v[5], v[6], v[7] = entryVersion, e.Kind, 0, 0
	be.PutUint64(v[8:], e.Term)
	be.PutUint32(v, entrySum(v, key, e.Kind, e.Data))
}

func entrySum(v, key []byte, kind uint8, data []byte) uint32 {
	sum := crc32.Update(0, castagnoli, key)
	sum = crc32.Update(sum, castagnoli, v[4:entryHeader])
	if kind != KindBlock {
		sum = crc32.Update(sum, castagnoli, data)
	}
	return sum
}

// parseEntry reads an entry's header and checks that it belongs to this key; the block inside is checked
// by checkData. Data aliases v.
func parseEntry(key, v []byte) (lane uint16, e Entry, err error) {
	lane, e.Index, err = parseKey(key)
	if err != nil {
		return 0, Entry{}, err
	}
	if len(v) < entryHeader || v[4] != entryVersion {
		return lane, e, damaged(lane, e.Index, "no entry header")
	}
	e.Kind, e.Term, e.Data = v[5], be.Uint64(v[8:]), v[entryHeader:]
	if be.Uint32(v) != entrySum(v, key, e.Kind, e.Data) {
		return lane, e, damaged(lane, e.Index, "entry header checksum")
	}
	return lane, e, nil
}

// checkData verifies the block inside an entry that came from disk.
func checkData(lane uint16, e *Entry) error {
	b := e.Block()
	if b == nil {
		return nil
	}
	if err := ledger.CheckBlock(b); err != nil {
		return damaged(lane, e.Index, err.Error())
	}
	return nil
}

func damaged(lane uint16, index uint64, what string) error {
	return fmt.Errorf("%w: lane %d index %d: %s", ErrCorrupt, lane, index, what)
}

// messages estimates how many messages an entry stands for, by its block's records.
func (e *Entry) messages() uint32 {
	if e.Kind != KindBlock || len(e.Data) < ledger.BlockHeader {
		return 0
	}
	return uint32(ledger.BlockRecords(e.Data))
}
