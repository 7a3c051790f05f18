package book

import (
	"slices"
	"strings"
	"testing"

	"smsplane/ledger"
	"smsplane/ledger/journal"
)

// The archive of a lane checks; whatever is taken from it, or is in it twice, is named.
func TestCheckArchive(t *testing.T) {
	keys := func(s *sealed, k journal.Kind) (all [][]byte) {
		lo, hi := journal.LaneRange(k, 0)
		if err := s.db.Scan(lo, hi, func(k, _ []byte) error { all = append(all, slices.Clone(k)); return nil }); err != nil {
			t.Fatal(err)
		}
		return all
	}
	for name, c := range map[string]struct {
		do   func(s *sealed)
		text string
	}{
		"nothing": {func(*sealed) {}, ""},
		"index gone": {func(s *sealed) {
			k := keys(s, journal.EDRIndex)[1]
			s.write(func(w *journal.Batch) { w.DeleteRange(k, append(k, 0)) })
		}, "does not find"},
		"pack gone": {func(s *sealed) {
			k := keys(s, journal.EDR)[1]
			s.write(func(w *journal.Batch) { w.DeleteRange(k, append(k, 0)) })
		}, "more packs than indexes"},
		"pack cut":     {func(s *sealed) { s.edit(keys(s, journal.EDR)[1], func(v []byte) []byte { return v[:len(v)-1] }) }, "damaged"},
		"hash changed": {func(s *sealed) { s.edit(keys(s, journal.EDRIndex)[1], func(v []byte) []byte { v[0]++; return v }) }, "does not find"},
		"pack twice": {func(s *sealed) {
			v, _ := s.db.Get(keys(s, journal.EDR)[1])
			x, _ := s.db.Get(keys(s, journal.EDRIndex)[1])
			s.write(func(w *journal.Batch) {
				w.Set(journal.Key(journal.EDR, 0, 1<<40), v)
				w.Set(journal.Key(journal.EDRIndex, 0, 1<<40), x)
			})
		}, "ended twice"},
	} {
		s := newSealed(t, 1)
		c.do(s)
		ended, errs := CheckArchive(s.db, 0)
		said := ""
		for _, err := range errs {
			said += err.Error() + "\n"
		}
		if (c.text == "") != (len(errs) == 0) || !strings.Contains(said, c.text) {
			t.Errorf("%s: %q, want %q", name, said, c.text)
		}
		n := 0
		for _, k := range s.b.Counts.Ends {
			n += int(k)
		}
		if c.text == "" && (ended.Len() != n || ended.Has(ledger.MakeMsgID(0, 1<<30))) {
			t.Errorf("%d have ended, the books say %d", ended.Len(), n)
		}
	}
}

// edit changes a stored value.
func (s *sealed) edit(key []byte, f func(v []byte) []byte) {
	v, err := s.db.Get(key)
	if err != nil || v == nil {
		s.t.Fatalf("nothing under %x: %v", key, err)
	}
	s.write(func(w *journal.Batch) { w.Set(key, f(v)) })
}

// A lane that flushes a pack, and whose oldest leaves, while its archive is checked is no fault in the view of one moment.
func TestCheckArchiveBesideFlushes(t *testing.T) {
	s := newSealed(t, 1)
	now := s.db.View()
	s.write(func(w *journal.Batch) {
		w.DeleteRange(journal.Key(journal.EDRIndex, 0), journal.Key(journal.EDRIndex, 0, 1<<40))
		w.Set(journal.Key(journal.EDR, 0, 1<<40), nil)
	})
	if _, errs := CheckArchive(now, 0); len(errs) > 0 {
		t.Error(errs)
	}
	if err := now.Close(); err != nil {
		t.Error(err)
	}
	if _, errs := CheckArchive(s.db, 0); len(errs) == 0 {
		t.Error("packs without indexes are not found")
	}
}
