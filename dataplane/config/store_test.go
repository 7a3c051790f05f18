package config

import (
	"strings"
	"testing"
	"time"
)

func TestStoreKeys(t *testing.T) {
	const base = "node: a\ndata: d\ncatalog: c\nsmpp: {listen: [\"127.0.0.1:1\"]}\n"
	n, err := Parse("f", []byte(base))
	if err != nil {
		t.Fatal(err)
	}
	if n.Journal != (Journal{Reserve: 2 << 30}) || n.Retention != (Retention{EDR: 90 * day, Bodies: day, Orphans: 7 * day}) {
		t.Errorf("defaults %+v %+v", n.Journal, n.Retention)
	}
	n, err = Parse("f", []byte(base+"journal: {reserve: 5GiB, retain: all}\nretention: {edr: 365d, bodies: 90m, orphans: 2d}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if n.Journal != (Journal{Reserve: 5 << 30, RetainAll: true}) || n.Retention != (Retention{EDR: 365 * day, Bodies: 90 * time.Minute, Orphans: 2 * day}) {
		t.Errorf("read %+v %+v", n.Journal, n.Retention)
	}
	for text, want := range map[string]string{
		"journal: {reserve: 3}": "not a size", "journal: {retain: some}": "retain", "journal: {x: 1}": "x",
		"retention: {edr: 90}": "not a time", "retention: {edr: xd}": "not a time", "retention: {bodies: 0s}": "not between",
		"retention: {orphans: 9999d}": "not between", "retention: {y: 1d}": "y",
	} {
		if _, err := Parse("f", []byte(base+text+"\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
