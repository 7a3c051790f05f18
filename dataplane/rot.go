package dataplane

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"smsplane/ledger/journal"
)

// What disk gives back differently from what was written is never skipped: a fold that left out a record
// would be wrong ever after, and nobody would know. The node does not start, or stops; it says which lane and
// index are damaged, and keeps the bytes as they were found in files of their own, for whoever wants to know
// what was in them. The way on is a backup.

// rotFolder stands in the data folder.
const rotFolder = "quarantine"

// keepRot writes what is damaged in a lane's log to files, once each, and returns an error that names every
// place; nil when nothing is damaged.
func (n *Node) keepRot(lane uint16) error {
	dir := filepath.Join(n.cfg.Data, rotFolder)
	var all []error
	err := n.db.Entries(lane, 0, func(journal.Entry) error { return nil }, func(index uint64, found error) error {
		if len(all) == maxRot {
			return journal.ErrStop
		}
		name := filepath.Join(dir, fmt.Sprintf("lane-%d-index-%d", lane, index))
		err := writeRot(name, n.db.Raw(lane, index), found)
		if err == nil {
			found = fmt.Errorf("%w; its bytes are kept in %s", found, name)
		}
		all = append(all, found, err)
		return nil
	})
	return errors.Join(append(all, err)...)
}

// maxRot bounds the files of one lane.
const maxRot = 200

func writeRot(name string, raw []byte, found error) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	for ext, b := range map[string][]byte{".bin": raw, ".txt": []byte(found.Error() + "\n")} {
		if err := writeSynced(name+ext, b); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

// rotten adds to an error of a lane what is damaged in its log.
func (n *Node) rotten(lane uint16, err error) error {
	if err == nil || !errors.Is(err, journal.ErrCorrupt) {
		return err
	}
	return errors.Join(err, n.keepRot(lane), errors.New("nothing was skipped: restore a backup (smsplane store restore), and keep this folder"))
}
