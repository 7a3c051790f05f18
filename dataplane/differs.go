package dataplane

import (
	"maps"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"

	"smsplane/dataplane/admin"
	"smsplane/ledger/catalog"
)

// folder is what is known of the catalog folder on disk beside the catalog in force. Tables of a million rows take seconds to
// parse and compare: that is done anew only when one of the two has changed.
type folder struct {
	mu      sync.Mutex
	sum     uint64 // of the files' names and bytes
	of      *catalog.Catalog
	changes []string
	looked  int // how often they were compared
}

// differs says whether the folder is another catalog than the one in force.
func (f *folder) differs(c *admin.CatalogStatus, now *catalog.Catalog) {
	if c.Folder == "" {
		return
	}
	files, err := catalog.Read(c.Folder)
	if err != nil {
		c.Changes = doesNotLoad(err)
	} else {
		c.Changes = f.compared(files, now)
	}
	c.Differs = len(c.Changes) > 0
}

func (f *folder) compared(files map[string][]byte, now *catalog.Catalog) []string {
	sum := sumOf(files)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.looked == 0 || f.sum != sum || f.of != now {
		f.sum, f.of, f.looked = sum, now, f.looked+1
		if on, err := catalog.Parse(files); err != nil {
			f.changes = doesNotLoad(err)
		} else {
			f.changes = lines(catalog.Diff(now, on))
		}
	}
	return f.changes
}

func doesNotLoad(err error) []string { return []string{"the folder does not load: " + err.Error()} }

// sumOf tells one content of a folder from another: each name and each file's own sum, in order.
func sumOf(files map[string][]byte) uint64 {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(files)) {
		b = append(append(b, name...), 0)
		b = be.AppendUint64(b, xxhash.Sum64(files[name]))
	}
	return xxhash.Sum64(b)
}

func lines(cs []catalog.Change) []string {
	out := make([]string, 0, len(cs))
	for _, c := range cs {
		out = append(out, c.String())
	}
	return out
}
