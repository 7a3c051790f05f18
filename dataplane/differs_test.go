package dataplane

import (
	"slices"
	"testing"

	"smsplane/ledger/catalog"
)

// The folder is parsed and compared again when it or the catalog in force is another one, and only then.
func TestFolderIsComparedOnce(t *testing.T) {
	parse := func(files map[string][]byte) *catalog.Catalog {
		t.Helper()
		c, err := catalog.Parse(files)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	same, other := testCatalog(20), testCatalog(21)
	now := parse(same)
	var f folder
	for _, c := range []struct {
		files  map[string][]byte
		now    *catalog.Catalog
		differ bool
		looked int
	}{
		{same, now, false, 1}, {same, now, false, 1}, {other, now, true, 2}, {other, now, true, 2},
		{other, parse(other), false, 3}, {same, now, false, 4}, {map[string][]byte{}, now, true, 5},
	} {
		for range 2 {
			if got := f.compared(c.files, c.now); (len(got) > 0) != c.differ || f.looked != c.looked {
				t.Errorf("step %d: %q after %d comparisons", c.looked, got, f.looked)
			}
		}
	}
	a := map[string][]byte{"a": []byte("b"), "c": nil}
	b := map[string][]byte{"a": nil, "c": []byte("b")}
	if sumOf(a) == sumOf(b) || !slices.Equal(f.compared(same, now), f.compared(same, now)) {
		t.Error("two contents with one sum")
	}
}
