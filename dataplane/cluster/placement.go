package cluster

import (
	"fmt"
	"slices"
	"strings"
)

// Site is a host that lanes can be placed on.
type Site struct {
	Name string
	Rack string // copies of a lane stand in different racks as long as there are enough; empty: each host is its own
	Gone bool   // dead or leaving: it keeps nothing
}

// Spot is where a lane is kept: its copies, and the one of them that leads while nothing is amiss.
type Spot struct {
	Copies []string
	Leader string
}

// Place says where lanes are kept, by number. Every lane has as many copies as asked for (or as there are hosts); no host
// has more than one copy more than another needs to, and neither does any lead more. A copy that stands where it
// may stand moves only when that makes the load even: moving one costs a snapshot of the lane. The same arguments
// give the same answer at every host.
func Place(sites []Site, lanes, copies int, was []Spot) ([]Spot, error) {
	p := planner{rack: map[string]string{}, copies: map[string]int{}, leads: map[string]int{}, pairs: map[string]int{}}
	for _, s := range sites {
		if s.Gone {
			continue
		}
		p.names = append(p.names, s.Name)
		if p.rack[s.Name] = s.Rack; s.Rack == "" {
			p.rack[s.Name] = "host " + s.Name
		}
	}
	slices.Sort(p.names)
	if copies = min(copies, len(p.names)); copies == 0 {
		return nil, fmt.Errorf("%d hosts cannot keep %d lanes", len(p.names), lanes)
	}
	p.lanes = make([]Spot, lanes)
	for i := range min(lanes, len(was)) {
		for _, name := range was[i].Copies {
			if _, ok := p.rack[name]; ok && len(p.lanes[i].Copies) < copies {
				p.put(i, name)
			}
		}
		p.lanes[i].Leader = was[i].Leader
	}
	for i := range p.lanes {
		for len(p.lanes[i].Copies) < copies {
			p.put(i, p.best(i, -1))
		}
	}
	p.even()
	p.lead()
	return p.lanes, nil
}

// planner is a placement under construction.
type planner struct {
	names  []string
	rack   map[string]string
	lanes  []Spot
	copies map[string]int
	leads  map[string]int
	pairs  map[string]int // lanes that two hosts share: the fewer, the wider a dead host's work spreads
}

func pair(a, b string) string { return min(a, b) + "\x00" + max(a, b) }

func (p *planner) put(lane int, name string) {
	for _, o := range p.lanes[lane].Copies {
		p.pairs[pair(o, name)]++
	}
	p.lanes[lane].Copies = append(p.lanes[lane].Copies, name)
	p.copies[name]++
}

func (p *planner) take(lane, copy int) (name string) {
	c := p.lanes[lane].Copies
	name = c[copy]
	p.lanes[lane].Copies = slices.Delete(slices.Clone(c), copy, copy+1)
	for _, o := range p.lanes[lane].Copies {
		p.pairs[pair(o, name)]--
	}
	p.copies[name]--
	return name
}

// best is the host for one more copy of a lane: in a rack that has none if there is one, with the fewest copies,
// with the fewest neighbours in common. most bounds its copies; below 0 nothing does.
func (p *planner) best(lane, most int) (best string) {
	score := func(name string) (s [3]int) {
		for _, o := range p.lanes[lane].Copies {
			if p.rack[o] == p.rack[name] {
				s[0]++
			}
			s[2] += p.pairs[pair(o, name)]
		}
		s[1] = p.copies[name]
		return s
	}
	var low [3]int
	for _, name := range p.names {
		if slices.Contains(p.lanes[lane].Copies, name) || most >= 0 && p.copies[name] >= most {
			continue
		}
		if s := score(name); best == "" || slices.Compare(s[:], low[:]) < 0 {
			best, low = name, s
		}
	}
	return best
}

// even moves copies from the hosts with the most to those with the fewest, until none has two more than another.
func (p *planner) even() {
	for range len(p.lanes) * len(p.names) {
		full, free := p.extremes(p.copies)
		if p.copies[full]-p.copies[free] < 2 || !p.shift(full, p.copies[full]-1) {
			return
		}
	}
}

// shift moves one copy away from a host, to one that will have at most so many.
func (p *planner) shift(from string, most int) bool {
	for i := range p.lanes {
		at := slices.Index(p.lanes[i].Copies, from)
		if at < 0 {
			continue
		}
		p.take(i, at)
		if to := p.best(i, most); to != "" && to != from && p.crowd(i, to) <= p.crowd(i, from) {
			p.put(i, to)
			return true
		}
		p.put(i, from)
	}
	return false
}

// crowd is how many copies of a lane stand in the rack of a host.
func (p *planner) crowd(lane int, name string) (n int) {
	for _, o := range p.lanes[lane].Copies {
		if p.rack[o] == p.rack[name] {
			n++
		}
	}
	return n
}

func (p *planner) extremes(count map[string]int) (most, least string) {
	most, least = p.names[0], p.names[0]
	for _, name := range p.names {
		if count[name] > count[most] {
			most = name
		}
		if count[name] < count[least] {
			least = name
		}
	}
	return most, least
}

// lead names the leaders: who led goes on, and then leads are passed along copies from the hosts with the most to those with
// the fewest, over as many lanes as it takes.
func (p *planner) lead() {
	for i := range p.lanes {
		l := &p.lanes[i]
		if !slices.Contains(l.Copies, l.Leader) {
			l.Leader = slices.MinFunc(l.Copies, func(a, b string) int {
				if p.leads[a] != p.leads[b] {
					return p.leads[a] - p.leads[b]
				}
				return strings.Compare(a, b)
			})
		}
		p.leads[l.Leader]++
	}
	for range len(p.lanes) * 2 {
		full, free := p.extremes(p.leads)
		if p.leads[full]-p.leads[free] < 2 || !p.pass(full) {
			return
		}
	}
}

// pass moves one lead away from a host to one that has at least two fewer, along the shortest way.
func (p *planner) pass(from string) bool {
	type step struct {
		lane int
		by   string
	}
	came, queue := map[string]step{from: {}}, []string{from}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if p.leads[at] <= p.leads[from]-2 {
			p.leads[at]++
			for at != from {
				s := came[at]
				p.lanes[s.lane].Leader = at
				at = s.by
			}
			p.leads[from]--
			return true
		}
		for i := range p.lanes {
			if p.lanes[i].Leader != at {
				continue
			}
			for _, to := range p.lanes[i].Copies {
				if _, ok := came[to]; !ok {
					came[to] = step{i, at}
					queue = append(queue, to)
				}
			}
		}
	}
	return false
}

// Moves counts the copies of lanes that b has where a has none: each is a snapshot over the network.
func Moves(a, b []Spot) (n int) {
	for i := range b {
		for _, name := range b[i].Copies {
			if i >= len(a) || !slices.Contains(a[i].Copies, name) {
				n++
			}
		}
	}
	return n
}
