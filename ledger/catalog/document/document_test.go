package document

import (
	"strings"
	"testing"
	"time"
)

const sample = `name: meter   # who
count: 12
quoted: "0012"
bare: 0012
wait: 90s
on: true
list: [a, 1, "b"]
one: alone
sub: {x: 1, y: two}
items:
  - {id: 1}
  - id: 2
text: |
  two
  lines
`

func open(t *testing.T, s string) (*Map, *Report) {
	t.Helper()
	var r Report
	m := Open("f.yaml", []byte(s), &r)
	if m == nil {
		t.Fatalf("not opened: %v", r.Err())
	}
	return m, &r
}

func TestRead(t *testing.T) {
	m, r := open(t, sample)
	var count, x, id int
	var on bool
	var wait time.Duration
	name, _ := m.Text("name")
	quoted, _ := m.Text("quoted")
	bare, _ := m.Text("bare")
	text, _ := m.Text("text")
	m.Int("count", &count, 1, 100)
	m.Duration("wait", &wait, 0, time.Hour)
	m.Bool("on", &on)
	list, one := m.Texts("list"), m.Texts("one")
	sub := m.Map("sub")
	sub.Int("x", &x, 0, 9)
	word := sub.OneOf("y", "one", "two")
	sub.Close()
	items := m.Maps("items")
	items[1].Int("id", &id, 0, 9)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	if name != "meter" || quoted != "0012" || bare != "0012" || text != "two\nlines\n" || count != 12 || wait != 90*time.Second || !on || x != 1 || word != 1 || id != 2 {
		t.Errorf("%q %q %q %q %d %s %v %d %d %d", name, quoted, bare, text, count, wait, on, x, word, id)
	}
	if len(list) != 3 || list[1].Text != "1" || list[2].Text != "b" || len(one) != 1 || one[0] != (Item{Text: "alone", Line: 8}) {
		t.Errorf("%v %v", list, one)
	}
	if m.Line("wait") != 5 || m.Line("absent") != 1 || items[0].Line("id") != 11 || items[1].Line("id") != 12 {
		t.Errorf("lines %d %d %d %d", m.Line("wait"), m.Line("absent"), items[0].Line("id"), items[1].Line("id"))
	}
	if m.Close(); r.Err() != nil {
		t.Errorf("closed with %v", r.Err())
	}
}

func TestAbsentKeysLeaveDefaults(t *testing.T) {
	m, r := open(t, "a: 1\n")
	n, on, wait := 7, true, time.Second
	m.Int("x", &n, 0, 1)
	m.Bool("x", &on)
	m.Duration("x", &wait, 0, 1)
	if m.OneOf("x", "a") != -1 || m.Map("x") != nil || m.Maps("x") != nil || m.Texts("x") != nil || n != 7 || !on || wait != time.Second || r.Count() != 0 {
		t.Errorf("%d %v %s %v", n, on, wait, r.Err())
	}
	m.Int("a", &n, 5, 9)
	if n != 7 || r.Count() != 1 {
		t.Errorf("a bad value took the default's place: %d %v", n, r.Err())
	}
}

// However a password key is written, what follows it is not shown.
func TestExcerptsHideSecrets(t *testing.T) {
	for _, s := range []string{`password: hunter2`, `  - {system_id: a, password: "hunter2", tps: 1}`, `password_hash: hunter2`, `Passwd: hunter2`, `pasword: hunter2`,
		`pass: hunter2`, `pwd: hunter2`, `client_secret: hunter2`} {
		if got := SplitLines([]byte(s)).At(1); strings.Contains(got, "hunter2") || got == "" {
			t.Errorf("%s is shown as %s", s, got)
		}
	}
	m, r := open(t, "a: {tps: 1, code: hunter2}\n")
	m.Map("a").Close()
	if strings.Contains(r.Err().Error(), "hunter2") {
		t.Errorf("an unknown key shows its value: %v", r.Err())
	}
}

func TestExcerpts(t *testing.T) {
	l := SplitLines([]byte("one\r\n\ttwo\x00\n" + strings.Repeat("é", 100)))
	if l.At(1) != "one" || l.At(2) != " two " || l.At(0) != "" || l.At(4) != "" || l.At(3) != strings.Repeat("é", 60)+"…" {
		t.Errorf("%q %q %q", l.At(1), l.At(2), l.At(3))
	}
}

func TestPercentSigns(t *testing.T) {
	m, r := open(t, "\"50%d\": [1]\n")
	m.Label("client \"%s\"")
	m.Items()
	if got := r.Err().(Problems)[0].Text; got != `client "%s": 50%d: should be a single value, not a list` {
		t.Error(got)
	}
}

// Depth is bounded by the parser or by us; either way a hostile file costs an error.
func TestDeepNesting(t *testing.T) {
	for _, s := range []string{strings.Repeat("[", 2000), strings.Repeat("{a: ", 2000), strings.Repeat("- ", 2000) + "a"} {
		var r Report
		if m := Open("f.yaml", []byte(s), &r); m == nil && r.Count() == 0 {
			t.Errorf("%.20s: neither opened nor reported", s)
		}
	}
}
