package cluster

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// Kind says what a frame carries.
type Kind uint8

const (
	kindBeat   Kind = iota // nothing: the stream lives
	kindHello              // Hello
	kindRefuse             // why the stream ends, in words
	Raft                   // a raft message of a lane
	Chunk                  // a piece of a snapshot
	Taken                  // the answer to it
	Link                   // an event between a lane and the links to carriers
	Leave                  // the clients that the sender relays are to be unbound
	Ask                    // an operator's question for another host
	Answer                 // to it
)

// A frame: length of what follows u32, version u8, kind u8, lane u16, payload. All big endian.
const (
	frameHeader = 8
	maxFrame    = 16 << 20
)

var be = binary.BigEndian

// appendFrame puts a frame whose payload comes in parts behind dst.
func appendFrame(dst []byte, k Kind, lane uint16, parts ...[]byte) []byte {
	n := frameHeader - 4
	for _, p := range parts {
		n += len(p)
	}
	dst = be.AppendUint32(dst, uint32(n))
	dst = append(dst, NewestVersion, byte(k))
	dst = be.AppendUint16(dst, lane)
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return dst
}

// frameReader reads frames. Payloads are pieces of chunks that nobody writes again. It reads nothing behind a frame
// until it is buffered: what follows a hello may be no frames.
type frameReader struct {
	r     io.Reader
	chunk []byte
}

const readBytes = 256 << 10

func newFrameReader(r io.Reader) *frameReader { return &frameReader{r: r} }

// buffer reads ahead from now on: frames follow.
func (f *frameReader) buffer() { f.r = bufio.NewReaderSize(f.r, readBytes) }

func (f *frameReader) next() (k Kind, lane uint16, payload []byte, err error) {
	var h [frameHeader]byte
	if _, err = io.ReadFull(f.r, h[:]); err != nil {
		return 0, 0, nil, err
	}
	n := int(be.Uint32(h[:])) - (frameHeader - 4)
	if n < 0 || n > maxFrame || h[4] < OldestVersion || h[4] > NewestVersion {
		return 0, 0, nil, fmt.Errorf("a frame of %d octets and version %d", n, h[4])
	}
	payload = f.piece(n)
	_, err = io.ReadFull(f.r, payload)
	return Kind(h[5]), be.Uint16(h[6:]), payload, err
}

// piece is room for n octets.
func (f *frameReader) piece(n int) []byte {
	if n > len(f.chunk) {
		if n > readBytes/4 {
			return make([]byte, n)
		}
		f.chunk = make([]byte, readBytes)
	}
	p := f.chunk[:n:n]
	f.chunk = f.chunk[n:]
	return p
}
