package sim

import (
	"io"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// disk is a host's disk: what was not synced may be lost when the power goes, and writes may begin to fail.
type disk struct {
	mem     *vfs.MemFS
	failing atomic.Bool
}

func newDisk() *disk { return &disk{mem: vfs.NewCrashableMem()} }

// fs is the disk as a store uses it.
func (d *disk) fs() vfs.FS {
	return errorfs.Wrap(d.mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !d.failing.Load() {
			return nil
		}
		switch op.Kind {
		case errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
			return errorfs.ErrInjected
		}
		return nil
	}))
}

// killed is the disk as the next process finds it after kill -9: everything that was written.
func (d *disk) killed() *disk { return &disk{mem: d.clone(100)} }

// cut is the disk after a power loss: what was synced, and of the rest each block and each name with a chance of
// percent. It is drawn in a fixed order, unlike what CrashClone does between 0 and 100.
func (d *disk) cut(percent int, rng *rand.Rand) *disk {
	if percent == 0 || percent == 100 {
		return &disk{mem: d.clone(percent)}
	}
	m := mix{synced: d.clone(0), written: d.clone(100), out: vfs.NewCrashableMem(), percent: percent, rng: rng}
	m.folder("/")
	return &disk{mem: m.out}
}

func (d *disk) clone(percent int) *vfs.MemFS {
	return d.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(1, 1))})
}

// mix makes a disk of two states of one.
type mix struct {
	synced, written, out *vfs.MemFS
	percent              int
	rng                  *rand.Rand
}

const blockSize = 4096

func (m *mix) keep() bool { return m.rng.IntN(100) < m.percent }

func (m *mix) folder(dir string) {
	was, is := names(m.synced, dir), names(m.written, dir)
	all := append(slices.Clone(was), is...)
	slices.Sort(all)
	for _, name := range slices.Compact(all) {
		path := m.out.PathJoin(dir, name)
		before, after := slices.Contains(was, name), slices.Contains(is, name)
		if before != after && m.keep() != after { // made or removed, and the folder not synced
			continue
		}
		from := m.written
		if !after {
			from = m.synced
		}
		if st, err := from.Stat(path); err == nil && st.IsDir() {
			must(m.out.MkdirAll(path, 0o700))
			m.folder(path)
			continue
		}
		m.file(path, before, after)
	}
	f, err := m.out.OpenDir(dir)
	must(err)
	must(f.Sync())
	must(f.Close())
}

func (m *mix) file(path string, before, after bool) {
	var old, data []byte
	if before {
		old = contents(m.synced, path)
	}
	if data = old; after {
		data = m.blocks(old, contents(m.written, path))
	}
	f, err := m.out.Create(path, vfs.WriteCategoryUnspecified)
	must(err)
	_, err = f.Write(data)
	must(err)
	must(f.Sync())
	must(f.Close())
}

// blocks lays blocks that were written over those that were synced.
func (m *mix) blocks(old, written []byte) []byte {
	data := slices.Clone(old)
	for i := 0; i < len(written); i += blockSize {
		if !m.keep() {
			continue
		}
		b := written[i:min(i+blockSize, len(written))]
		if n := i + len(b) - len(data); n > 0 {
			data = append(data, make([]byte, n)...)
		}
		copy(data[i:], b)
	}
	return data
}

func names(fs *vfs.MemFS, dir string) []string {
	all, err := fs.List(dir)
	if err != nil { // made since, and not synced
		return nil
	}
	slices.Sort(all)
	return all
}

func contents(fs *vfs.MemFS, path string) []byte {
	f, err := fs.Open(path)
	must(err)
	defer f.Close()
	b, err := io.ReadAll(f)
	must(err)
	return b
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
