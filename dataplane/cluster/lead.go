package cluster

import (
	"cmp"
	"slices"
)

// Lead is a lane as who spreads leaders sees it.
type Lead struct {
	By     uint64 // who leads it, by id in raft groups
	Weight int    // what leading it takes, compared with other lanes
	Pin    uint64 // who shall lead it by an operator's word; 0: whoever
	Stays  bool   // it moves by an operator's word alone
}

// Shift is the next step to leaders that are spread evenly, and as operators said: one lane that another host should lead. A lane that
// none of the hosts leads, as when the disk of who does is full, goes to the least laden.
// fit says whether a host could take over a lane now. A step without an operator's word makes two hosts more alike than they were, so
// steps come to an end; the same arguments give the same step at every host.
func Shift(lanes []Lead, hosts []uint64, fit func(lane int, host uint64) bool) (lane int, to uint64, ok bool) {
	load := map[uint64]int{}
	for i := range lanes {
		l := &lanes[i]
		if l.Pin != 0 && l.Pin != l.By && slices.Contains(hosts, l.Pin) && fit(i, l.Pin) {
			return i, l.Pin, true
		}
		load[l.By] += l.Weight
	}
	order := slices.Clone(hosts)
	slices.SortFunc(order, func(a, b uint64) int { return cmp.Or(load[b]-load[a], cmp.Compare(a, b)) })
	for i := range lanes {
		if l := &lanes[i]; l.Stays || slices.Contains(hosts, l.By) {
			continue
		}
		for j := len(order) - 1; j >= 0; j-- {
			if fit(i, order[j]) {
				return i, order[j], true
			}
		}
	}
	for _, from := range order { // the most laden first, to the least
		for i := len(order) - 1; i >= 0; i-- {
			if lane, ok := lightest(lanes, from, order[i], load[from]-load[order[i]], fit); ok {
				return lane, order[i], true
			}
		}
	}
	return 0, 0, false
}

// lightest is the lane that makes two hosts most alike whose loads differ by so much.
func lightest(lanes []Lead, from, to uint64, differ int, fit func(lane int, host uint64) bool) (best int, ok bool) {
	left := differ
	for i := range lanes {
		l := &lanes[i]
		if l.By != from || l.Stays || l.Pin == from || l.Weight >= differ {
			continue
		}
		if after := max(differ-2*l.Weight, 2*l.Weight-differ); after < left && fit(i, to) {
			best, left, ok = i, after, true
		}
	}
	return best, ok
}
