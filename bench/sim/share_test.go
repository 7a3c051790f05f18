package sim

import (
	crand "crypto/rand"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"smsplane/pdu"
)

// TestShares: a carrier that admits one bind and a hundred messages a second serves the clients of two hosts alike: while each
// host leads the lane of one client, while the owner of the link is dead and the other leads both, and when it is back.
func TestShares(t *testing.T) {
	real := crand.Reader
	defer func() { crand.Reader = real }()
	crand.Reader = rand.NewChaCha8([32]byte{7})
	w, problem := run(7, false, func(w *world) { w.shares(t) })
	if problem != "" {
		t.Fatal(problem)
	}
	if w.faults["a guest sends"] == 0 {
		t.Error("no message went over another host's link")
	}
}

// shareFor is how long each part of it is looked at.
const shareFor = 4 * time.Second

// sharing starts three hosts, of which one may be a witness, a carrier with one bind, and two clients of lanes that are led apart.
func (w *world) sharing(witness bool) (north *carrier) {
	north = w.sharers(witness)
	for _, h := range w.hosts {
		h.start()
	}
	return north
}

// sharers are they before they start.
func (w *world) sharers(witness bool) (north *carrier) {
	w.spread, w.perCarrier = true, 1
	w.patience = 10 * time.Minute
	w.newCluster(3, false, witness, 0)
	w.files = shareFiles(w.catalog(1))
	north = w.newCarrier("north")
	north.latency, north.receipts, north.manners = 5*time.Millisecond, 10*time.Millisecond, manners{}
	for _, login := range []string{"post", "pre"} {
		c := w.newClient(login, false)
		c.window, c.rate = 40, 50*time.Millisecond
	}
	for _, h := range w.hosts {
		h.clock = 1
	}
	return north
}

func (w *world) shares(t *testing.T) {
	w.tps, w.linkWindow, w.deliverWindow = 100, 30, 20
	north := w.sharing(true)
	w.until("each host leads the lane of one client, and both have more than is sent", time.Minute, func() bool { return w.apart() && w.offered() }, w.unrest)
	w.share(t, "led by both", north, shareFor)
	if !w.apart() {
		t.Error("lanes were handed over meanwhile")
	}
	owner := w.leader()
	w.tell("the owner of the link dies")
	owner.die("kill -9", owner.disk.killed(), false)
	w.share(t, "over the failover", north, 3*shareFor) // the lanes of the dead host are led again one after the other
	w.until("each host leads one again", time.Minute, func() bool { return w.apart() }, w.unrest)
	w.share(t, "led by both again", north, shareFor)
	for _, h := range w.hosts {
		if h.s != nil {
			w.faults["a guest sends"] += int(h.s.ForGuests())
		}
	}
	w.clear()
	w.rest()
	w.equal(w.judge(w.leader()))
}

// shareFiles is a catalog with one carrier, and two clients that differ in nothing but their lanes.
func shareFiles(files map[string][]byte) map[string][]byte {
	carriers := string(files["carriers.yaml"])
	files["carriers.yaml"] = []byte(carriers[:strings.Index(carriers, "  - id: south")])
	clients := string(files["clients.yaml"])
	clients = strings.ReplaceAll(strings.ReplaceAll(clients, "mode: prepaid", "mode: postpaid"), "credit_limit: 2,", "credit_limit: 100,")
	files["clients.yaml"] = []byte(strings.ReplaceAll(strings.ReplaceAll(clients, "charge: delivered", "charge: sent"), "class: otp", "class: transactional"))
	files["rates.csv"] = []byte(strings.ReplaceAll(string(files["rates.csv"]), "buy,south,,,,0.002,EUR,2020-01-01,\n", ""))
	files["routes.csv"] = []byte("plan,prefix,mcc,mnc,class,tier,weight,carrier\nstandard,,,,,1,1,north\n")
	files["mo.yaml"] = []byte("mo:\n  - {match: {carrier: north, to: \"12345\"}, client: post}\n")
	return files
}

// apart says that two hosts lead the lanes of the two clients.
func (w *world) apart() bool {
	var by [3]*host
	for _, h := range w.hosts {
		for lane := range uint16(3) {
			if h.alive && h.s != nil && h.s.Leads(lane) {
				by[lane] = h
			}
		}
	}
	return by[0] != nil && by[1] != nil && by[2] != nil && by[1] != by[2]
}

// offered says that of each client a hundred messages and more wait.
func (w *world) offered() bool {
	var n [2]int
	for _, m := range w.messages {
		if m.answered && m.status == pdu.ROK && len(m.copies) == 0 {
			n[btoi(m.client == w.clients[1])]++
		}
	}
	return min(n[0], n[1]) > 100
}

// share lets time pass and counts what the carrier took of each client meanwhile.
func (w *world) share(t *testing.T, when string, c *carrier, d time.Duration) {
	before := w.takenOf()
	for end := w.now + int64(d); w.now < end; {
		w.step()
	}
	var took [2]int
	for i, n := range w.takenOf() {
		took[i] = n - before[i]
	}
	per := float64(took[0]+took[1]) / d.Seconds()
	t.Logf("%s: %d and %d messages in %v, %.1f a second of %d", when, took[0], took[1], d, per, w.tps)
	if mean := float64(took[0]+took[1]) / 2; float64(took[0]) < 0.9*mean || float64(took[0]) > 1.1*mean {
		t.Errorf("%s: the clients of the two hosts are not served alike", when)
	}
}

// takenOf counts the messages of each client that carriers took, copies of one message once.
func (w *world) takenOf() (n [2]int) {
	for _, m := range w.messages {
		if len(m.copies) > 0 {
			n[btoi(m.client == w.clients[1])]++
		}
	}
	return n
}
