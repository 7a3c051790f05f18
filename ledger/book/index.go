package book

// seqIndex finds the slot of a live message by its sequence. Sequences of a lane are given out one after the
// other, so the index is pages of plain slots: one load instead of a hash. A page that only a few old
// messages keep alive gives them to a map and goes, so that stragglers cost by the message, not by the page.
type seqIndex struct {
	base   uint64  // page number of pages[0]
	pages  []*page // nil where nothing lives any more
	sparse map[uint64]uint32
}

type page struct {
	n     int
	slots [pageSize]uint32
}

const (
	pageBits = 12
	pageSize = 1 << pageBits

	densePages = 64            // newest pages that stay as they are, however few live in them
	sparseFrom = pageSize / 32 // live messages below which an older page becomes map entries
	maxPages   = 1 << 20       // a jump in sequences beyond this goes to the map
)

func newSeqIndex() seqIndex { return seqIndex{sparse: map[uint64]uint32{}} }

func (x *seqIndex) page(seq uint64) *page {
	n := seq>>pageBits - x.base
	if n < uint64(len(x.pages)) {
		return x.pages[n]
	}
	return nil
}

func (x *seqIndex) get(seq uint64) (uint32, bool) {
	if p := x.page(seq); p != nil {
		if s := p.slots[seq&(pageSize-1)]; s != 0 {
			return s, true
		}
	}
	if len(x.sparse) == 0 {
		return 0, false
	}
	s, ok := x.sparse[seq]
	return s, ok
}

// put notes slot, which is not 0, for a sequence that has none.
func (x *seqIndex) put(seq uint64, slot uint32) {
	n := seq >> pageBits
	if len(x.pages) == 0 {
		x.base = n
	}
	at := n - x.base
	if n < x.base || at > uint64(len(x.pages))+maxPages || seq >= moSequence {
		x.sparse[seq] = slot
		return
	}
	old := len(x.pages) - densePages // pages from here on were new until now
	for at >= uint64(len(x.pages)) {
		x.pages = append(x.pages, nil)
	}
	p := x.pages[at]
	if p == nil {
		p = &page{}
		x.pages[at] = p
	}
	p.slots[seq&(pageSize-1)] = slot
	p.n++
	if old < len(x.pages)-densePages {
		for i := max(old, 0); i < len(x.pages)-densePages; i++ {
			x.thin(i)
		}
		x.trim()
	}
}

func (x *seqIndex) drop(seq uint64) {
	p := x.page(seq)
	if p == nil || p.slots[seq&(pageSize-1)] == 0 {
		delete(x.sparse, seq)
		return
	}
	p.slots[seq&(pageSize-1)] = 0
	p.n--
	at := int(seq>>pageBits - x.base)
	if p.n == 0 {
		x.pages[at] = nil
	} else if at < len(x.pages)-densePages {
		x.thin(at)
	}
}

// thin turns a page with few live messages into map entries.
func (x *seqIndex) thin(at int) {
	if at < 0 || x.pages[at] == nil || x.pages[at].n >= sparseFrom {
		return
	}
	first := (x.base + uint64(at)) << pageBits
	for i, s := range x.pages[at].slots {
		if s != 0 {
			x.sparse[first+uint64(i)] = s
		}
	}
	x.pages[at] = nil
}

// trim forgets pages at the old end.
func (x *seqIndex) trim() {
	if len(x.pages) < 2*densePages || x.pages[0] != nil {
		return
	}
	n := 0
	for n < len(x.pages) && x.pages[n] == nil {
		n++
	}
	if n > densePages {
		x.pages = x.pages[:copy(x.pages, x.pages[n:])]
		x.base += uint64(n)
	}
}
