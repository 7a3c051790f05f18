package entry

import (
	"sync/atomic"
	"testing"
	"time"

	"smsplane/ledger"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
	"smsplane/pdu/session"
	"smsplane/router"
)

// above is an executor that commits when the test says so.
type above struct{ blocks int }

func (a *above) Block(uint16, []byte)                         { a.blocks++ }
func (a *above) Answered(uint32, ledger.MsgID, pdu.Status)    {}
func (a *above) Unanswered(uint32, ledger.MsgID, bool)        {}
func (a *above) Asked(uint32, uint16, uint32, uint32, []byte) {}

type oneOfEach struct{}

func (oneOfEach) Client(string) (uint32, bool)  { return 1, true }
func (oneOfEach) Carrier(string) (uint16, bool) { return 1, true }

func table(t *testing.T) *router.Table { return tableOf(t, "") }

// tableOf has more keys of the client.
func tableOf(t *testing.T, keys string) *router.Table {
	t.Helper()
	c, err := catalog.Parse(map[string][]byte{
		"clients.yaml": []byte("clients:\n  - {id: c, system_id: c, password: p, plan: s, class: otp, tps: unlimited, " + keys +
			"billing: {mode: postpaid, currency: EUR, credit_limit: 9, charge: sent}}\n"),
		"carriers.yaml": []byte("carriers:\n  - {id: n, currency: EUR, cost: sent, links: []}\n"),
		"rates.csv": []byte("kind,party,prefix,mcc,mnc,price,currency,effective_from,effective_to\n" +
			"sell,c,,,,0.01,EUR,2020-01-01,\nbuy,n,,,,0.01,EUR,2020-01-01,\n"),
		"routes.csv": []byte("plan,prefix,mcc,mnc,class,tier,weight,carrier\ns,,,,,1,1,n\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return router.Compile(c, 1, oneOfEach{})
}

const aDay = 1_800_000_000_000_000_000

// The fuller a client's queue, the higher the congestion_state that a client of 5.0 reads; older ones are sent none.
func TestCongestionIsToldTo50(t *testing.T) {
	for _, version := range []uint8{0x33, 0x34, 0x50} {
		up, tab := &above{}, table(t)
		d := NewDesk(up, func() *router.Table { return tab }, []*Lane{NewLane(0, 1)}, 1, 0)
		d.MaxWaiting = 10
		a := &Account{Number: 1}
		a.Credit.Store(1e9)
		s := d.Open(1, a, "c", session.Config{Bind: pdu.BindTransceiver, Version: version}, func() {}, aDay)
		m := pdu.Submit{Dst: []byte("4915112345678"), DstTON: 1, DstNPI: 1, Text: []byte("x")}
		for n := range 12 {
			s.Protocol().Feed(aDay, m.Append(nil, uint32(n+1)))
			d.Cut(aDay)
			if up.blocks > 0 {
				up.blocks = 0
				d.Committed(0, aDay)
			}
			p := s.Protocol().Out()
			h := pdu.ParseHeader(p)
			got, told := pdu.FindTLV(pdu.ResponseTLVs(p), pdu.TagCongestionState)
			want := uint8(10 * (n + 1))
			switch {
			case n >= 10:
				if h.Status != pdu.RMsgQFul || len(p) != pdu.HeaderLen {
					t.Errorf("version %#x: message %d: %v", version, n, h.Status)
				}
			case h.Status != pdu.ROK:
				t.Errorf("version %#x: message %d: %v", version, n, h.Status)
			case version < 0x50 || want < loaded:
				if told {
					t.Errorf("version %#x: message %d: congestion_state %d", version, n, got)
				}
			case !told || got[0] != want:
				t.Errorf("version %#x: message %d: congestion_state %v, want %d", version, n, got, want)
			}
			s.Protocol().ResetOut()
		}
	}
}

// A worker's rating counts what is accepted: messages that are refused take nothing from the binds that share the worker.
func TestRefusedMessagesTakeNoRating(t *testing.T) {
	const rating = 10
	up, tab := &above{}, table(t)
	d := NewDesk(up, func() *router.Table { return tab }, []*Lane{NewLane(0, 1)}, 1, rating)
	a := &Account{Number: 1}
	a.Credit.Store(1e9)
	noisy := d.Open(1, a, "c", session.Config{Bind: pdu.BindTransceiver}, func() {}, aDay)
	other := d.Open(2, a, "c", session.Config{Bind: pdu.BindTransceiver}, func() {}, aDay)
	bad := pdu.Submit{Dst: []byte("nobody"), DstTON: 1, DstNPI: 1, Text: []byte("x")}
	good := pdu.Submit{Dst: []byte("4915112345678"), DstTON: 1, DstNPI: 1, Text: []byte("x")}
	seq := uint32(0)
	for now := int64(aDay); now < aDay+int64(10*time.Second); now += int64(10 * time.Millisecond) {
		seq++
		noisy.Protocol().Feed(now, bad.Append(nil, seq))
		other.Protocol().Feed(now, good.Append(nil, seq))
		d.Cut(now)
		for ; up.blocks > 0; up.blocks-- {
			d.Committed(0, now)
		}
	}
	if n := d.Counts.Accepted; n < 10*rating-1 || n > 10*rating+1 {
		t.Errorf("%d accepted in 10 s at a rating of %d", n, rating)
	}
	if n := d.Counts.Refused[RefusedNumber]; n < uint64(seq)/20 {
		t.Errorf("%d of %d bad messages were refused for their number", n, seq)
	}
}

// A submit_multi larger than what is left of a block waits for the next one: one commit answers it.
func TestSubmitMultiStaysTogether(t *testing.T) {
	up, tab := &above{}, table(t)
	d := NewDesk(up, func() *router.Table { return tab }, []*Lane{NewLane(0, 1)}, 1, 0)
	a := &Account{Number: 1}
	a.Credit.Store(1e12)
	s := d.Open(1, a, "c", session.Config{Bind: pdu.BindTransceiver}, func() {}, aDay)
	one := pdu.Submit{Dst: []byte("4915112345678"), DstTON: 1, DstNPI: 1, Text: []byte("x")}
	for n := range BlockMessages - 10 {
		s.Protocol().Feed(aDay, one.Append(nil, uint32(n+1)))
	}
	m := pdu.New(pdu.SubmitMulti, pdu.ROK, 9999).Set("short_message", []byte("to all"))
	for range 254 {
		m.Dests = append(m.Dests, pdu.Dest{TON: 1, NPI: 1, Name: []byte("4915112345678")})
	}
	s.Protocol().Feed(aDay, m.Append(nil))
	if up.blocks != 1 {
		t.Fatalf("%d blocks were cut before the submit_multi, want 1", up.blocks)
	}
	d.Cut(aDay)
	d.Committed(0, aDay)
	s.Protocol().ResetOut()
	d.Committed(0, aDay)
	r, st := pdu.Decode(s.Protocol().Out())
	if st != pdu.ROK || r.Command != pdu.SubmitMultiResp || r.Status != pdu.ROK || len(r.Failed) != 0 || len(d.multis) != 0 {
		t.Errorf("%+v, %v, %d answers left", r, st, len(d.multis))
	}
}

// Messages of in_order clients stay in memory while they wait: there is a bound to those of one, and of all, which others
// do not feel.
func TestOrderedHaveABoundOfTheirOwn(t *testing.T) {
	for _, c := range []struct {
		name, keys   string
		mine, others int64
		want         pdu.Status
	}{
		{"one more", "in_order: true, ", 4, 0, pdu.ROK},
		{"half of the bound is its own", "in_order: true, ", 5, 0, pdu.RMsgQFul},
		{"others have all of it", "in_order: true, ", 0, 10, pdu.RMsgQFul},
		{"a client without order", "", 5, 10, pdu.ROK},
	} {
		st := answered(t, c.keys, func(d *Desk, a *Account) {
			d.Ordered, d.MaxOrdered = new(atomic.Int64), 10
			d.Ordered.Store(c.others)
			a.Waiting.Store(c.mine)
		})
		if st != c.want {
			t.Errorf("%s: %v, want %v", c.name, st, c.want)
		}
	}
}

// answered is what a desk of its own says to the first message of a client with such keys, once that is committed.
func answered(t *testing.T, keys string, prepare func(d *Desk, a *Account)) pdu.Status {
	t.Helper()
	up, tab := &above{}, tableOf(t, keys)
	d := NewDesk(up, func() *router.Table { return tab }, []*Lane{NewLane(0, 1)}, 1, 0)
	a := &Account{Number: 1}
	a.Credit.Store(1e9)
	prepare(d, a)
	s := d.Open(1, a, "c", session.Config{Bind: pdu.BindTransceiver}, func() {}, aDay)
	m := pdu.Submit{Dst: []byte("4915112345678"), DstTON: 1, DstNPI: 1, Text: []byte("x")}
	s.Protocol().Feed(aDay, m.Append(nil, 1))
	d.Cut(aDay)
	if up.blocks > 0 {
		d.Committed(0, aDay)
	}
	return pdu.ParseHeader(s.Protocol().Out()).Status
}

// The class of a message is what catalog and sender say, whatever its priority_flag asks for.
func TestPriorityFlagRaisesNothing(t *testing.T) {
	tab := tableOf(t, "senders: {News: bulk, Shop: transactional}, ")
	d := NewDesk(&above{}, func() *router.Table { return tab }, []*Lane{NewLane(0, 1)}, 1, 0)
	a := &Account{Number: 1}
	a.Credit.Store(1e9)
	s := d.Open(1, a, "c", session.Config{Bind: pdu.BindTransceiver}, func() {}, aDay)
	seq := uint32(0)
	for sender, want := range map[string]ledger.Class{"News": ledger.ClassBulk, "Shop": ledger.ClassTransactional, "Bank": ledger.ClassOTP} {
		for priority := range uint8(4) {
			seq++
			m := pdu.Submit{Src: []byte(sender), SrcTON: 5, Dst: []byte("4915112345678"), DstTON: 1, DstNPI: 1, Text: []byte("x"), Priority: priority}
			s.Protocol().Feed(aDay, m.Append(nil, seq))
			if d.Counts.Accepted != uint64(seq) || d.accept.Class != want {
				t.Errorf("%s with priority %d: %v, want %v; %d accepted", sender, priority, d.accept.Class, want, d.Counts.Accepted)
			}
		}
	}
}

// A lane that would need a disk that is full takes nothing new, says so as the state of its congestion to clients of 5.0, and
// takes messages again; one that is led anew begins without it. Other lanes do not feel it.
func TestCrampedLane(t *testing.T) {
	up, tab := &above{}, tableOf(t, "")
	d := NewDesk(up, func() *router.Table { return tab }, []*Lane{NewLane(0, 1), NewLane(1, 1)}, 1, 0)
	seq := uint32(0)
	send := func(lane uint16) pdu.Status {
		a := &Account{Number: 1, Lane: lane}
		a.Credit.Store(1e9)
		s := d.Open(1, a, "c", session.Config{Bind: pdu.BindTransceiver, Version: pdu.Version50}, func() {}, aDay)
		m := pdu.Submit{Dst: []byte("4915112345678"), DstTON: 1, DstNPI: 1, Text: []byte("x")}
		seq++
		s.Protocol().Feed(aDay, m.Append(nil, seq))
		d.Cut(aDay)
		if d.lanes[lane].InFlight() > 0 {
			d.Committed(lane, aDay)
		}
		return pdu.ParseHeader(s.Protocol().Out()).Status
	}
	for i, step := range []struct {
		change func()
		want   pdu.Status
	}{
		{func() {}, pdu.ROK},
		{func() { d.Cramp(1, true) }, pdu.RMsgQFul},
		{func() { d.Cramp(1, false) }, pdu.ROK},
		{func() { d.Cramp(1, true); d.Close(1); d.Lead(1, 100) }, pdu.ROK},
	} {
		step.change()
		if mine, other := send(1), send(0); mine != step.want || other != pdu.ROK {
			t.Errorf("step %d: %v, %v in another lane; want %v", i, mine, other, step.want)
		}
	}
}

// What carriers have and no receipt ended stays in memory: a client may have as much of it there as is left of the bound.
func TestMessagesInMemoryAreBounded(t *testing.T) {
	for _, c := range []struct {
		name       string
		mine, live int64
		want       pdu.Status
	}{
		{"room for more", 49, 50, pdu.ROK},
		{"as much as is left", 50, 50, pdu.RMsgQFul},
		{"another client, beside that one", 0, 99, pdu.ROK},
		{"none is left", 0, 100, pdu.RMsgQFul},
	} {
		st := answered(t, "", func(d *Desk, a *Account) {
			d.Live, d.MaxLive = new(atomic.Int64), 100
			d.Live.Store(c.live)
			a.Awaited.Store(c.mine)
		})
		if st != c.want {
			t.Errorf("%s: %v, want %v", c.name, st, c.want)
		}
	}
}
