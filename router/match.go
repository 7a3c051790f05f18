package router

import "smsplane/ledger/catalog"

// netID is an MCC and MNC packed, 0 none: MCC+1 in the upper bits, then the MNC's length and value, because
// 05 and 005 are different networks.
type netID uint32

const mncBits = 12

func packNet(mcc, mnc string) netID {
	if mcc == "" {
		return 0
	}
	return netID(atoi(mcc)+1)<<mncBits | netID(len(mnc))<<10 | netID(atoi(mnc))
}

// country drops the MNC.
func (id netID) country() netID { return id &^ (1<<mncBits - 1) }

func atoi(s string) int {
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

// matcher finds the values that a table keeps for a number, the most exact first.
type matcher struct {
	nets map[netID]int32
	prefixes
}

// matchIndex collects rows by match before a matcher is built: every distinct match gets the next value.
type matchIndex struct {
	values map[catalog.Match]int32
	order  []catalog.Match
}

// newMatchIndex makes an empty one with room for so many.
func newMatchIndex(room int) *matchIndex {
	return &matchIndex{values: make(map[catalog.Match]int32, room), order: make([]catalog.Match, 0, room)}
}

func (x *matchIndex) value(m catalog.Match) int32 {
	v, ok := x.values[m]
	if !ok {
		v = int32(len(x.order))
		x.values[m] = v
		x.order = append(x.order, m)
	}
	return v
}

func (x *matchIndex) matcher() matcher {
	m := matcher{nets: map[netID]int32{}}
	var list []prefixValue
	for v, key := range x.order {
		if key.MCC != "" {
			m.nets[packNet(key.MCC, key.MNC)] = int32(v)
			continue
		}
		list = append(list, prefixValue{key.Prefix, int32(v)})
	}
	m.prefixes = newPrefixes(list)
	return m
}

// cursor walks the values of one number: exact MCC and MNC, MCC, then prefixes from the longest to the empty.
type cursor struct {
	m    *matcher
	n    Number
	net  netID
	step uint8
	node int32
}

func (m *matcher) walk(n Number, net netID) cursor { return cursor{m: m, n: n, net: net} }

// next is the next value, or none.
func (c *cursor) next() int32 {
	if c.step == 0 {
		c.step = 1
		if c.net != c.net.country() && len(c.m.nets) > 0 {
			if v, ok := c.m.nets[c.net]; ok {
				return v
			}
		}
	}
	if c.step == 1 {
		c.step, c.node = 2, none
		if c.net != 0 && len(c.m.nets) > 0 {
			if v, ok := c.m.nets[c.net.country()]; ok {
				return v
			}
		}
	}
	if c.step == 2 {
		c.step, c.node = 3, c.m.longest(c.n)
	} else if c.node != none {
		c.node = c.m.nodes[c.node].up
	}
	if c.node == none {
		return none
	}
	return c.m.nodes[c.node].value
}
