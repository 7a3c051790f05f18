//go:build power

package power

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"golang.org/x/sys/unix"
)

const sector = 512

// disk is a block device with a volatile cache: now is what a read finds, safe what survives a loss of power.
type disk struct {
	mu    sync.Mutex
	now   []byte
	safe  []byte
	cache []write // not flushed, in order
	rng   *rand.Rand
	off   bool
	left  int // requests until power goes off; 0: not armed
	gone  chan struct{}

	// drain, when not 0, is how many octets the cache holds before it writes its oldest back by itself.
	drain, held int

	writes, flushes, kept, lost int
}

type write struct {
	at   int64
	data []byte
}

func newDisk(size int, seed uint64) (*disk, error) {
	d := &disk{rng: rand.New(rand.NewPCG(seed, 3)), gone: make(chan struct{})}
	for _, b := range []*[]byte{&d.now, &d.safe} {
		// Pages that nobody writes cost nothing.
		m, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
		if err != nil {
			return nil, fmt.Errorf("memory for a disk of %d octets: %w", size, err)
		}
		*b = m
	}
	return d, nil
}

// request counts one and says whether there still is power.
func (d *disk) request() bool {
	if d.left > 0 {
		if d.left--; d.left == 0 {
			d.cut()
		}
	}
	return !d.off
}

func (d *disk) read(at int64, n int) ([]byte, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.request() {
		return nil, false
	}
	if at >= int64(len(d.now)) {
		return nil, true
	}
	return append([]byte(nil), d.now[at:min(at+int64(n), int64(len(d.now)))]...), true
}

func (d *disk) write(at int64, p []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.request() || at+int64(len(p)) > int64(len(d.now)) {
		return false
	}
	w := write{at, append([]byte(nil), p...)}
	copy(d.now[at:], p)
	d.cache = append(d.cache, w)
	d.writes++
	for d.held += len(p); d.drain > 0 && d.held > d.drain; {
		d.held -= len(d.cache[0].data)
		copy(d.safe[d.cache[0].at:], d.cache[0].data)
		d.cache = d.cache[1:]
	}
	return true
}

func (d *disk) flush() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.request() {
		return false
	}
	for _, w := range d.cache {
		copy(d.safe[w.at:], w.data)
	}
	d.cache, d.held = nil, 0
	d.flushes++
	return true
}

// arm lets power go off at the n-th request from here on.
func (d *disk) arm(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = n
}

// cut takes the power away. Of what was not flushed, a random part of the sectors made it.
func (d *disk) cut() {
	share := [...]float64{0, 0, 0.5, 0.9}[d.rng.IntN(4)]
	for _, w := range d.cache {
		for at := 0; at < len(w.data); at += sector {
			if d.rng.Float64() < share {
				copy(d.safe[w.at+int64(at):], w.data[at:min(at+sector, len(w.data))])
				d.kept++
			} else {
				d.lost++
			}
		}
	}
	d.off, d.left = true, 0
	close(d.gone)
}

// off waits for nothing: it takes the power away now, unless it is gone already.
func (d *disk) powerOff() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.off {
		d.cut()
	}
}

// on gives power again; the disk holds what survived.
func (d *disk) on() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.cache {
		copy(d.now[w.at:w.at+int64(len(w.data))], d.safe[w.at:])
	}
	d.cache, d.held, d.off, d.left, d.gone = nil, 0, false, 0, make(chan struct{})
}

// lostPower is closed once power is gone.
func (d *disk) lostPower() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.gone
}
