//go:build e2e

package failover

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"smsplane/bench/peer"
)

var (
	whole = flag.Int64("whole", 2000, "messages of each of the two clients in TestWholePath")
	calm  = flag.Duration("calm", 3*time.Second, "how long TestNoElectionInCalm sends")
	pace  = flag.Int("pace", 500, "messages a second of each of its two clients")
)

// TestWholePath sends the same load through a single host and through a pair with its witness, as the contract has them, by turns:
// two clients, of two lanes, each at the host that leads its own. What each takes is told. Every promise holds, and in steady state the
// witness is sent no entry and has nothing of any message.
func TestWholePath(t *testing.T) {
	must(t, "ip", "link", "set", "lo", "up")
	must(t, "ip", "addr", "replace", "127.0.0.1/8", "dev", "lo")
	for range *rounds {
		load := peer.Load{Count: *whole}
		single, pair := wholePath(t, load, "single/smsplane.yaml"), pairPath(t, load)
		t.Logf("single host %.0f messages/s, pair and witness %.0f: %.2f of it", single, pair, pair/single)
	}
}

// TestNoElectionInCalm sends at a steady rate through a pair with its witness while nothing happens to it: no lane changes hands.
// Longer and at more of what the pair can: -calm 10m -pace N.
func TestNoElectionInCalm(t *testing.T) {
	must(t, "ip", "link", "set", "lo", "up")
	must(t, "ip", "addr", "replace", "127.0.0.1/8", "dev", "lo")
	rate := pairPath(t, peer.Load{Count: int64(calm.Seconds() * float64(*pace)), Rate: float64(*pace)})
	t.Logf("%.0f messages/s for %v", rate, *calm)
}

// pairPath tries again where the machine stood still.
func pairPath(t *testing.T, load peer.Load) (rate float64) {
	t.Helper()
	for tries := 0; rate == 0; tries++ {
		if tries == 3 {
			t.Fatal("lanes change hands whenever there is load")
		}
		rate = wholePath(t, load, "pair/a.yaml", "pair/b.yaml", "pair/w.yaml")
	}
	return rate
}

// terms are those of lane 0 and of both clients' lanes: they grow with each change of hands.
func (m *member) terms() (all []uint64) {
	m.t.Helper()
	st, err := m.status()
	if err != nil {
		m.t.Fatal(err)
	}
	for _, l := range st.Lanes[:3] {
		all = append(all, l.Term)
	}
	return all
}

// sender is that of every message of TestWholePath: 11 octets that stand nowhere but in messages.
const sender = "WholePathTo"

func wholePath(t *testing.T, load peer.Load, files ...string) (rate float64) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../e2e/testdata/contract")); err != nil {
		t.Fatal(err)
	}
	clients := filepath.Join(dir, "single/catalog/clients.yaml")
	b, err := os.ReadFile(clients)
	if err != nil {
		t.Fatal(err)
	}
	_, one, _ := strings.Cut(string(b), "clients:\n")
	one = strings.NewReplacer("id: meter", "id: second").Replace(one) // system_id, too; the same prices
	if err := os.WriteFile(clients, append(b, one...), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, dir: dir}
	var senders [2]atomic.Pointer[peer.Client]
	for i := range 2 {
		c, err := peer.StartCarrier(peer.CarrierOptions{Listen: fmt.Sprintf("127.0.0.1:%d", 3775+i), Behaviour: peer.Behaviour{Receipts: "asked"},
			Observe: func(run, index uint32, now int64) {
				for k := range senders {
					senders[k].Load().Observe(run, index, now)
				}
			}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s.carriers = append(s.carriers, c)
	}
	var all []*member
	for i, file := range files {
		m := &member{t: t, name: strings.TrimSuffix(filepath.Base(file), ".yaml"), config: filepath.Join(dir, file), admin: fmt.Sprintf("http://127.0.0.%d:8080", i+1),
			witness: strings.HasSuffix(file, "w.yaml"), web: http.Client{Timeout: 3 * time.Second}}
		defer m.tidy()
		m.start()
		all = append(all, m)
	}
	at := [2]int{}
	eventually(t, 2*time.Minute, "the lanes of both clients are led, by two hosts if there are", func() bool {
		at = [2]int{-1, -1}
		for i, m := range all {
			for k := range at {
				if !m.witness && m.leadsLane(uint16(k+1)) {
					at[k] = i
				}
			}
		}
		return min(at[0], at[1]) >= 0 && (len(all) == 1 || at[0] != at[1]) && all[at[0]].ready() && all[at[1]].ready() && s.carriers[0].Binds() == 2 && s.carriers[1].Binds() == 2
	})
	w := all[len(all)-1]
	var before status
	if w.witness {
		wait(time.Second) // since the last lane changed hands
		if before, err = w.status(); err != nil {
			t.Fatal(err)
		}
	}
	terms := all[0].terms()
	rate, problems := s.flood(at, load, &senders)
	if !slices.Equal(terms, all[0].terms()) {
		t.Logf("a lane changed hands meanwhile, as on a machine that stands still for a moment: no figure. %v", problems)
		return 0
	}
	for _, p := range problems {
		t.Error(p)
	}
	if !w.witness {
		return rate
	}
	after, err := w.status()
	if err != nil {
		t.Fatal(err)
	}
	if before.Journal.Appends == 0 {
		t.Error("the witness has written nothing ever, not even a vote: it does not tell")
	}
	t.Logf("the witness: %d appends with %d entries meanwhile", after.Journal.Appends-before.Journal.Appends, after.Journal.Entries-before.Journal.Entries)
	if after.Journal.Entries != before.Journal.Entries {
		t.Errorf("the witness was sent %d entries, and no host was away", after.Journal.Entries-before.Journal.Entries)
	}
	if !holds(t, filepath.Join(dir, "pair/data-a")) || holds(t, filepath.Join(dir, "pair/data-w")) {
		t.Error("the text of messages is to be found in the folder of a host, and not in that of the witness")
	}
	return rate
}

// flood sends from both clients at once, each to its address 127.0.0.at+1, and says which promises were broken; the rate is that up to
// the last arrival.
func (s *site) flood(at [2]int, load peer.Load, senders *[2]atomic.Pointer[peer.Client]) (rate float64, problems []string) {
	t := s.t
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute+*calm)
	defer cancel()
	var c [2]*peer.Client
	ended := make(chan error, len(c))
	for i, login := range []string{"meter", "second"} {
		var err error
		if c[i], err = peer.NewClient(peer.ClientOptions{Address: fmt.Sprintf("127.0.0.%d:2775", at[i]+1), SystemID: login, Password: "meter", Connections: 4, Window: 500}); err == nil {
			err = c[i].Dial(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer c[i].Close()
		senders[i].Store(c[i])
	}
	for i := range c {
		go func() {
			l := load
			l.Receipts, l.From, l.To, l.TextLen = true, sender, fmt.Sprintf("4915%d", i), 60
			err := c[i].Run(ctx, l)
			if err == nil {
				c[i].AwaitReceipts(ctx)
			}
			ended <- err
		}()
	}
	for range c {
		if err := <-ended; err != nil {
			problems = append(problems, err.Error())
		}
	}
	messages, took := int64(0), 0.0
	for i := range c {
		r := c[i].Report()
		var tallies []peer.Tally
		for _, k := range s.carriers {
			tallies = append(tallies, k.Tally())
		}
		a := c[i].Account(tallies...)
		problems = append(problems, peer.Problems(&r, &a)...)
		messages, took = messages+r.Accepted, max(took, float64(r.Accepted)/r.ArrivedTPS)
	}
	return float64(messages) / took, problems
}

// holds says that some file below a folder has the sender of the messages in it.
func holds(t *testing.T, dir string) (found bool) {
	t.Helper()
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || found {
			return err
		}
		b, err := os.ReadFile(file)
		found = found || bytes.Contains(b, []byte(sender))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
