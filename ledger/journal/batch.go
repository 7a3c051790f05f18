package journal

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// Batch is an ordered set of changes that becomes visible and durable as one. It is filled by one goroutine
// and given up with DB.Write; the journal reuses it.
type Batch struct {
	ops []byte // op u8, key length u32, value length u32, key, value
	n   int

	lane uint16 // with last: where the lane's entries end after this batch, which brings them
	last uint64
}

const (
	opSet      = 1
	opDelRange = 2
	opDelete   = 3
	opHeader   = 9
)

var batches = sync.Pool{New: func() any { return new(Batch) }}

// retainedBatch is the largest buffer kept for reuse, in bytes.
const retainedBatch = 1 << 20

// NewBatch returns an empty batch.
func NewBatch() *Batch { return batches.Get().(*Batch) }

// Set writes value under key. Both are copied.
func (b *Batch) Set(key, value []byte) { b.add(opSet, key, value) }

// Delete removes a key.
func (b *Batch) Delete(key []byte) { b.add(opDelete, key, nil) }

// DeleteRange removes the keys in [lo, hi), also those set earlier in this batch. Meant for whole
// segments: many small ranges are slower than leaving things where they are.
func (b *Batch) DeleteRange(lo, hi []byte) { b.add(opDelRange, lo, hi) }

func (b *Batch) add(op byte, key, value []byte) {
	b.ops = append(b.ops, op)
	b.ops = be.AppendUint32(b.ops, uint32(len(key)))
	b.ops = be.AppendUint32(b.ops, uint32(len(value)))
	b.ops = append(b.ops, key...)
	b.ops = append(b.ops, value...)
	b.n++
}

// Len is the number of changes, Size their bytes.
func (b *Batch) Len() int  { return b.n }
func (b *Batch) Size() int { return len(b.ops) }

// change makes one of the changes in a batch of Pebble.
func change(w *pebble.Batch, op byte, key, value []byte) error {
	switch op {
	case opDelete:
		return w.Delete(key, nil)
	case opDelRange:
		return w.DeleteRange(key, value, nil)
	}
	return w.Set(key, value, nil)
}

// each hands the changes over in order.
func (b *Batch) each(f func(op byte, key, value []byte) error) error {
	for ops := b.ops; len(ops) > 0; {
		k, v := int(be.Uint32(ops[1:])), int(be.Uint32(ops[5:]))
		body := ops[opHeader : opHeader+k+v]
		if err := f(ops[0], body[:k], body[k:]); err != nil {
			return err
		}
		ops = ops[opHeader+k+v:]
	}
	return nil
}

// Forget gives b up unwritten.
func (b *Batch) Forget() { b.release() }

func (b *Batch) release() {
	if cap(b.ops) > retainedBatch {
		b.ops = nil
	}
	b.ops, b.n, b.last = b.ops[:0], 0, 0
	batches.Put(b)
}
