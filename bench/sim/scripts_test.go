package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/pdu"
)

// A scene is one thing that a carrier does wrong, at counts that leave no choice, and what the books say when all has
// come to rest: the same whatever the order in which things happen in between. The window of a link is scene10.
type scene struct {
	name     string
	carrier  string // more keys of north
	link     string // more keys of its link
	second   bool   // south keeps the rules, and is the next target
	messages int    // 0 is 40
	north    script
	binds    int // that north must see, at least

	want          admin.Books
	copies, twice int // that carriers took; messages that were taken more than once
}

const scene10 = 10

// holdsBack answers nothing in its first session until the tenth submit_sm, then does what it does.
func holdsBack(takes bool, then func(s *carrierSession)) script {
	return func(s *carrierSession, h pdu.Header, p []byte) bool {
		if s.mute || s.no > 1 || h.Command != pdu.SubmitSM {
			return s.mute
		}
		if takes {
			s.c.take(s.c.read(p))
		}
		if s.n++; s.n == scene10 {
			then(s)
		}
		return true
	}
}

// answer writes a submit_sm_resp.
func (s *carrierSession) answer(h pdu.Header, st pdu.Status, id string) {
	if st != pdu.ROK {
		_ = s.end.Write(pdu.AppendPlain(nil, h.Command.Resp(), st, h.Sequence))
		return
	}
	_ = s.end.Write(pdu.AppendMessageResp(nil, h.Command, st, h.Sequence, []byte(id)))
}

// answers makes a script of what is done with one message that is taken.
func answers(f func(s *carrierSession, h pdu.Header, m *message, k *copied)) script {
	return func(s *carrierSession, h pdu.Header, p []byte) bool {
		if h.Command != pdu.SubmitSM {
			return false
		}
		m := s.c.read(p)
		f(s, h, m, s.c.take(m))
		return true
	}
}

// inBunches keeps so many answers of each session back, then gives them out; takes the message, and has its receipts
// come as they come.
func inBunches(most int, out func(s *carrierSession)) script {
	return answers(func(s *carrierSession, h pdu.Header, m *message, k *copied) {
		s.c.receipt(m, k)
		if s.held, s.ids = append(s.held, h), append(s.ids, k.id); len(s.held) == most {
			out(s)
			s.held, s.ids = nil, nil
		}
	})
}

func delivered(n uint64) admin.Books {
	return admin.Books{Accepted: n, Delivered: n, ReceiptsReturned: n}
}

// resent adds copies that were sent again out of doubt.
func resent(b admin.Books, n uint64) admin.Books {
	b.Resent = n
	return b
}

var scenes = []scene{
	{name: "resets in the middle of a window, forgets what it had", binds: 2, want: resent(delivered(40), 10), copies: 40,
		north: holdsBack(false, func(s *carrierSession) { s.end.Abort() })},
	{name: "resets in the middle of a window, has taken it all and says nothing of it", binds: 2, want: resent(delivered(40), 10), copies: 50, twice: 10,
		north: holdsBack(true, func(s *carrierSession) { s.end.Abort() })},
	{name: "the same, and what is in doubt expires", carrier: "in_doubt: {default: expire}", binds: 2, copies: 40,
		want: admin.Books{Accepted: 40, Delivered: 30, Unknown: 10, ReceiptsReturned: 40}, north: holdsBack(true, func(s *carrierSession) { s.end.Abort() })},
	{name: "the same, and what is in doubt is held", carrier: "in_doubt: {default: hold}", binds: 2, copies: 40,
		want: admin.Books{Accepted: 40, Delivered: 30, InDoubt: 10, ReceiptsReturned: 30}, north: holdsBack(true, func(s *carrierSession) { s.end.Abort() })},
	{name: "the same, and receipts resolve what is held", carrier: "in_doubt: {default: hold}", binds: 2, want: delivered(40), copies: 40,
		north: holdsBack(true, func(s *carrierSession) {
			for _, m := range s.c.w.messages {
				for _, k := range m.copies {
					s.c.receipt(m, k)
				}
			}
			s.end.Abort()
		})},
	{name: "half-open: swallows, then answers no enquire_link", link: "response_timeout: 3s\nenquire_link: 5s", messages: 10, second: true, binds: 2,
		want: resent(delivered(10), 20), copies: 10, north: holdsBack(false, func(s *carrierSession) { s.mute = true })},
	{name: "half-open: has taken what it never answers", link: "response_timeout: 3s\nenquire_link: 5s", messages: 10, second: true, binds: 2,
		want: resent(delivered(10), 20), copies: 20, twice: 10, north: holdsBack(true, func(s *carrierSession) { s.mute = true })},
	{name: "closes the connection on enquire_link", link: "enquire_link: 1s", binds: 2, want: resent(delivered(40), 10), copies: 50, twice: 10,
		north: func(s *carrierSession, h pdu.Header, p []byte) bool {
			if s.no == 1 && h.Command == pdu.EnquireLink {
				s.end.Close()
				return true
			}
			return holdsBack(true, func(*carrierSession) {})(s, h, p)
		}},
	{name: "garbage in place of answers", binds: 2, want: resent(delivered(40), 10), copies: 50, twice: 10,
		north: holdsBack(true, func(s *carrierSession) {
			s.mute = true
			_ = s.end.Write([]byte("\xff\xff\xff\xff this is not SMPP and never was"))
		})},
	{name: "unbinds behind each tenth, answers what it owes", binds: 2, want: delivered(40), copies: 40,
		north: answers(func(s *carrierSession, h pdu.Header, m *message, k *copied) {
			s.c.receipt(m, k)
			if s.held, s.ids = append(s.held, h), append(s.ids, k.id); len(s.held) < scene10 && !s.mute {
				return
			}
			for i, h := range s.held { // behind its unbind, too: what was on its way
				s.answer(h, pdu.ROK, s.ids[i])
			}
			if s.held, s.ids = nil, nil; !s.mute {
				s.mute = true // a receipt would be refused now
				_ = s.end.Write(pdu.AppendPlain(nil, pdu.Unbind, pdu.ROK, 77))
			}
		})},
	{name: "answers twice", want: delivered(40), copies: 40,
		north: answers(func(s *carrierSession, h pdu.Header, m *message, k *copied) {
			s.c.receipt(m, k)
			s.answer(h, pdu.ROK, k.id)
			s.answer(h, pdu.ROK, k.id)
		})},
	{name: "answers twice, the second time with an error and another id", want: delivered(40), copies: 40,
		north: answers(func(s *carrierSession, h pdu.Header, m *message, k *copied) {
			s.c.receipt(m, k)
			s.answer(h, pdu.ROK, k.id)
			s.answer(h, pdu.RSysErr, "")
			s.answer(h, pdu.ROK, k.id+"-not")
		})},
	{name: "answers out of order", want: delivered(40), copies: 40,
		north: inBunches(scene10, func(s *carrierSession) {
			for i := range s.held {
				s.answer(s.held[len(s.held)-1-i], pdu.ROK, s.ids[len(s.ids)-1-i])
			}
		})},
	{name: "answers what nobody asked", want: delivered(40), copies: 40,
		north: answers(func(s *carrierSession, h pdu.Header, m *message, k *copied) {
			s.c.receipt(m, k)
			strange := h
			strange.Sequence ^= 0x40000000
			s.answer(strange, pdu.ROK, k.id+"-not")
			s.answer(h, pdu.ROK, k.id)
		})},
	{name: "never answers, and takes nothing", link: "response_timeout: 3s", copies: 0,
		want:  admin.Books{Accepted: 40, InDoubt: 40, Resent: 40},
		north: func(s *carrierSession, h pdu.Header, p []byte) bool { return h.Command == pdu.SubmitSM }},
	{name: "never answers, and there is another target", link: "response_timeout: 3s", second: true, want: resent(delivered(40), 80), copies: 40,
		north: func(s *carrierSession, h pdu.Header, p []byte) bool { return h.Command == pdu.SubmitSM }},
	{name: "slow: each answer takes nine tenths of the response timeout", link: "response_timeout: 3s", want: delivered(40), copies: 40,
		north: answers(func(s *carrierSession, h pdu.Header, m *message, k *copied) {
			s.c.w.after(2700*time.Millisecond, func() { s.answer(h, pdu.ROK, k.id); s.c.receipt(m, k) })
		})},
	{name: "too slow, and its late answers end what is held", carrier: "in_doubt: {default: hold}", link: "response_timeout: 3s", want: delivered(40), copies: 40,
		north: answers(func(s *carrierSession, h pdu.Header, m *message, k *copied) {
			s.c.w.after(4*time.Second, func() { s.answer(h, pdu.ROK, k.id) })
			s.c.w.after(6*time.Second, func() { s.c.receipt(m, k) })
		})},
	{name: "throttles each message three times", want: delivered(40), copies: 40, north: refuses(3, pdu.RThrottled)},
	{name: "its queue is full three times for each message, and there is another target", second: true, want: delivered(40), copies: 40, north: refuses(3, pdu.RMsgQFul)},
	{name: "receipts with ids that no answer named", want: admin.Books{Accepted: 40, Unknown: 40, ReceiptsReturned: 40}, copies: 40,
		north: answers(func(s *carrierSession, h pdu.Header, m *message, k *copied) {
			s.answer(h, pdu.ROK, k.id)
			wrong := *k
			wrong.told = "x" + k.told + "x"
			s.c.receipt(m, &wrong)
		})},
	{name: "each receipt before its answer", want: delivered(40), copies: 40,
		north: answers(func(s *carrierSession, h pdu.Header, m *message, k *copied) {
			s.c.post(&parcel{copy: k, m: m})
			s.c.w.after(300*time.Millisecond, func() { s.answer(h, pdu.ROK, k.id) })
		})},
	{name: "a second receipt says the opposite", want: delivered(40), copies: 40,
		north: answers(func(s *carrierSession, h pdu.Header, m *message, k *copied) {
			s.answer(h, pdu.ROK, k.id)
			s.c.w.after(time.Second, func() { s.c.post(&parcel{copy: k, m: m}) })
			other := *k
			other.state = pdu.StateUndeliverable
			s.c.w.after(2*time.Second, func() { s.c.post(&parcel{copy: &other, m: m}) })
		})},
}

// refuses says a status to each message so many times before it takes it.
func refuses(times int, st pdu.Status) script {
	said := map[int]int{}
	return func(s *carrierSession, h pdu.Header, p []byte) bool {
		if h.Command != pdu.SubmitSM {
			return false
		}
		m := s.c.read(p)
		if said[m.n]++; said[m.n]%(times+1) != 0 {
			s.answer(h, st, "")
			return true
		}
		k := s.c.take(m)
		s.answer(h, pdu.ROK, k.id)
		s.c.receipt(m, k)
		return true
	}
}

// set declares the scene's catalog.
func (sc *scene) set() map[string][]byte {
	link := func(port int, keys string) string {
		return fmt.Sprintf("    links:\n      - address: \"127.0.0.1:%d\"\n        system_id: sim\n        password: sim\n        window: %d\n        tps: unlimited\n%s", port, scene10, lines(keys, 8))
	}
	carriers := "carriers:\n  - id: north\n    currency: EUR\n    cost: sent\n    receipt_wait: 60s\n" + lines(sc.carrier, 4) + link(3775, sc.link)
	rates := "kind,party,prefix,mcc,mnc,price,currency,effective_from,effective_to\nsell,post,,,,0.01,EUR,2020-01-01,\nbuy,north,,,,0.005,EUR,2020-01-01,\n"
	routes := "plan,prefix,mcc,mnc,class,tier,weight,carrier\nstandard,,,,,1,1,north\n"
	if sc.second {
		carriers += "  - id: south\n    currency: EUR\n    cost: sent\n    receipt_wait: 60s\n" + link(3776, "")
		rates += "buy,south,,,,0.005,EUR,2020-01-01,\n"
		routes += "standard,,,,,2,1,south\n"
	}
	client := "  - {id: %[1]s, party: post, system_id: %[1]s, password: secret, plan: standard, class: transactional, tps: unlimited, window: 50, deliver_window: 20, " +
		"billing: {mode: postpaid, currency: EUR, credit_limit: 100, charge: sent}}\n"
	return map[string][]byte{"carriers.yaml": []byte(carriers), "rates.csv": []byte(rates), "routes.csv": []byte(routes),
		"clients.yaml": []byte("clients:\n" + fmt.Sprintf(client, "other") + fmt.Sprintf(client, "post"))}
}

func lines(keys string, indent int) (out string) {
	for line := range strings.Lines(keys) {
		out += strings.Repeat(" ", indent) + strings.TrimSpace(line) + "\n"
	}
	return out
}

// stage brings the scene's host, carriers and client up, with so many sessions to each carrier.
func (sc *scene) stage(w *world, sessions int) (*host, *client) {
	w.calm, w.perCarrier, w.files = true, sessions, sc.set()
	w.actor("north", sc.north)
	if sc.second {
		w.actor("south", inBunches(1, func(s *carrierSession) { s.answer(s.held[0], pdu.ROK, s.ids[0]) }))
	}
	h := w.newHost("a", 3, false)
	h.start()
	c := &client{w: w, login: "post", window: 50, pending: map[uint32]*message{}, heard: map[string][]told{}, mos: map[string]int{}}
	w.clients = append(w.clients, c)
	w.after(0, c.dial)
	w.until("client and carriers are bound", time.Minute, func() bool {
		for _, k := range w.carriers {
			if len(k.sessions) < w.perCarrier {
				return false
			}
		}
		return c.bound
	}, w.unrest)
	return h, c
}

func (w *world) actor(id string, s script) *carrier {
	c := &carrier{w: w, id: id, latency: 20 * time.Millisecond, receipts: 500 * time.Millisecond, acked: map[string]bool{}, script: s}
	w.carriers = append(w.carriers, c)
	return c
}

// write submits a message to a number of its own.
func (c *client) write() *message {
	w := c.w
	m := &message{n: len(w.messages) + 1, client: c, registered: 1}
	m.dst = fmt.Sprintf("49151%08d", m.n)
	w.messages = append(w.messages, m)
	c.seq++
	s := pdu.Submit{Src: []byte("sender"), SrcTON: 5, Dst: []byte(m.dst), DstTON: 1, DstNPI: 1, Registered: 1, Text: []byte(m.tag())}
	c.pending[c.seq] = m
	c.sent = append(c.sent, m)
	_ = c.end.Write(s.Append(nil, c.seq))
	return m
}

// still waits until nothing more will happen: nothing is in flight, what is in doubt is held, everything is told.
func (w *world) still(h *host) (b admin.Books) {
	since := w.now
	w.until("everything comes to rest", 10*time.Minute, func() bool {
		if !h.alive || h.s == nil {
			since = w.now
			return false
		}
		b = h.s.Books()
		quiet := b.InFlight == 0 && b.ReceiptsParked == 0
		for _, c := range w.clients {
			quiet = quiet && c.bound && len(c.pending) == 0
		}
		for _, c := range w.carriers {
			quiet = quiet && len(c.box) == 0
			for _, s := range c.sessions {
				quiet = quiet && len(s.out) == 0
			}
		}
		if !quiet {
			since = w.now
		}
		return w.now-since > int64(15*time.Second) // a late answer, an enquire_link, a resend would have come
	}, w.unrest)
	return b
}

// TestScenes has carriers do each wrong thing, in several orders of events, with one outcome.
func TestScenes(t *testing.T) {
	for i := range scenes {
		sc := &scenes[i]
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= 3; seed++ {
				if _, problem := run(seed, false, sc.play); problem != "" {
					t.Fatalf("seed %d: %s", seed, problem)
				}
			}
		})
	}
}

func (sc *scene) play(w *world) {
	h, c := sc.stage(w, 1)
	n := sc.messages
	if n == 0 {
		n = 40
	}
	for range n {
		c.write()
	}
	got := w.still(h)
	want := sc.want
	if got != want {
		w.fail("the books are\n%+v, want\n%+v", got, want)
	}
	copies, twice := 0, 0
	for _, m := range w.messages {
		copies += len(m.copies)
		if len(m.copies) > 1 {
			twice++
		}
		if told := len(c.heard[m.id]); got.InDoubt == 0 && told != 1 {
			w.fail("the client was told %d times of message %d", told, m.n)
		}
	}
	if copies != sc.copies || twice != sc.twice {
		w.fail("carriers took %d copies, %d messages more than once; want %d and %d", copies, twice, sc.copies, sc.twice)
	}
	if binds := w.carriers[0].binds; binds < sc.binds {
		w.fail("north was bound %d times, want %d at least", binds, sc.binds)
	}
	if !got.AddUp() {
		w.fail("the books do not add up: %+v", got)
	}
	w.refold(h)
}

// A receipt comes before its answer, over another session than that, for a message of another lane than the one that
// keeps orphans, and the host is killed at some step in between: the message is delivered, the client told, and,
// since the receipt says what became of it, no second copy is sent.
func TestReceiptBeforeAnswerAndACrash(t *testing.T) {
	points := 120
	if isSet("seeds") {
		points = *seedCount
	}
	sc := &scene{carrier: "in_doubt: {default: hold}", link: "sessions: 2"}
	killed, phases := 0, map[string]int{}
	for point := range points {
		step, done := 0, false
		_, problem := run(uint64(point+1), false, func(w *world) {
			sc.north = func(s *carrierSession, h pdu.Header, p []byte) bool {
				if h.Command != pdu.SubmitSM {
					return false
				}
				m := s.c.read(p)
				k := s.c.take(m)
				w.after(20*time.Millisecond, func() { // the client has its answer by then
					w.aside = func() {
						if step++; step == 1+point && !done {
							done = true
							killed++
							b := w.hosts[0].s.Books()
							phases[fmt.Sprintf("receipt acknowledged %v, delivered %d, client told %v", k.acked, b.Delivered, len(m.client.heard) > 0)]++
							w.hosts[0].die("kill -9", w.hosts[0].disk.killed(), false)
						}
					}
					for _, o := range s.c.sessions {
						if o != s {
							s.c.box = append(s.c.box, &parcel{copy: k, m: m})
							o.pump()
						}
					}
					w.after(2*time.Millisecond, func() { s.answer(h, pdu.ROK, k.id) })
				})
				return true
			}
			w.pieces = 200 * time.Microsecond
			h, c := sc.stage(w, 2)
			m := c.write()
			got := w.still(h)
			if m.id == "" || m.id[:4] == "0000" {
				w.fail("the message is of lane %q", m.id)
			}
			if want := delivered(1); got != want {
				w.fail("killed at step %d: the books are\n%+v, want\n%+v", step, got, want)
			}
			if len(m.copies) != 1 || len(c.heard[m.id]) == 0 {
				w.fail("killed at step %d: %d copies, the client was told %d times", step, len(m.copies), len(c.heard[m.id]))
			}
		})
		if problem != "" {
			t.Fatalf("crash point %d: %s", point, problem)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(phases)) {
		t.Logf("%4d × %s", phases[p], p)
	}
	if killed < points || len(phases) < 4 && !isSet("seeds") {
		t.Errorf("%d of %d crash points, in these phases: %v", killed, points, phases)
	}
}

// What a carrier may be sent in all holds over its sessions: never more than its window is unanswered, and no second
// sees more than its tps, however fast it answers.
func TestBoundsOfACarrier(t *testing.T) {
	for _, c := range []struct {
		keys        string
		tps, window int
		takes       time.Duration // to answer
	}{{"tps: 20", 20, 0, 0}, {"window: 5", 0, 5, 100 * time.Millisecond}, {"tps: 20\nwindow: 5", 20, 5, 150 * time.Millisecond}} {
		sc := &scene{carrier: c.keys, link: "sessions: 3"}
		for seed := uint64(1); seed <= 3; seed++ {
			_, problem := run(seed, false, func(w *world) {
				var came []int64
				unanswered, per := 0, map[int]int{}
				w.pieces = 200 * time.Microsecond // so much later than it left may a message arrive
				sc.north = answers(func(s *carrierSession, h pdu.Header, m *message, k *copied) {
					came = append(came, w.now)
					per[s.no]++
					if unanswered++; c.window > 0 && unanswered > c.window {
						w.fail("%d unanswered at a window of %d", unanswered, c.window)
					}
					if i := len(came) - 1 - c.tps; c.tps > 0 && i >= 0 && w.now-came[i] < int64(time.Second-time.Millisecond) {
						w.fail("%d messages in %v", c.tps+1, time.Duration(w.now-came[i]))
					}
					w.after(c.takes, func() {
						unanswered--
						s.answer(h, pdu.ROK, k.id)
						s.c.receipt(m, k)
					})
				})
				h, client := sc.stage(w, 3)
				began := w.now
				for range 50 {
					client.write()
				}
				w.until("a second batch may be sent", time.Minute, func() bool { return len(client.pending) == 0 }, w.unrest)
				for range 50 {
					client.write()
				}
				if got := w.still(h); got != delivered(100) {
					w.fail("the books are %+v", got)
				}
				if len(per) != 3 {
					w.fail("sessions were sent %v", per)
				}
				if most := 6 * time.Second; time.Duration(came[99]-began) > most {
					w.fail("it took %v, want %v at most", time.Duration(came[99]-began), most)
				}
			})
			if problem != "" {
				t.Fatalf("%s, seed %d: %s", c.keys, seed, problem)
			}
		}
	}
}
