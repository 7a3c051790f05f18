package book

// liveBlocks counts, per block, the messages that still need its bytes. What lies below the first block in
// use can be dropped from the log.
type liveBlocks struct {
	base   uint64 // index of counts[0]
	counts []uint32
	head   int // counts before it are gone
	used   int // blocks that some message needs
}

func (l *liveBlocks) add(index uint64) {
	if l.head == len(l.counts) {
		l.base, l.counts, l.head = index, l.counts[:0], 0
	}
	for at := index - l.base; at >= uint64(len(l.counts)); {
		l.counts = append(l.counts, 0)
	}
	if l.counts[index-l.base]++; l.counts[index-l.base] == 1 {
		l.used++
	}
}

func (l *liveBlocks) drop(index uint64) {
	if l.counts[index-l.base] == 0 {
		panic("book: block released more often than used")
	}
	if l.counts[index-l.base]--; l.counts[index-l.base] == 0 {
		l.used--
	}
	for l.head < len(l.counts) && l.counts[l.head] == 0 {
		l.head++
	}
	if l.head > 4096 && l.head > len(l.counts)/2 {
		l.counts = l.counts[:copy(l.counts, l.counts[l.head:])]
		l.base += uint64(l.head)
		l.head = 0
	}
}

// lowest is the first block in use; ok is false when none is.
func (l *liveBlocks) lowest() (index uint64, ok bool) {
	if l.head == len(l.counts) {
		return 0, false
	}
	return l.base + uint64(l.head), true
}

func (l *liveBlocks) count(index uint64) uint32 {
	if index < l.base || index-l.base >= uint64(len(l.counts)) {
		return 0
	}
	return l.counts[index-l.base]
}
