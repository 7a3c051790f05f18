package cluster

import (
	"fmt"
	"testing"
)

func sites(n, racks int) (all []Site) {
	for i := range n {
		s := Site{Name: fmt.Sprintf("h%03d", i)}
		if racks > 0 {
			s.Rack = fmt.Sprint(i % racks)
		}
		all = append(all, s)
	}
	return all
}

// loads are the most and the fewest copies and leads of any host.
func loads(all []Site, spots []Spot) (copies, leads [2]int) {
	c, l := map[string]int{}, map[string]int{}
	for _, s := range spots {
		for _, name := range s.Copies {
			c[name]++
		}
		l[s.Leader]++
	}
	copies, leads = [2]int{1 << 30, 0}, [2]int{1 << 30, 0}
	for _, s := range all {
		if !s.Gone {
			copies = [2]int{min(copies[0], c[s.Name]), max(copies[1], c[s.Name])}
			leads = [2]int{min(leads[0], l[s.Name]), max(leads[1], l[s.Name])}
		}
	}
	return copies, leads
}

func mustPlace(t *testing.T, all []Site, lanes, copies int, was []Spot) []Spot {
	t.Helper()
	spots, err := Place(all, lanes, copies, was)
	if err != nil {
		t.Fatal(err)
	}
	rack := map[string]string{}
	for _, s := range all {
		rack[s.Name] = s.Rack
	}
	for i, s := range spots {
		if len(s.Copies) != copies || s.Copies[0] == s.Copies[1] || rack[s.Copies[0]] != "" && rack[s.Copies[0]] == rack[s.Copies[1]] {
			t.Fatalf("lane %d is kept by %v", i, s.Copies)
		}
	}
	c, l := loads(all, spots)
	if c[1]-c[0] > 1 || l[1]-l[0] > 1 {
		t.Errorf("%d lanes on %d hosts: copies %v, leads %v", lanes, len(all), c, l)
	}
	return spots
}

func TestPlaceIsEvenAndMovesLittle(t *testing.T) {
	for _, n := range []int{2, 3, 5, 10, 40, 100} {
		for _, racks := range []int{0, 5} {
			if racks > 0 && n < 10 {
				continue
			}
			all, lanes := sites(n, racks), 8*n
			spots := mustPlace(t, all, lanes, 2, nil)
			if again := mustPlace(t, all, lanes, 2, spots); Moves(spots, again) != 0 {
				t.Errorf("%d hosts: a placement that is even is changed", n)
			}
			more := append(sites(n, racks), Site{Name: "new", Rack: map[bool]string{true: "0"}[racks > 0]})
			grown := mustPlace(t, more, lanes, 2, spots)
			if moved, fair := Moves(spots, grown), 2*lanes/(n+1); moved > fair+1 {
				t.Errorf("%d hosts and one more: %d copies move, its share is %d", n, moved, fair)
			}
			if n == 2 {
				continue
			}
			less := sites(n, racks)
			less[1].Gone = true
			left := mustPlace(t, less, lanes, 2, spots)
			if moved, had := Moves(spots, left), 2*lanes/n; moved > had+had/2+2 {
				t.Errorf("%d hosts less one: %d copies move, it had %d", n, moved, had)
			}
		}
	}
}

func TestPlaceWithoutHosts(t *testing.T) {
	if _, err := Place([]Site{{Name: "a", Gone: true}}, 8, 2, nil); err == nil {
		t.Error("lanes were placed on a host that is gone")
	}
}
