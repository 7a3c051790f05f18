package book

// liveBlocks counts, per block, the messages that still need its bytes. What lies below the first block in
// use can be dropped from the log.
type liveBlocks struct {
	base   uint64 // index of counts[0]
	counts []uint32
	head   int // counts before it are gone
}

func (l *liveBlocks) add(index uint64) {
	if l.head == len(l.counts) {
		l.base, l.counts, l.head = index, l.counts[:0], 0
	}
	for at := index - l.base; at >= uint64(len(l.counts)); {
		l.counts = append(l.counts, 0)
	}
	l.counts[index-l.base]++
}

func (l *liveBlocks) drop(index uint64) {
	if l.counts[index-l.base] == 0 {
		panic("book: block released more often than used")
	}
	l.counts[index-l.base]--
	for l.head < len(l.counts) && l.counts[l.head] == 0 {
		l.head++
	}
	if l.head > 4096 && l.head > len(l.counts)/2 {
		l.counts = l.counts[:copy(l.counts, l.counts[l.head:])]
		l.base += uint64(l.head)
		l.head = 0
	}
}

// gaps hands out the stretches of at least so many entries up to last that carry nothing that lives, and how many messages
// live before each, until one is worth it.
func (l *liveBlocks) gaps(least int, last uint64, worth func(before int, from, to uint64) bool) bool {
	if l.head == len(l.counts) {
		return false
	}
	before, size := 0, 0
	for i, n := range l.counts[l.head:] {
		if n == 0 {
			size++
			continue
		}
		if at := l.base + uint64(l.head+i); size >= least && worth(before, at-uint64(size), at-1) {
			return true
		}
		before, size = before+int(n), 0
	}
	end := l.base + uint64(len(l.counts)) // the last one counted lives, or all behind the head would be gone
	size += int(last+1) - int(end)
	return size >= least && worth(before, last+1-uint64(size), last)
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
