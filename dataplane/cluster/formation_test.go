package cluster

import (
	"strings"
	"testing"

	"smsplane/ledger/replica"
)

// world is some hosts that hear one another as the test says.
type world map[string]*Formation

var seats = []Seat{{"w", true}, {"a", false}, {"b", false}}

func newWorld() world {
	w := world{}
	for i, s := range seats {
		w[s.Name] = empty(s, byte(i+1))
	}
	return w
}

func empty(s Seat, store byte) *Formation {
	h := Hello{Name: s.Name, Store: ID{store}, Witness: s.Witness}
	if !s.Witness {
		h.Lanes = 8
	}
	return NewFormation(h, seats, nil)
}

// meet lets two say hello to each other, as over the wire.
func (w world) meet(t *testing.T, a, b string) (errs [2]error) {
	t.Helper()
	for i, pair := range [...][2]string{{a, b}, {b, a}} {
		h, err := ParseHello(w[pair[0]].Hello().Encode())
		if err != nil {
			t.Fatal(err)
		}
		_, errs[i] = w[pair[1]].Heard(h)
	}
	return errs
}

func (w world) all(t *testing.T) {
	t.Helper()
	for _, p := range [...][2]string{{"a", "b"}, {"a", "w"}, {"b", "w"}, {"a", "b"}, {"a", "w"}} {
		w.meet(t, p[0], p[1])
	}
}

func TestAClusterIsFormedWhenAllWereHeard(t *testing.T) {
	w := newWorld()
	w.meet(t, "a", "b")
	if w["a"].Table() != nil || !strings.Contains(w["a"].Waits(), "missing: w") {
		t.Fatalf("formed without the witness: %+v, %q", w["a"].Table(), w["a"].Waits())
	}
	w.all(t)
	for _, f := range w {
		table := f.Table()
		if table == nil || table.Cluster != w["a"].Table().Cluster || table.Lanes != 8 || len(table.Members) != 3 {
			t.Fatalf("%s: %+v", f.Self.Name, table)
		}
		if me := f.Me(); me.Store != f.Self.Store || me.Raft() != replica.MakeID(me.Number, 1, f.Self.Witness) {
			t.Errorf("%+v", me)
		}
	}
	if n := w["w"].Me().Number; n != 1 {
		t.Errorf("numbers do not follow the file: w has %d", n)
	}
}

func TestAWipedStoreIsRefusedUntilReplaced(t *testing.T) {
	for _, name := range []string{"a", "b", "w"} {
		w := newWorld()
		w.all(t)
		i := map[string]int{"w": 0, "a": 1, "b": 2}[name]
		w[name] = empty(seats[i], 99)
		for _, other := range seats {
			if other.Name == name {
				continue
			}
			errs := w.meet(t, name, other.Name)
			if errs[0] == nil || !strings.Contains(errs[0].Error(), "cluster replace "+name) {
				t.Errorf("%s wiped, at %s: %v", name, other.Name, errs[0])
			}
		}
		if w[name].Table() != nil || !strings.Contains(w[name].Waits(), "cluster replace "+name) {
			t.Fatalf("%s wiped: %+v, waits: %s", name, w[name].Table(), w[name].Waits())
		}
		keeper := w[map[bool]string{true: "b", false: "a"}[name == "a"]]
		next := keeper.Table().Clone()
		next.Epoch++
		m := next.Find(name)
		m.Store, m.Incarnation = ID{99}, 2
		keeper.Change(next)
		if errs := w.meet(t, name, keeper.Self.Name); errs != [2]error{} || w[name].Table() == nil || w[name].Me().Raft() != replica.MakeID(m.Number, 2, m.Witness) {
			t.Errorf("%s was replaced and is not let in: %v", name, errs)
		}
	}
}

// A host that was added since the node files were written may lead when a store that knows nothing of it is to be taken in.
func TestAnEmptyStoreHearsWhoWasAdded(t *testing.T) {
	w := newWorld()
	w.all(t)
	w["d"] = NewFormation(Hello{Name: "d", Store: ID{4}, Lanes: 8}, append(seats[:3:3], Seat{"d", false}), nil)
	w.meet(t, "d", "a")
	next, err := w["a"].Add("d", "")
	if err != nil {
		t.Fatal(err)
	}
	w["a"].Change(next)
	w.meet(t, "d", "a")
	w["b"] = empty(seats[2], 99)
	if errs := w.meet(t, "d", "b"); errs[0] != nil || errs[1] == nil {
		t.Errorf("b does not hear d, or d takes b in: %v", errs)
	}
	if next, err = w["d"].Replace("b"); err != nil {
		t.Fatal(err)
	}
	w["d"].Change(next)
	if errs := w.meet(t, "d", "b"); errs != [2]error{} || w["b"].Table() == nil {
		t.Errorf("b was replaced and is not let in: %v", errs)
	}
	stranger := NewFormation(Hello{Name: "x", Store: ID{8}, Lanes: 8}, append(seats[:3:3], Seat{"x", false}), nil)
	w["x"], w["b"] = stranger, empty(seats[2], 98)
	if errs := w.meet(t, "x", "b"); errs[0] == nil {
		t.Error("an empty store lets somebody in whom nobody knows")
	}
}

func TestTheReplacedStoreIsTold(t *testing.T) {
	w := newWorld()
	w.all(t)
	next := w["a"].Table().Clone()
	next.Epoch++
	next.Find("b").Store, next.Find("b").Incarnation = ID{77}, 2
	w["a"].Change(next)
	errs := w.meet(t, "a", "b")
	if errs[0] == nil || errs[1] == nil || !strings.Contains(w["b"].Gone(), "replaced this store") {
		t.Errorf("%v, gone: %q", errs, w["b"].Gone())
	}
}

func TestWhoDoesNotFit(t *testing.T) {
	tests := []struct {
		name string
		h    Hello
		want string
	}{
		{"stranger", Hello{Name: "x", Lanes: 8}, "not a member"},
		{"ourselves", Hello{Name: "a", Lanes: 8}, "our own name"},
		{"other lanes", Hello{Name: "b", Lanes: 4}, "lanes: 4"},
		{"a witness here, none there", Hello{Name: "w", Lanes: 8}, "witness"},
	}
	for _, tt := range tests {
		f := empty(seats[1], 2)
		tt.h.Store = ID{9}
		if _, err := f.Heard(&tt.h); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	w, other := newWorld(), newWorld()
	w.all(t)
	other.all(t)
	if _, err := w["a"].Heard(other["b"].Hello()); err == nil || !strings.Contains(err.Error(), "another cluster") {
		t.Errorf("of another cluster: %v", err)
	}
}

func TestNobodyIsMetOnTheWireOfTheFuture(t *testing.T) {
	h := Hello{Oldest: NewestVersion + 1, Newest: NewestVersion + 2, Name: "a", Store: ID{1}}
	if _, err := ParseHello(h.Encode()); err == nil {
		t.Error("a hello of a later version is taken")
	}
}

func TestTableSurvivesItsStore(t *testing.T) {
	w := newWorld()
	w.all(t)
	got, err := ParseTable(w["b"].Table().Encode())
	if err != nil || got.Cluster != w["a"].Table().Cluster || got.ByRaft(w["a"].Me().Raft()).Name != "a" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ParseTable([]byte("{}")); err == nil {
		t.Error("an empty table loads")
	}
}

// A pair without a witness: the one that is left goes on alone, and the other is refused until it comes with another store.
func TestPromote(t *testing.T) {
	pair := seats[1:]
	w := world{}
	for i, s := range pair {
		f := empty(s, byte(i+2))
		f.Seats = pair
		w[s.Name] = f
	}
	w.meet(t, "a", "b")
	w.meet(t, "a", "b")
	table, err := w["b"].Promote()
	if err != nil || len(table.Members) != 1 || table.Members[0] != *w["b"].Me() || table.Epoch != w["a"].Table().Epoch+1 || table.Highest != 2 {
		t.Fatalf("%+v, %v", table, err)
	}
	w["b"].Change(table)
	if again, err := w["b"].Promote(); again != nil || err != nil {
		t.Errorf("once more: %+v, %v", again, err)
	}
	if errs := w.meet(t, "a", "b"); errs[0] == nil || errs[1] == nil || w["a"].Gone() == "" {
		t.Errorf("the old host came back: %v, gone: %q", errs, w["a"].Gone())
	}
	if _, err := w["b"].Add("a", ""); err == nil || !strings.Contains(err.Error(), "empty folder") {
		t.Errorf("the old store is taken in again: %v", err)
	}
	w["a"] = empty(pair[0], 9)
	w["a"].Seats = pair
	w.meet(t, "a", "b")
	if table, err = w["b"].Add("a", ""); err != nil || table.Find("a").Number != 3 {
		t.Fatalf("an empty store: %+v, %v", table, err)
	}
	w["b"].Change(table)
	if errs := w.meet(t, "a", "b"); errs != [2]error{} || w["a"].Me() == nil {
		t.Errorf("the empty store was added and is not let in: %v", errs)
	}
	three := newWorld()
	three.all(t)
	if _, err := three["a"].Promote(); err == nil || !strings.Contains(err.Error(), "without a witness") {
		t.Errorf("beside a witness: %v", err)
	}
}

// A store that held messages before there was a cluster founds it, wherever it stands in the node file, and the others
// join: none of them may elect or be elected before it has what the founder has.
func TestAFullStoreFounds(t *testing.T) {
	w := newWorld()
	w["b"].Self.Founds = true
	w.all(t)
	table := w["a"].Table()
	if table == nil || table.Brought != "b" {
		t.Fatalf("%+v, a waits: %s", table, w["a"].Waits())
	}
	for _, m := range table.Members {
		if m.Joining != (m.Name != "b") {
			t.Errorf("%+v", m)
		}
	}
	w = newWorld()
	w["a"].Self.Founds, w["b"].Self.Founds = true, true
	w.all(t)
	if w["a"].Table() != nil || w["b"].Table() != nil || !strings.Contains(w["a"].Waits(), "several hosts come with messages: a, b") {
		t.Errorf("two full stores: %+v, a waits: %s", w["a"].Table(), w["a"].Waits())
	}
}

// What a host says of its disk is known to the others under its id in raft groups, as it said it last.
func TestRoomsAreTold(t *testing.T) {
	w := newWorld()
	if w["a"].Self.Room = uint8(replica.Full); w["a"].Rooms() != nil {
		t.Error("a store of no cluster knows who has room")
	}
	w.all(t)
	id := w["a"].Me().Raft()
	for name, f := range w {
		if rooms := f.Rooms(); len(rooms) != 1 || rooms[id] != replica.Full {
			t.Errorf("%s knows %v", name, rooms)
		}
	}
	w["a"].Self.Room = 77 // of a build to come
	w.meet(t, "a", "b")
	if rooms := w["b"].Rooms(); rooms[id] != replica.Brimful {
		t.Errorf("%v", rooms)
	}
	w["a"].Self.Room = 0
	w.meet(t, "a", "b")
	if rooms := w["b"].Rooms(); rooms != nil {
		t.Errorf("with room again: %v", rooms)
	}
}
