package peer

import (
	"sync"
	"sync/atomic"

	"smsplane/pdu"
)

// What a client knows of a message, in the order it comes about. Throttled messages go back to unsent.
const (
	unsent     uint32 = iota
	sent              // written, no answer yet
	accepted          // answered status 0
	refused           // answered with an error that is final
	unanswered        // its connection ended first: never sent again, its fate is open
)

// entry is one message of a run. Fields are atomic because readers of several connections meet here.
type entry struct {
	due      atomic.Int64 // when it was to be sent the last time, unix ns
	state    atomic.Uint32
	receipts atomic.Uint32 // final ones that fit
	final    atomic.Uint32 // pdu.State of the first, plus 1
}

// book is what a client sent and was told, by index. Safe for many goroutines.
type book struct {
	run    uint32
	mu     sync.Mutex // makes chunks
	chunks [maxIndex / chunkLen]atomic.Pointer[[chunkLen]entry]
}

// at is the entry of message i, which is below maxIndex.
func (b *book) at(i uint32) *entry {
	c := b.chunks[i>>chunkBits].Load()
	if c == nil {
		c = b.grow(i)
	}
	return &c[i&chunkMask]
}

func (b *book) grow(i uint32) *[chunkLen]entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := &b.chunks[i>>chunkBits]
	if p.Load() == nil {
		p.Store(new([chunkLen]entry))
	}
	return p.Load()
}

// ended says whether a receipt told of a final state other than delivered.
func (e *entry) ended() bool {
	f := e.final.Load()
	return f != 0 && pdu.State(f-1) != pdu.StateDelivered
}
