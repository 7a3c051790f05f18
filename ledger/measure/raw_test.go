package measure

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// rawSegment is as long as a log grows before it is recycled.
const rawSegment = 128 << 20

// rawFile is written from end to end before it is measured, as a recycled log is.
func rawFile(t testing.TB, dir string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "raw"))
	if err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 1<<20)
	for i := range chunk {
		chunk[i] = byte(i * 31)
	}
	for at := int64(0); at < rawSegment; at += int64(len(chunk)) {
		if _, err := f.WriteAt(chunk, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	return f
}

// rawPipe appends blocks in one goroutine and syncs in another: a sync covers all that was appended before it.
type rawPipe struct {
	f  *os.File
	in chan []byte

	mu      sync.Mutex
	written sync.Cond
	waiting []time.Time
	closed  bool

	latency []time.Duration
	done    sync.WaitGroup
}

// raw writes n blocks with as many in flight as depth says, one every pace (0: as fast as it goes), and returns how long it
// took and each block's latency.
func raw(t testing.TB, f *os.File, block []byte, n, depth int, pace time.Duration) (time.Duration, []time.Duration) {
	t.Helper()
	p := &rawPipe{f: f, in: make(chan []byte)}
	p.written.L = &p.mu
	slots := make(chan struct{}, depth)
	p.done.Add(2)
	began := time.Now()
	var sent sync.Map
	go func() {
		defer p.done.Done()
		at := int64(0)
		for i := 0; ; i++ {
			b, ok := <-p.in
			p.mu.Lock()
			if !ok {
				p.closed = true
				p.written.Signal()
				p.mu.Unlock()
				return
			}
			p.mu.Unlock()
			if at+int64(len(b)) > rawSegment {
				at = 0
			}
			if _, err := f.WriteAt(b, at); err != nil {
				panic(err)
			}
			at += int64(len(b))
			when, _ := sent.LoadAndDelete(i)
			p.mu.Lock()
			p.waiting = append(p.waiting, when.(time.Time))
			p.written.Signal()
			p.mu.Unlock()
		}
	}()
	go func() {
		defer p.done.Done()
		for {
			p.mu.Lock()
			for len(p.waiting) == 0 && !p.closed {
				p.written.Wait()
			}
			all := p.waiting
			p.waiting = nil
			p.mu.Unlock()
			if len(all) == 0 {
				return
			}
			if err := unix.Fdatasync(int(f.Fd())); err != nil {
				panic(err)
			}
			for _, at := range all {
				p.latency = append(p.latency, time.Since(at))
				<-slots
			}
		}
	}()
	tick := pacer(pace)
	for i := range n {
		tick()
		slots <- struct{}{}
		sent.Store(i, time.Now())
		p.in <- block
	}
	close(p.in)
	p.done.Wait()
	return time.Since(began), p.latency
}

// pacer returns a function that returns once every pace.
func pacer(pace time.Duration) func() {
	if pace == 0 {
		return func() {}
	}
	next := time.Now()
	return func() {
		if d := time.Until(next); d > 0 {
			<-time.After(d)
		}
		next = next.Add(pace)
	}
}
