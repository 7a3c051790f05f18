package cluster

import (
	"fmt"
	"maps"
)

// Orders of an operator. Each makes the next table, which is stored before Change puts it in force; the lanes'
// raft groups follow it one change at a time.

// Replace takes the store in that a known member comes with now: the one before must never come back.
func (f *Formation) Replace(name string) (*Table, error) {
	t, h, err := f.next(name)
	if err != nil {
		return nil, err
	}
	m := t.Find(name)
	switch {
	case m == nil:
		return nil, fmt.Errorf("%s is not a member; `smsplane cluster add %s` makes it one", name, name)
	case h.Store == m.Store:
		return nil, fmt.Errorf("%s comes with the store that the cluster knows, %v; there is nothing to replace", name, m.Store)
	}
	m.Store, m.Joining = h.Store, true
	m.Incarnation++
	return t, nil
}

// Add makes a host a member that has none of the names here. address may be empty when the node files name it.
func (f *Formation) Add(name, address string) (*Table, error) {
	t, h, err := f.next(name)
	if err != nil {
		return nil, err
	}
	switch {
	case t.Find(name) != nil:
		return nil, fmt.Errorf("%s is a member already", name)
	case h.Table != nil:
		return nil, fmt.Errorf("%s comes with the store of a former member; start it with an empty folder", name)
	}
	number := uint16(0)
	for _, m := range t.Members {
		number = max(number, m.Number)
	}
	number = max(number, t.Highest) + 1
	t.Highest = number
	t.Members = append(t.Members, Member{Name: name, Number: number, Incarnation: 1, Store: h.Store, Witness: h.Witness, Address: address, Joining: true})
	return t, nil
}

// next is a copy of the table with the next epoch, and what a host that is to join said last.
func (f *Formation) next(name string) (*Table, *Hello, error) {
	if f.table == nil {
		return nil, nil, fmt.Errorf("this store belongs to no cluster")
	}
	h := f.heard[name]
	switch {
	case name == f.Self.Name:
		return nil, nil, fmt.Errorf("%s is this host; give the order at another one", name)
	case h == nil:
		return nil, nil, fmt.Errorf("%s has not been heard; start it first", name)
	case h.Table != nil && h.Table.Cluster != f.table.Cluster:
		return nil, nil, fmt.Errorf("the store of %s belongs to another cluster, %v", name, h.Table.Cluster)
	}
	t := f.table.Clone()
	t.Epoch++
	return t, h, nil
}

// Remove takes a member out. Its number is never given again.
func (f *Formation) Remove(name string) (*Table, error) {
	if f.table.Find(name) == nil {
		return nil, fmt.Errorf("%s is not a member", name)
	}
	if name == f.Self.Name {
		return nil, fmt.Errorf("%s is this host; give the order at another one", name)
	}
	t := f.table.Clone()
	t.Epoch++
	rest, data := t.Members[:0], 0
	for _, m := range t.Members {
		t.Highest = max(t.Highest, m.Number)
		if m.Name != name {
			rest = append(rest, m)
			if !m.Witness {
				data++
			}
		}
	}
	maps.DeleteFunc(t.Leads, func(_ uint16, by string) bool { return by == name })
	if t.Members = rest; data == 0 {
		return nil, fmt.Errorf("without %s nobody would store messages", name)
	}
	return t, nil
}

// Lead says by which host a lane shall be led; no name: by whichever it suits.
func (f *Formation) Lead(lane uint16, name string) (*Table, error) {
	m := f.table.Find(name)
	switch {
	case f.table == nil:
		return nil, fmt.Errorf("this store belongs to no cluster")
	case int(lane) >= f.table.Lanes:
		return nil, fmt.Errorf("there is no lane %d, lanes are 0 to %d", lane, f.table.Lanes-1)
	case name != "" && (m == nil || m.Witness):
		return nil, fmt.Errorf("%s is not a member that stores messages", name)
	case f.table.Leads[lane] == name:
		return nil, nil
	}
	t := f.table.Clone()
	t.Epoch++
	if t.Leads == nil {
		t.Leads = map[uint16]string{}
	}
	if t.Leads[lane] = name; name == "" {
		delete(t.Leads, lane)
	}
	return t, nil
}

// Settled notes that a member votes in every lane; nil when that is known.
func (f *Formation) Settled(name string) *Table {
	if m := f.table.Find(name); m == nil || !m.Joining {
		return nil
	}
	t := f.table.Clone()
	t.Epoch++
	t.Find(name).Joining = false
	return t
}

// Promote makes this store the only member, when the other host of a pair is gone for good. nil: it is that already.
func (f *Formation) Promote() (*Table, error) {
	me := f.Me()
	switch {
	case me == nil:
		return nil, fmt.Errorf("this store belongs to no cluster")
	case me.Joining:
		return nil, fmt.Errorf("%s is joining: it does not have all that the other host acknowledged", me.Name)
	case len(f.table.Members) == 1:
		return nil, nil
	case len(f.table.Members) > 2 || f.table.witnessed():
		return nil, fmt.Errorf("only a pair without a witness is promoted: a majority of %d members goes on by itself, and without one there may be messages that only the others have", len(f.table.Members))
	}
	t := f.table.Clone()
	t.Epoch++
	for _, m := range t.Members {
		t.Highest = max(t.Highest, m.Number)
	}
	t.Members = []Member{*me}
	return t, nil
}
