package dataplane

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"smsplane/ledger"
	"smsplane/ledger/book"
	"smsplane/ledger/journal"
)

// A message that ends the process must not end it at every start. Whoever works on a message says so first
// (step); when that panics, the message and the layer are noted in a file beside the store before the process
// dies. The next start tells the note and goes on. A message with two notes is quarantined: it is held by a
// journaled OPERATOR record, as if by an operator, and waits for one. If folding its records was what failed,
// they are skipped from the one that did until another leader decides (book/skip.go), by a key of the store that says so; what was
// accepted before stays as it was then. What a leader does about a record that it has folded (inFollow) is no reason to skip it:
// other hosts have folded it, too.

// step is what the executor works on.
type step struct {
	layer string
	id    ledger.MsgID
}

const (
	inFold     = "fold"
	inFollow   = "follow" // what a leader does about a committed record
	inRouter   = "router"
	inVerifier = "verifier"
	inEgress   = "egress"
	inAnswer   = "answer"
	inReturns  = "returns"
	inSweep    = "sweep" // its time may be over
)

// crashNote is one line of the file.
type crashNote struct {
	Time  time.Time    `json:"time"`
	Layer string       `json:"layer"`
	ID    ledger.MsgID `json:"id"`
	Name  string       `json:"message"`
	Text  string       `json:"panic"`
	Index uint64       `json:"index,omitempty"` // of the block whose record was folded
}

// crashFile stands in the data folder.
const crashFile = "crashes.json"

// crashesAllowed is how many notes a message may have before it is quarantined.
const crashesAllowed = 1

// crashed is deferred by whoever works on messages: it notes what was worked on, and lets the process die.
func (x *executor) crashed() {
	p := recover()
	if p == nil {
		return
	}
	s, index := x.doing, uint64(0)
	if s.layer == inFold && x.folding != nil {
		s.id, index = x.folding.Folding()
	}
	if s.id != 0 && x.crashFile != "" {
		if err := noteCrash(x.crashFile, crashNote{Time: time.Now().UTC(), Layer: s.layer, ID: s.id, Name: s.id.String(), Text: fmt.Sprint(p), Index: index}); err != nil {
			x.log.Error("the crash could not be noted", "err", err)
		}
		x.log.Error("crashed over a message", "layer", s.layer, "message", s.id, "panic", p)
	}
	x.die(p)
}

func noteCrash(file string, c crashNote) error {
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Sync(), f.Close())
}

// crashNotes reads the file; a line that was cut short by the crash itself is left out.
func crashNotes(file string) (all []crashNote, err error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for line := range bytes.Lines(b) {
		var c crashNote
		if json.Unmarshal(line, &c) == nil && c.ID != 0 {
			all = append(all, c)
		}
	}
	return all, err
}

// heedCrashes tells the notes and finds the messages that have too many. It runs before anything is folded;
// what folding failed on is skipped from here on.
func (n *Node) heedCrashes() error {
	file := filepath.Join(n.cfg.Data, crashFile)
	n.x.crashFile = file
	notes, err := crashNotes(file)
	if err != nil {
		return err
	}
	count := map[ledger.MsgID]int{}
	for _, c := range notes {
		n.log.Warn("the process crashed over a message", "at", c.Time, "layer", c.Layer, "message", c.Name, "panic", c.Text)
		if c.Layer == inFold && c.Index == 0 { // of an older build, which did not say where
			continue
		}
		if count[c.ID]++; count[c.ID] != crashesAllowed+1 {
			continue
		}
		n.log.Error("the message is quarantined: it ended the process before", "message", c.Name, "layer", c.Layer)
		n.quarantined = append(n.quarantined, c)
		if int(c.ID.Lane()) >= n.cfg.Lanes {
			continue
		}
		n.x.poison = append(n.x.poison, c)
		if c.Layer == inFold {
			if err := n.skip(c); err != nil {
				return err
			}
		}
	}
	n.x.quarantined.Store(len(n.x.poison) == 0)
	return nil
}

// skip stores that the records of a message from the one that failed on are not folded.
func (n *Node) skip(c crashNote) error {
	w := journal.NewBatch()
	if err := book.Skip(n.db, w, c.ID, c.Index-1, c.Text); err != nil {
		return err
	}
	done := make(chan struct{})
	n.db.Write(w, func() { close(done) })
	<-done
	return nil
}

// holdPoison holds the messages of a lane that ended the process too often, before the lane begins to work, and journals that:
// here, or on another host of the cluster that comes to lead it.
func (l *lane) holdPoison(now int64) {
	x := l.x
	for _, c := range x.poison {
		m := l.book.Get(c.ID)
		if c.ID.Lane() != l.n || m == nil {
			continue
		}
		m.Held = true
		l.begin()
		l.open = ledger.AppendOperator(l.open, now, &ledger.Operator{Action: ledger.ActionQuarantine, Author: []byte("smsplane"),
			Reason: []byte("crashed twice in layer " + c.Layer), IDs: []ledger.MsgID{c.ID}})
		l.recorded(now)
	}
	x.harmless(func(c *crashNote) bool { return c.ID.Lane() == l.n && l.book.Get(c.ID) == nil })
}

// harmless forgets the notes about messages that are held by committed records, or are not there any more.
func (x *executor) harmless(now func(c *crashNote) bool) {
	x.poison = slices.DeleteFunc(x.poison, func(c crashNote) bool { return now(&c) })
	x.quarantined.Store(len(x.poison) == 0)
}

// forgetCrashes drops the notes about quarantined messages, once the records that hold them are in the log.
func (n *Node) forgetCrashes() error {
	if len(n.quarantined) == 0 || !n.x.quarantined.Load() {
		return nil
	}
	notes, err := crashNotes(n.x.crashFile)
	if err != nil {
		return err
	}
	gone := map[ledger.MsgID]bool{}
	for _, c := range n.quarantined {
		gone[c.ID] = true
	}
	n.quarantined = nil
	temp := n.x.crashFile + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, c := range notes {
		if !gone[c.ID] {
			if err := noteCrash(temp, c); err != nil {
				return err
			}
		}
	}
	if _, err := os.Stat(temp); errors.Is(err, os.ErrNotExist) {
		return os.Remove(n.x.crashFile)
	}
	return os.Rename(temp, n.x.crashFile)
}
