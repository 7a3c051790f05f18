package journal

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// The layout version stands beside the store's id. A build reads the versions it knows and writes the newest:
// the first opening for writing raises the number, and a build that does not know it refuses the store
// instead of misreading it.
//
//	1  the first
//	2  OPERATOR records, seals, the chain in a lane's state, skipped messages
//	3  groups of several members, imports of lanes
//	4  parts and the accounts of attempts in the archive
//	5  messages from carriers that clients took, with their texts
const (
	oldestVersion = 1
	storeVersion  = 5
)

// Version is the layout version that the store was opened with, before any upgrade.
func (d *DB) Version() int { return int(d.version) }

// checkVersion refuses a layout of another build and, unless the store is only read, brings an older one up
// to date. Values of the version before are readable as they are, so the number is all there is to write.
func (d *DB) checkVersion(key, v []byte, readOnly bool) error {
	d.version = be.Uint32(v)
	switch {
	case d.version < oldestVersion || d.version > storeVersion:
		return fmt.Errorf("layout version %d, this build knows %d to %d", d.version, oldestVersion, storeVersion)
	case d.version == storeVersion || readOnly:
		return nil
	}
	be.PutUint32(v, storeVersion)
	if err := d.p.Set(key, v, pebble.Sync); err != nil {
		return fmt.Errorf("write the store's version: %w", err)
	}
	d.o.Logger.Info("the store was brought up to date", "dir", d.o.Dir, "version", storeVersion, "from", d.version)
	return nil
}
