package router

import (
	"testing"

	"smsplane/ledger/catalog"
)

type named struct{}

func (named) Client(id string) (uint32, bool)  { return uint32(id[0]), id != "gone" }
func (named) Carrier(id string) (uint16, bool) { return uint16(id[0]), true }

// The closest rule wins, whatever the order in the file: number, then keyword, then carrier.
func TestMORules(t *testing.T) {
	table := &Table{}
	table.compileMO([]catalog.MORule{{Client: "a"}, {Carrier: "s", Client: "b"}, {Prefix: "49", Client: "c"}, {Prefix: "+4915", Client: "d"},
		{To: "12345", Client: "e"}, {To: "12345", Keyword: "Stop", Client: "f"}, {Carrier: "s", To: "+12345", Client: "g"}, {Keyword: "HELP", Client: "h"},
		{Carrier: "n", To: "777", Client: "gone"}}, named{})
	for _, c := range []struct {
		carrier  uint16
		to, word string
		want     byte
	}{{'n', "1", "", 'a'}, {'s', "1", "", 'b'}, {'s', "1", "help", 'h'}, {'n', "4930", "", 'c'}, {'n', "+49151", "help", 'd'}, {'n', "12345", "hi", 'e'},
		{'n', "+12345", "STOP", 'f'}, {'s', "12345", "stop", 'f'}, {'s', "12345", "stopp", 'g'}, {'n', "777", "", 'a'}} {
		if have, ok := table.MO(c.carrier, []byte(c.to), []byte(c.word)); !ok || have != uint32(c.want) {
			t.Errorf("%c %s %q: %c %v, want %c", c.carrier, c.to, c.word, have, ok, c.want)
		}
	}
	table = &Table{}
	table.compileMO([]catalog.MORule{{To: "1", Client: "a"}}, named{})
	if _, ok := table.MO('n', []byte("2"), nil); ok {
		t.Error("a number that no rule names has a client")
	}
}
