package journal

import (
	"encoding/binary"
	"fmt"
)

// Kind is the first octet of every key: a kind is one span of the store.
type Kind uint8

const (
	storeKind Kind = 0 // the store's id and layout version; ours alone
	LaneMeta  Kind = 1 // see meta.go
	EntryKind Kind = 2 // lane, index: a raft entry
	Run       Kind = 3 // packed runs of queued messages
	Moved     Kind = 4 // messages moved out of the log
	Fold      Kind = 5 // state of the folds
	EDR       Kind = 6 // packs of event detail records
	EDRIndex  Kind = 7
	Orphan    Kind = 8 // receipts that fit no message
	Catalog   Kind = 9
	Seal      Kind = 10 // states of the folds at past indexes
	Skip      Kind = 11 // messages whose records end the process when folded
	Taken     Kind = 12 // texts of messages from carriers that clients took

	Staged Kind = 0xf0 // chunks of an import; kinds from the log up to here make up a lane
	Host   Kind = 0xf1 // what this host keeps for itself, and no other host gets: whom it forms a cluster with
)

const keyPrefix = 3 // kind u8, lane u16

var be = binary.BigEndian

// Key builds a key: the kind, the lane, then the parts, all big endian so that byte order is number order.
func Key(k Kind, lane uint16, parts ...uint64) []byte {
	return AppendKey(make([]byte, 0, keyPrefix+8*len(parts)), k, lane, parts...)
}

// AppendKey is Key into dst.
func AppendKey(dst []byte, k Kind, lane uint16, parts ...uint64) []byte {
	dst = append(dst, byte(k))
	dst = be.AppendUint16(dst, lane)
	for _, p := range parts {
		dst = be.AppendUint64(dst, p)
	}
	return dst
}

// LaneRange gives the bounds [lo, hi) of all keys of one kind and lane.
func LaneRange(k Kind, lane uint16) (lo, hi []byte) {
	lo = Key(k, lane)
	if lane == ^uint16(0) {
		return lo, []byte{byte(k) + 1}
	}
	return lo, Key(k, lane+1)
}

// kindRange gives the bounds of all keys of one kind.
func kindRange(k Kind) (lo, hi []byte) { return []byte{byte(k)}, []byte{byte(k) + 1} }

// parseKey reads the lane and the first number of a key that has exactly one.
func parseKey(key []byte) (lane uint16, n uint64, err error) {
	if len(key) != keyPrefix+8 {
		return 0, 0, fmt.Errorf("%w: key %x", ErrCorrupt, key)
	}
	return be.Uint16(key[1:]), be.Uint64(key[keyPrefix:]), nil
}
