package book

import "unsafe"

// Known is the number of messages in the table: live ones, and those whose receipt waits for its client.
func (b *Book) Known() int { return int(b.t.used) - 1 - len(b.t.free) }

// TableBytes is the memory that the table of live messages takes, its index included.
func (b *Book) TableBytes() uint64 {
	slots := uint64(len(b.t.chunks)) * chunkSize * uint64(unsafe.Sizeof(Msg{}))
	pages := uint64(0)
	for _, p := range b.t.bySeq.pages {
		if p != nil {
			pages += uint64(unsafe.Sizeof(page{}))
		}
	}
	return slots + pages + 8*uint64(cap(b.t.bySeq.pages)) + 4*uint64(cap(b.t.free))
}
