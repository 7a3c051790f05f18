package sim

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"smsplane/dataplane/config"
)

// world is one simulated run: the clock, what is to come, and everybody in it.
type world struct {
	rng  *rand.Rand
	now  int64
	seq  uint64
	todo agenda

	hosts    []*host
	clients  []*client
	carriers []*carrier
	calm     bool // no faults any more: everything is to come to rest

	net      *network // between hosts; nil: there is one
	spread   bool     // lanes are led by several hosts
	tps      int      // that each carrier takes; 0: any
	sender   int      // the newest owner that sent a message
	ownings  int      // how often a host came to own the links
	leaders  map[leadership]*host
	leases   map[uint16][]lease // by lane
	members  []config.Member
	order    *order // nil: the members are to stay as they are
	reshapes bool   // members come, go and lose their stores
	founding int64

	messages []*message
	crowded  bool // several messages go to one number
	orderly  bool // each has one way to go, and no carrier refuses it or reads past it
	versions int  // of the catalog

	pieces                    time.Duration // the longest delay of the network
	gap                       time.Duration // the longest time between two faults
	deliverWindow, linkWindow int
	perCarrier                int               // sessions kept with each carrier
	files                     map[string][]byte // the catalog, when it is not the usual one
	aside                     func()            // called before each thing that a host does; may be nil
	doubt                     string            // what is done with what is in doubt at the second carrier

	faults   map[string]int
	patience time.Duration // virtual, until everything has come to rest
	story    []string
	verbose  bool
}

// begin is the virtual time at which every run starts.
var begin = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).UnixNano()

func newWorld(seed uint64) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 77)), now: begin, perCarrier: 2, faults: map[string]int{}, leaders: map[leadership]*host{}, leases: map[uint16][]lease{}}
	w.patience = 30 * time.Minute
	w.pieces = []time.Duration{200 * time.Microsecond, 2 * time.Millisecond, 30 * time.Millisecond}[w.rng.IntN(3)]
	return w
}

// event is something that happens at a time; equal times in the order they were told.
type event struct {
	at  int64
	seq uint64
	do  func()
}

type agenda []event

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(v any)   { *a = append(*a, v.(event)) }
func (a *agenda) Pop() any {
	old := *a
	v := old[len(old)-1]
	*a = old[:len(old)-1]
	return v
}

func (w *world) schedule(at int64, do func()) {
	w.seq++
	heap.Push(&w.todo, event{at, w.seq, do})
}

func (w *world) after(d time.Duration, do func()) { w.schedule(w.now+int64(d), do) }

// delay is how long the network takes this time.
func (w *world) delay() int64 { return 10e3 + w.rng.Int64N(int64(w.pieces)) }

// chance is true once in n times.
func (w *world) chance(n int) bool { return w.rng.IntN(n) == 0 }

// between is a time from lo to hi.
func (w *world) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(w.rng.Int64N(int64(hi-lo)))
}

// tell adds a line to the story of the run.
func (w *world) tell(format string, args ...any) {
	const most = 400
	line := fmt.Sprintf("%10.4fs  ", float64(w.now-begin)/1e9) + fmt.Sprintf(format, args...)
	if w.verbose {
		fmt.Println(line)
	}
	if w.story = append(w.story, line); len(w.story) > 2*most {
		w.story = append(w.story[:0], w.story[len(w.story)-most:]...)
	}
}

// failure ends a run: what must hold does not.
type failure struct{ text string }

func (w *world) fail(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }

func (f failure) with(w *world, lines int) string {
	return f.text + "\n" + strings.Join(w.story[max(0, len(w.story)-lines):], "\n")
}

// message finds one by its number.
func (w *world) message(n int) *message {
	if n < 1 || n > len(w.messages) {
		return nil
	}
	return w.messages[n-1]
}

// step lets a little time pass, and everybody work who has something to do.
func (w *world) step() {
	w.advance()
	for len(w.todo) > 0 && w.todo[0].at <= w.now {
		heap.Pop(&w.todo).(event).do()
	}
	for _, h := range w.hosts {
		h.step()
	}
}

// advance moves the clock: a little while there is work, else to whatever comes next.
func (w *world) advance() {
	busy := false
	next := w.now + int64(10*time.Millisecond)
	for _, h := range w.hosts {
		busy = busy || h.busy()
		next = min(next, h.next())
	}
	if len(w.todo) > 0 {
		next = min(next, w.todo[0].at)
	}
	if busy {
		next = min(next, w.now+1e3+w.rng.Int64N(300e3))
	}
	w.now = max(next, w.now+1e3)
}

// until steps until ok holds, for some virtual time at most.
func (w *world) until(what string, within time.Duration, ok func() bool, why func() string) {
	for limit := w.now + int64(within); !ok(); w.step() {
		if w.now > limit {
			w.fail("not within %v: %s\n%s", within, what, why())
		}
	}
}
