package cluster

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"smsplane/ledger/replica"
)

// Seat is a member as the node file names it; the order of the file gives the numbers.
type Seat struct {
	Name    string
	Witness bool
}

// Formation decides whether this store belongs to a cluster, and who else may talk to it.
//
//	empty ──every configured member heard, none knows a cluster, and we are the founder──▶ formed
//	full, of no cluster ──the same: it is the founder, and the others join it──▶ formed
//	empty ──a table that names our store──▶ formed            empty ──a table that does not──▶ waits
//	formed ──a newer table──▶ formed, or replaced: another store bears our name
type Formation struct {
	Self  Hello // but for the table
	Seats []Seat

	table *Table
	heard map[string]*Hello // the newest hello of each
	wait  string            // why an empty store cannot join
	gone  string            // why a store that was a member is none any more
}

// NewFormation begins with what is stored: table is nil for an empty store.
func NewFormation(self Hello, seats []Seat, table *Table) *Formation {
	self.Oldest, self.Newest, self.Table = OldestVersion, NewestVersion, nil
	return &Formation{Self: self, Seats: seats, table: table, heard: map[string]*Hello{}}
}

// Hello is what we say now.
func (f *Formation) Hello() *Hello {
	h := f.Self
	h.Table = f.table
	return &h
}

// Table is the members' table in force; nil as long as there is none. It is not changed any more.
func (f *Formation) Table() *Table { return f.table }

// Me is our own entry.
func (f *Formation) Me() *Member { return f.table.Find(f.Self.Name) }

// Heard takes a hello. changed says that the table in force is another now, to be stored before it is used or
// announced. err is why the two cannot talk.
func (f *Formation) Heard(h *Hello) (changed bool, err error) {
	f.heard[h.Name] = h
	if err := f.fits(h); err != nil {
		return false, err
	}
	switch {
	case f.table == nil && h.Table == nil:
		return f.found(), nil
	case f.table == nil:
		return f.join(h)
	case h.Table == nil:
		return false, f.known(h)
	case h.Table.Cluster != f.table.Cluster:
		return false, fmt.Errorf("%s belongs to another cluster: %v, we to %v", h.Name, h.Table.Cluster, f.table.Cluster)
	case h.Table.Epoch > f.table.Epoch:
		return f.newer(h)
	}
	return false, f.known(h)
}

// fits compares what both node files say.
func (f *Formation) fits(h *Hello) error {
	if h.Name == f.Self.Name {
		return fmt.Errorf("%s is our own name", h.Name)
	}
	m := f.table.Find(h.Name)
	i := slices.IndexFunc(f.Seats, func(s Seat) bool { return s.Name == h.Name })
	if i < 0 && f.table == nil && h.Table.Find(f.Self.Name) != nil { // it was added since our node file was written, and may have to take us in
		m = h.Table.Find(h.Name)
	}
	switch {
	case m == nil && i < 0:
		return fmt.Errorf("%s is not a member", h.Name)
	case m != nil && m.Witness != h.Witness, m == nil && f.Seats[i].Witness != h.Witness:
		return fmt.Errorf("%s: one side calls it a witness, the other does not", h.Name)
	case h.Lanes != 0 && f.lanes() != 0 && h.Lanes != f.lanes():
		return fmt.Errorf("%s has lanes: %d, we have %d", h.Name, h.Lanes, f.lanes())
	}
	return nil
}

func (f *Formation) lanes() int {
	if f.table != nil {
		return f.table.Lanes
	}
	return f.Self.Lanes
}

// founder is the member that names the cluster: the one whose store holds messages, or else the first that will. Empty
// where several hold some: nobody can say which of them are the right ones.
func (f *Formation) founder() string {
	if full := f.full(); len(full) == 1 {
		return full[0]
	} else if len(full) > 1 {
		return ""
	}
	for _, s := range f.Seats {
		if !s.Witness {
			return s.Name
		}
	}
	return ""
}

// full are the members that come with messages.
func (f *Formation) full() (names []string) {
	for _, s := range f.Seats {
		if h := f.heard[s.Name]; s.Name == f.Self.Name && f.Self.Founds || s.Name != f.Self.Name && h != nil && h.Founds {
			names = append(names, s.Name)
		}
	}
	return names
}

// found makes the table once all are there and empty, if it is for us to do.
func (f *Formation) found() bool {
	if f.founder() != f.Self.Name || len(f.Missing()) > 0 {
		return false
	}
	t := &Table{Epoch: 1, Lanes: f.Self.Lanes}
	if f.Self.Founds {
		t.Brought = f.Self.Name
	}
	_, _ = rand.Read(t.Cluster[:]) // it never fails
	for i, s := range f.Seats {
		store := f.Self.Store
		if s.Name != f.Self.Name {
			h := f.heard[s.Name]
			if h.Table != nil {
				return false
			}
			store = h.Store
		}
		t.Members = append(t.Members, Member{Name: s.Name, Number: uint16(i + 1), Incarnation: 1, Store: store, Witness: s.Witness,
			Joining: f.Self.Founds && s.Name != f.Self.Name}) // a voter that is empty could elect another and undo what the founder holds
	}
	f.table = t
	return true
}

// Missing are the configured members that have not been heard since the start, or do not fit.
func (f *Formation) Missing() (names []string) {
	for _, s := range f.Seats {
		h := f.heard[s.Name]
		if s.Name != f.Self.Name && (h == nil || f.fits(h) != nil) {
			names = append(names, s.Name)
		}
	}
	return names
}

// join takes the table of a formed cluster, if that names our store.
func (f *Formation) join(h *Hello) (bool, error) {
	me := h.Table.Find(f.Self.Name)
	if me == nil || me.Store != f.Self.Store {
		f.wait = fmt.Sprintf("cluster %v is formed and does not know this store, %v; `smsplane cluster replace %s` there takes it in", h.Table.Cluster, f.Self.Store, f.Self.Name)
		return false, nil
	}
	if h.Table.Lanes != f.Self.Lanes && !f.Self.Witness {
		return false, fmt.Errorf("the cluster has %d lanes, our node file says %d", h.Table.Lanes, f.Self.Lanes)
	}
	f.table, f.wait = h.Table, ""
	return true, nil
}

// newer takes a table of a later epoch. One that gives our name to another store puts us out.
func (f *Formation) newer(h *Hello) (bool, error) {
	me := h.Table.Find(f.Self.Name)
	switch {
	case me == nil:
		f.gone = "the cluster has removed this member"
	case me.Store != f.Self.Store:
		f.gone = fmt.Sprintf("the cluster has replaced this store by %v", me.Store)
	default:
		f.table = h.Table
		return true, nil
	}
	return false, fmt.Errorf("%s", f.gone)
}

// known holds the store of who speaks against the table.
func (f *Formation) known(h *Hello) error {
	m := f.table.Find(h.Name)
	if m == nil {
		return fmt.Errorf("%s is not a member of the cluster; `smsplane cluster add %s` makes it one", h.Name, h.Name)
	}
	if m.Store != h.Store {
		return fmt.Errorf("%s comes with store %v, the cluster knows it with %v; `smsplane cluster replace %s` takes the new one in", h.Name, h.Store, m.Store, h.Name)
	}
	return nil
}

// Change puts a table in force that an operator's order made.
func (f *Formation) Change(t *Table) { f.table = t }

// Said is the newest hello of a member, nil for none.
func (f *Formation) Said(name string) *Hello { return f.heard[name] }

// Rooms are the members whose disks have no room, as they said last, by id in raft groups; nil for none.
func (f *Formation) Rooms() (rooms map[uint64]replica.Room) {
	if f.table == nil {
		return nil
	}
	for i := range f.table.Members {
		m := &f.table.Members[i]
		said := f.heard[m.Name]
		if m.Name == f.Self.Name {
			said = &f.Self
		}
		if said == nil || said.Room == 0 || said.Store != m.Store {
			continue
		}
		if rooms == nil {
			rooms = map[uint64]replica.Room{}
		}
		rooms[m.Raft()] = min(replica.Room(said.Room), replica.Brimful)
	}
	return rooms
}

// Gone says why this store is no member any more; empty while it is one.
func (f *Formation) Gone() string { return f.gone }

// Waits says in words what an empty store waits for.
func (f *Formation) Waits() string {
	switch missing := f.Missing(); {
	case f.wait != "":
		return f.wait
	case len(f.full()) > 1:
		return "several hosts come with messages: " + strings.Join(f.full(), ", ") + "; empty the data folders of all but one"
	case len(missing) > 0:
		return "a cluster is formed when every member was reached; missing: " + strings.Join(missing, ", ")
	case f.founder() != f.Self.Name:
		return "waits for " + f.founder() + " to form the cluster"
	}
	return ""
}
