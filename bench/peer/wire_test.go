package peer

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
)

// A peer that does not read for long gets all that was written meanwhile, in order, and nobody waits for it: what the kernel does
// not take at once goes to the writer, and what is written behind it stays behind it.
func TestWhatTheKernelDoesNotTake(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	near, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	w := newWire(near)
	w.start()
	const pieces, octets = 400, 40_000 // 16 MB, more than both ends' buffers take and less than maxUnsent
	put := func(i int) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for range octets / 4 {
			w.out = binary.BigEndian.AppendUint32(w.out, uint32(i))
		}
		w.flush()
	}
	for i := range pieces / 2 {
		put(i)
	}
	got := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(far) // an error shows as octets that are missing
		got <- b
	}()
	for i := pieces / 2; i < pieces; i++ { // while it reads
		put(i)
	}
	w.end()
	b := <-got
	if len(b) != pieces*octets {
		t.Fatalf("%d octets arrived of %d", len(b), pieces*octets)
	}
	for i := range pieces {
		if want := bytes.Repeat(binary.BigEndian.AppendUint32(nil, uint32(i)), octets/4); !bytes.Equal(b[i*octets:(i+1)*octets], want) {
			t.Fatalf("piece %d is not where it should be", i)
		}
	}
}
