package dataplane

import (
	"strings"
	"testing"

	"smsplane/dataplane/cluster"
	"smsplane/dataplane/config"
	"smsplane/ledger/journal"
	"smsplane/ledger/replica"
	"smsplane/ring"
)

// Pieces do not say of which export they are: those of a host that led the lane before another began to send it are refused.
func TestPiecesOfTwoHostsDoNotMix(t *testing.T) {
	db, err := journal.Open(journal.Options{Dir: t.TempDir(), Logger: testLog})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	n := &Node{db: db, cfg: &config.Node{Lanes: 2}, log: testLog, shipments: newShipments()}
	tell := func(from string, op byte, body []byte) (answers []string) {
		n.shipped(from, 1, append([]byte{op}, body...), func(op byte, body []byte) { answers = append(answers, string(append([]byte{'0' + op}, body...))) })
		return answers
	}
	for i, from := range []string{"a", "b"} {
		meta := journal.Meta{ID: [16]byte{byte(i + 1)}, Lane: 1}
		if got := tell(from, shipBegin, meta.Encode()); len(got) != 1 || got[0] != string(rune('0'+shipGoOn)) {
			t.Fatalf("%s begins: %q", from, got)
		}
	}
	for from, refused := range map[string]bool{"a": true, "b": false} { // nobody's chunk is any good, but b's is looked at
		got := tell(from, shipChunk, []byte("chunk"))
		if len(got) != 1 || got[0][0] != '0'+shipFailed || strings.Contains(got[0], "of another host") != refused {
			t.Errorf("a chunk of %s: %q", from, got)
		}
	}
}

// A stream that breaks ends what is on its way over it, and nothing else.
func TestBrokenStreamEndsAShipment(t *testing.T) {
	s := newShipments()
	to := func(host string, lane uint16) chan []byte {
		c := make(chan []byte, 4)
		s.out[shipKey{host, lane}] = c
		return c
	}
	ended, other := to("b", 0), to("c", 0)
	s.broken("b")
	if len(ended) != 1 || (<-ended)[0] != shipFailed || len(other) != 0 {
		t.Errorf("%d answers, elsewhere %d", len(ended), len(other))
	}
	way := shipment{want: shipOpened}
	if _, err := way.next([]byte{shipFailed}); err == nil {
		t.Error("a shipment ends well that failed")
	}
}

// Raft may ask for a lane that is on its way to the same member already, when it is led here again. That is one shipment, and nobody
// is told how it ended before it has.
func TestSecondShipmentIsNoFailure(t *testing.T) {
	ended := make(chan struct{})
	close(ended) // so that a report, of which the executor would be told, is not waited for
	n := &Node{log: testLog, members: &membership{formation: cluster.NewFormation(cluster.Hello{Name: "a"}, nil, &cluster.Table{})}, shipments: newShipments(),
		x: &executor{bell: ring.NewBell(), done: ended}}
	to := replica.MakeID(2, 1, false)
	n.members.ways.Store(&map[uint64]*cluster.Peer{to: {Name: "b"}})
	n.shipments.out[shipKey{"b", 1}] = make(chan []byte, 4)
	if n.ship(1, to); n.x.queued.Load() != 0 {
		t.Error("the second shipment reports how the first one ended, which it has not")
	}
	if n.ship(0, to+1); n.x.queued.Load() != 1 { // nobody knows that member
		t.Errorf("%d reports of a shipment that cannot begin", n.x.queued.Load())
	}
}

// A lane that would bring this host's disk to its end is refused before the first piece, by what its sender says of its size; one that
// says nothing is an older build.
func TestShipmentNeedsRoom(t *testing.T) {
	db, err := journal.Open(journal.Options{Dir: t.TempDir(), Logger: testLog})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	free := uint64(0)
	n := &Node{db: db, cfg: &config.Node{Lanes: 1}, log: testLog, shipments: newShipments(),
		guard: &guard{reserve: 800, free: func() (uint64, error) { return free, nil }}}
	meta := journal.Meta{ID: [16]byte{1}}
	begin := func(from string) (answer byte) {
		n.shipped(from, 0, append([]byte{shipBegin}, meta.Encode()...), func(op byte, _ []byte) { answer = op })
		return answer
	}
	for from, size := range map[string]uint64{"a": 500, "c": 0} {
		n.shipped(from, 0, be.AppendUint64([]byte{shipSize}, size), func(op byte, _ []byte) { t.Errorf("answer %d to a size", op) })
	}
	for _, v := range []struct {
		from string
		free uint64
		want byte
	}{{"a", 1099, shipFailed}, {"a", 1100, shipGoOn}, {"b", 0, shipGoOn}, {"c", 99, shipFailed}, {"c", 100, shipGoOn}} {
		free = v.free
		if got := begin(v.from); got != v.want {
			t.Errorf("%s begins and %d octets are free: answer %d, want %d", v.from, free, got, v.want)
		}
	}
}
