//go:build power

package power

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// The little of FUSE that one file in one folder needs (linux/fuse.h, protocol 7.31): no library stands between a
// request of the kernel and the disk.

const (
	opLookup   = 1
	opForget   = 2
	opGetattr  = 3
	opSetattr  = 4
	opOpen     = 14
	opRead     = 15
	opWrite    = 16
	opStatfs   = 17
	opRelease  = 18
	opFsync    = 20
	opFlush    = 25
	opInit     = 26
	opOpendir  = 27
	opReleased = 29
	opDestroy  = 38
	opForgets  = 42

	inHeader  = 40
	outHeader = 16

	rootNode = 1
	fileNode = 2

	directIO = 1 // FOPEN_DIRECT_IO: no cache of the kernel between loop device and disk
	maxWrite = 128 << 10
)

var le = binary.LittleEndian

// served is a mounted file system with one file, disk.
type served struct {
	f   *os.File
	dir string
	d   *disk
}

func serve(dir string, d *disk) (*served, error) {
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/fuse: %w", err)
	}
	if err := unix.Mount("power", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd)); err != nil {
		return nil, errors.Join(fmt.Errorf("mount fuse on %s: %w", dir, err), unix.Close(fd))
	}
	s := &served{f: os.NewFile(uintptr(fd), "/dev/fuse"), dir: dir, d: d}
	go s.loop(fd)
	return s, nil
}

func (s *served) close() error { return errors.Join(unix.Unmount(s.dir, unix.MNT_DETACH), s.f.Close()) }

// loop answers one request after the other until the file system is gone. It reads and writes the descriptor itself:
// one call is one message.
func (s *served) loop(fd int) {
	in := make([]byte, maxWrite+8<<10)
	for {
		n, err := unix.Read(fd, in)
		switch {
		case err == unix.EINTR || err == unix.EAGAIN || err == unix.ENOENT: // ENOENT: the request was interrupted
			continue
		case err != nil || n < inHeader:
			return
		}
		out, errno, reply := s.handle(in[:n])
		if !reply {
			continue
		}
		m := make([]byte, outHeader, outHeader+len(out))
		le.PutUint32(m[4:], uint32(-int32(errno)))
		copy(m[8:16], in[8:16])
		if errno == 0 {
			m = append(m, out...)
		}
		le.PutUint32(m, uint32(len(m)))
		_, _ = unix.Write(fd, m) // fails for a request that was given up meanwhile
	}
}

func (s *served) handle(in []byte) (out []byte, errno unix.Errno, reply bool) {
	node, body := le.Uint64(in[16:]), in[inHeader:]
	switch le.Uint32(in[4:]) {
	case opInit:
		out = make([]byte, 64)
		le.PutUint32(out, 7)
		le.PutUint32(out[4:], 31)
		le.PutUint32(out[8:], le.Uint32(body[8:]))
		le.PutUint16(out[16:], 64)
		le.PutUint16(out[18:], 48)
		le.PutUint32(out[20:], maxWrite)
		le.PutUint32(out[24:], 1)
		return out, 0, true
	case opForget, opForgets:
		return nil, 0, false
	case opLookup:
		if node != rootNode || string(body) != "disk\x00" {
			return nil, unix.ENOENT, true
		}
		out = make([]byte, 40)
		le.PutUint64(out, fileNode)
		le.PutUint64(out[16:], 3600)
		le.PutUint64(out[24:], 3600)
		return append(out, s.attr(fileNode)...), 0, true
	case opGetattr, opSetattr:
		out = make([]byte, 16)
		le.PutUint64(out, 3600)
		return append(out, s.attr(node)...), 0, true
	case opOpen:
		out = make([]byte, 16)
		le.PutUint32(out[8:], directIO)
		return out, 0, true
	case opOpendir:
		return make([]byte, 16), 0, true
	case opRead:
		p, ok := s.d.read(int64(le.Uint64(body[8:])), int(le.Uint32(body[16:])))
		return p, eio(ok), true
	case opWrite:
		p := body[40:][:le.Uint32(body[16:])]
		out = make([]byte, 8)
		le.PutUint32(out, uint32(len(p)))
		return out, eio(s.d.write(int64(le.Uint64(body[8:])), p)), true
	case opFsync:
		return nil, eio(s.d.flush()), true
	case opFlush, opRelease, opReleased, opDestroy:
		return nil, 0, true
	case opStatfs:
		return make([]byte, 80), 0, true
	}
	return nil, unix.ENOSYS, true
}

func eio(ok bool) unix.Errno {
	if ok {
		return 0
	}
	return unix.EIO
}

func (s *served) attr(node uint64) []byte {
	a := make([]byte, 88)
	le.PutUint64(a, node)
	mode := uint32(unix.S_IFDIR | 0o700)
	if node == fileNode {
		mode = unix.S_IFREG | 0o600
		le.PutUint64(a[8:], uint64(len(s.d.now)))
		le.PutUint64(a[16:], uint64(len(s.d.now)/sector))
	}
	le.PutUint32(a[60:], mode)
	le.PutUint32(a[64:], 1)
	le.PutUint32(a[80:], 4096)
	return a
}
