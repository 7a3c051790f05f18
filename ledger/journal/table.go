package journal

// table is a deque of fixed chunks addressed by index, so that a lane with a million entries costs a few
// thousand pointers to the collector, and none for evicted blocks.
type table struct {
	base     uint64 // number of chunks[0]: index / chunkLen
	chunks   []*chunk
	spare    *chunk // last one dropped, to be used next
	resident int64
}

const chunkLen = 256

type chunk struct {
	terms    [chunkLen]uint64
	sizes    [chunkLen]uint32
	messages [chunkLen]uint32
	kinds    [chunkLen]uint8
	blocks   int // entries of data that are not nil
	data     *[chunkLen][]byte
}

func (t *table) at(i uint64) (*chunk, int) { return t.chunks[i/chunkLen-t.base], int(i % chunkLen) }

// put sets entry e, which is at most one behind the last.
func (t *table) put(e *Entry, resident bool) {
	if e.Index/chunkLen-t.base == uint64(len(t.chunks)) {
		if n := len(t.chunks); n > 0 {
			t.chunks[n-1].trim()
		}
		t.chunks = append(t.chunks, t.newChunk())
	}
	c, s := t.at(e.Index)
	c.terms[s], c.sizes[s], c.messages[s], c.kinds[s] = e.Term, uint32(len(e.Data)), e.messages(), e.Kind
	if !resident || len(e.Data) == 0 {
		return
	}
	if c.data == nil {
		c.data = new([chunkLen][]byte)
	}
	c.data[s] = e.Data
	c.blocks++
	t.resident += int64(len(e.Data))
}

func (t *table) newChunk() *chunk {
	if c := t.spare; c != nil {
		t.spare = nil
		return c
	}
	return new(chunk)
}

// entry returns entry i if its bytes are resident (or there are none).
func (t *table) entry(i uint64) (Entry, bool) {
	c, s := t.at(i)
	e := Entry{Index: i, Term: c.terms[s], Kind: c.kinds[s]}
	if c.sizes[s] == 0 {
		return e, true
	}
	if c.data == nil || c.data[s] == nil {
		return e, false
	}
	e.Data = c.data[s]
	return e, true
}

// trim gives a chunk's pointers back once no block hangs on them.
func (c *chunk) trim() {
	if c.blocks == 0 {
		c.data = nil
	}
}

// forget lets the bytes of entry i go.
func (t *table) forget(i uint64) {
	c, s := t.at(i)
	if c.data == nil || c.data[s] == nil {
		return
	}
	t.resident -= int64(len(c.data[s]))
	c.data[s] = nil
	c.blocks--
	if c != t.chunks[len(t.chunks)-1] { // the last is about to be filled further
		c.trim()
	}
}

// dropChunks forgets the chunks that lie wholly below index first.
func (t *table) dropChunks(first uint64) {
	for len(t.chunks) > 0 && t.base < first/chunkLen {
		t.spare = t.chunks[0]
		t.spare.trim()
		t.chunks[0] = nil
		t.chunks = t.chunks[1:]
		t.base++
	}
	if len(t.chunks) == 0 {
		t.base = first / chunkLen
	}
}
