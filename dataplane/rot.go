package dataplane

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"smsplane/ledger/book"
	"smsplane/ledger/journal"
)

// What disk gives back differently from what was written is never skipped in silence.
//
//	damaged                       then
//	block of the log, straggler,  a fold that left out a record would be wrong ever after, and nobody would know: the node
//	head of a run, state          does not start, or stops, and says which lane and index it is. The way on is a backup.
//	                              In a cluster the lane comes anew from the host that leads it, where its log and state can
//	                              still be read (spoil.go)
//	run of queued messages        it is set aside, and its queue goes on without it (fetch.go); one that was loaded already is
//	                              needed as a straggler is
//	pack of EDRs                  what looks for something in it is told; an export goes on behind it, and ends with what
//	                              is missing
//
// The bytes are kept as they were found, in files of their own: blocks and runs that Pebble can still read one by one, tables of the
// store that it cannot, whole.

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

// keepTable keeps a table of the store that is damaged: a second name costs nothing, and what can be read of it otherwise goes
// when Pebble is done with it.
func (n *Node) keepTable(file string) {
	dir := filepath.Join(n.cfg.Data, rotFolder)
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = os.Link(file, filepath.Join(dir, filepath.Base(file)))
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		n.log.Error("the damaged table cannot be kept", "file", file, "folder", dir, "err", err)
	}
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
	var run *book.DamagedRun
	if errors.As(err, &run) {
		err = errors.Join(err, keepRun(filepath.Join(n.cfg.Data, rotFolder), n.db, run.Lane, run.ID, run.Pieces, run))
	}
	return errors.Join(err, n.keepRot(lane), errors.New("nothing was skipped: restore a backup (smsplane store restore), and keep this folder"))
}
