package replica

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what the tests get over testdata")

// script runs one file of testdata: commands behind ">", each followed by what it prints. Seeded as all of the simulation,
// so a script is exact; what depends on chance (times, terms, indexes) is not printed.
//
//	cluster DATA WITNESSES SPARES    begins; hosts are numbered from 1, witnesses behind the data hosts
//	load PERCENT                     of the steps (4 ms) in which a leader proposes
//	run MS
//	kill HOST | power HOST | start HOST    the process dies; the power goes; it comes back
//	cut HOST | join                  cut off from all; nobody is cut off
//	freeze HOST MS | stall HOST MS   the process, or the disk, stands still
//	wipe HOST                        its store is lost; the operator replaces it
//	campaign HOST                    it asks to be elected
//	hand HOST                        the leader hands over to it, if it is another
//	add HOST | remove HOST           a spare host joins, a host leaves
//	until CONDITION                  at most 5 s: leader HOST, no leader, single, two copies, member HOST, no member HOST, acks
//	show                             who leads, who sends, copies, what the witness has
//	heal                             all is repaired; ends equal
func (s *sim) command(line string) string {
	f := strings.Fields(line)
	num := func(i int) int {
		n, err := strconv.Atoi(f[i])
		if err != nil {
			s.failf("%s: %v", line, err)
		}
		return n
	}
	host := func() *simHost { return s.hosts[num(1)-1] }
	switch f[0] {
	case "load":
		s.load = num(1)
	case "run":
		s.run(int64(num(1)) * ms)
	case "kill", "power":
		host().kill(f[0] == "power")
	case "start":
		host().start()
	case "campaign":
		host().r.Campaign()
	case "cut":
		s.isolate(host())
	case "join":
		s.cut = [8][8]bool{}
	case "freeze":
		host().frozen = s.now + int64(num(2))*ms
	case "stall":
		host().stalled = s.now + int64(num(2))*ms
	case "wipe":
		s.wipe(host())
	case "add":
		s.pending, s.dropped = host(), 0
	case "remove":
		if err := s.leader().r.ProposeConf(Change{Remove, host().id}); err != nil {
			return err.Error() + "\n"
		}
	case "hand":
		if s.leader() == host() {
			return ""
		}
		if err := s.leader().r.Transfer(host().id); err != nil {
			return err.Error() + "\n"
		}
	case "until":
		s.until(line, 5000*ms, s.condition(f[1:]))
	case "show":
		return s.show()
	case "heal":
		s.heal()
	default:
		s.failf("unknown command %q", line)
	}
	return ""
}

func (s *sim) condition(f []string) func() bool {
	acked := s.check.acked
	member := func(n string) bool {
		l := s.leader()
		return l != nil && slices.ContainsFunc(l.r.Group().Voters, func(id uint64) bool { return fmt.Sprint(Number(id)) == n })
	}
	switch c := strings.Join(f, " "); {
	case c == "no leader":
		return func() bool { return s.leader() == nil }
	case c == "single":
		return func() bool { l := s.leader(); return l != nil && l.r.SingleCopy() }
	case c == "two copies":
		return func() bool { l := s.leader(); return l != nil && !l.r.SingleCopy() }
	case c == "acks":
		return func() bool { return s.check.acked > acked+5 }
	case f[0] == "leader":
		return func() bool { l := s.leader(); return l != nil && fmt.Sprint(l.n) == f[1] }
	case f[0] == "member":
		return func() bool { return member(f[1]) && s.pending == nil }
	case f[0] == "no":
		return func() bool { return !member(f[2]) }
	default:
		s.failf("unknown condition %q", c)
		return nil
	}
}

// show prints what does not depend on chance.
func (s *sim) show() string {
	var b strings.Builder
	for _, h := range s.hosts {
		what := "follows"
		switch {
		case h.spare:
			what = "not a member"
		case h.r == nil:
			what = "down"
		case s.now < h.frozen:
			what = "stands still"
		case h.r.Leader():
			what = "leads"
			if now := h.now(); now < h.r.Lease() && now >= h.r.SendFrom() {
				what += ", sends"
			}
			if h.r.SingleCopy() {
				what += ", single copy"
			}
		case h.r.LeaderID() == 0:
			what = "knows no leader"
		}
		kind := "host"
		if h.witness {
			kind = "witness"
		}
		fmt.Fprintf(&b, "%s %s: %s\n", kind, h.name(), what)
	}
	return b.String()
}

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { runScript(t, file) })
	}
}

func runScript(t *testing.T, file string) {
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var shape [3]int
	var got strings.Builder
	lines := strings.SplitAfter(string(want), "\n")
	for _, line := range lines {
		if strings.HasPrefix(line, "> cluster ") {
			if _, err := fmt.Sscanf(line, "> cluster %d %d %d", &shape[0], &shape[1], &shape[2]); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, broken := simulate(1, mutation{}, shape[0], shape[1], shape[2], func(s *sim) {
		for _, line := range lines {
			switch {
			case strings.HasPrefix(line, "#"), strings.HasPrefix(line, "> cluster "), strings.TrimSpace(line) == "":
				got.WriteString(line)
			case strings.HasPrefix(line, "> "):
				got.WriteString(line + s.command(strings.TrimSpace(line[2:])))
			}
		}
	})
	if broken != "" {
		t.Fatalf("%s\nbehind:\n%s", broken, got.String())
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got.String() != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got.String(), want)
	}
}
