package router

import (
	"cmp"
	"slices"
	"sort"
)

// prefixes finds the longest of many prefixes. Laid out to maxDigits, every prefix is a range of numbers,
// and ranges of prefixes either nest or do not meet; so the number line falls into segments that each have
// one longest prefix. A lookup is one binary search in a flat array, whatever the prefixes' lengths, and a
// link from each prefix to the next shorter one leads on when the longest does not apply.
type prefixes struct {
	starts []uint64 // where a segment begins, ascending
	found  []int32  // by segment: index into nodes, or none
	nodes  []prefixNode
}

type prefixNode struct {
	up     int32 // the next shorter prefix that contains this one, or none
	value  int32
	digits uint8
}

const none int32 = -1

// spread lays digits out to maxDigits, filled with zeros on the right.
func spread(v uint64, digits int) uint64 { return v * pow10[maxDigits-digits] }

type prefixValue struct {
	text  string // digits; empty matches every number
	value int32
}

func newPrefixes(list []prefixValue) prefixes {
	type interval struct {
		start, end uint64
		node       int32
	}
	p := prefixes{}
	var all []interval
	for _, x := range list {
		var v uint64
		for i := range len(x.text) {
			v = v*10 + uint64(x.text[i]-'0')
		}
		at := spread(v, len(x.text))
		all = append(all, interval{at, at + spread(1, len(x.text)), int32(len(p.nodes))})
		p.nodes = append(p.nodes, prefixNode{up: none, value: x.value, digits: uint8(len(x.text))})
	}
	slices.SortFunc(all, func(a, b interval) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end)) })
	var open []interval // those that contain the current position, the longest prefix last
	closeUntil := func(at uint64) {
		for len(open) > 0 && open[len(open)-1].end <= at {
			end := open[len(open)-1].end
			open = open[:len(open)-1]
			up := none
			if len(open) > 0 {
				up = open[len(open)-1].node
			}
			p.cut(end, up)
		}
	}
	for _, x := range all {
		closeUntil(x.start)
		if len(open) > 0 {
			p.nodes[x.node].up = open[len(open)-1].node
		}
		p.cut(x.start, x.node)
		open = append(open, x)
	}
	closeUntil(spread(10, 1))
	return p
}

// cut begins a segment; one that began at the same place was empty.
func (p *prefixes) cut(at uint64, node int32) {
	if k := len(p.starts); k > 0 && p.starts[k-1] == at {
		p.found[k-1] = node
		return
	}
	p.starts = append(p.starts, at)
	p.found = append(p.found, node)
}

// longest is the node of the longest prefix of n, or none.
func (p *prefixes) longest(n Number) int32 {
	digits := n.Digits()
	if digits == 0 || digits > maxDigits {
		return none
	}
	at := spread(uint64(n), digits)
	k := sort.Search(len(p.starts), func(i int) bool { return p.starts[i] > at })
	if k == 0 {
		return none
	}
	node := p.found[k-1]
	// Filled with zeros, a short number lies in the range of prefixes that are longer than itself.
	for node != none && int(p.nodes[node].digits) > digits {
		node = p.nodes[node].up
	}
	return node
}
