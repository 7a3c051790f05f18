package entry

import (
	"slices"
	"testing"
	"time"

	"smsplane/ledger"
	"smsplane/pdu"
	"smsplane/pdu/session"
	"smsplane/router"
)

// A paced client that always has messages waiting, as one with a full window does, costs what waits and no more; and they
// come in the order in which it sent them.
func TestPacedForEver(t *testing.T) {
	up, tab := &above{}, tableOf(t, "over_rate: pace, ")
	tab.ClientOf(1).TPS = 500
	d := NewDesk(up, func() *router.Table { return tab }, []*Lane{NewLane(0, 1)}, 1, 0)
	a := &Account{Number: 1}
	a.Credit.Store(1e12)
	s := d.Open(1, a, "c", session.Config{Bind: pdu.BindTransceiver, PeerWindow: 100}, func() {}, aDay)
	m := pdu.Submit{Dst: []byte("4915112345678"), DstTON: 1, DstNPI: 1, Text: []byte("one of many")}
	const window = 10
	sent, answered := uint32(0), uint32(0)
	for now := int64(aDay); answered < 5000; now += int64(10 * time.Millisecond) {
		for ; sent-answered < window; sent++ {
			s.Protocol().Feed(now, m.Append(nil, sent+1))
		}
		d.Pace(now)
		d.Cut(now)
		for ; up.blocks > 0; up.blocks-- {
			d.Committed(0, now)
		}
		for out := s.Protocol().Out(); len(out) > 0; {
			h := pdu.ParseHeader(out)
			if answered++; h.Status != pdu.ROK || h.Sequence != answered {
				t.Fatalf("answer %d is of %d: %v", answered, h.Sequence, h.Status)
			}
			out = out[h.Length:]
		}
		s.Protocol().ResetOut()
	}
	if have := cap(s.late.octets); have > 64<<10 {
		t.Errorf("%d octets are kept for %d messages that wait", have, sent-answered)
	}
}

// A submit_multi of a paced client enters whole and is owed for: what comes behind it waits until its messages have had
// their time, and a client that waited long owes nothing.
func TestPacedMulti(t *testing.T) {
	tab := tableOf(t, "over_rate: pace, ")
	tab.ClientOf(1).TPS = 100
	up := &above{}
	d := NewDesk(up, func() *router.Table { return tab }, []*Lane{NewLane(0, 1)}, 1, 0)
	a := &Account{Number: 1}
	a.Credit.Store(1e12)
	s := d.Open(1, a, "c", session.Config{Bind: pdu.BindTransceiver}, func() {}, aDay)
	to := func(seq uint32, n int) []byte {
		m := pdu.New(pdu.SubmitMulti, pdu.ROK, seq).Set("short_message", []byte("to all"))
		for range n {
			m.Dests = append(m.Dests, pdu.Dest{TON: 1, NPI: 1, Name: []byte("4915112345678")})
		}
		return m.Append(nil)
	}
	one := pdu.Submit{Dst: []byte("4915112345678"), DstTON: 1, DstNPI: 1, Text: []byte("x")}
	start := int64(aDay)
	s.Protocol().Feed(start, slices.Concat(to(1, 200), one.Append(nil, 2), to(3, 50), one.Append(nil, 4)))
	when := map[uint32]time.Duration{}
	turn := func(now int64) {
		d.Pace(now)
		d.Cut(now)
		for ; up.blocks > 0; up.blocks-- {
			d.Committed(0, now)
		}
		for out := s.Protocol().Out(); len(out) > 0; {
			r, _ := pdu.Decode(out[:pdu.ParseHeader(out).Length])
			if when[r.Sequence] = time.Duration(now - start); r.Status != pdu.ROK || len(r.Failed) > 0 {
				t.Errorf("%d: %v, %d refused", r.Sequence, r.Status, len(r.Failed))
			}
			out = out[r.Length:]
		}
		s.Protocol().ResetOut()
	}
	now := start
	for ; now <= start+int64(3*time.Second); now += int64(10 * time.Millisecond) {
		turn(now)
	}
	for seq, want := range map[uint32]time.Duration{1: 0, 2: 2 * time.Second, 3: 2010 * time.Millisecond, 4: 2510 * time.Millisecond} {
		if have, ok := when[seq]; !ok || have < want || have > want+50*time.Millisecond {
			t.Errorf("request %d of four was answered after %v (%v), want %v", seq, have, ok, want)
		}
	}
	if d.Pacing() {
		t.Error("something waits still")
	}
	s.Protocol().Feed(now, to(5, 100))
	turn(now)
	now += int64(2 * time.Second) // nobody looks meanwhile
	s.Protocol().Feed(now, one.Append(nil, 6))
	if turn(now); when[6] != time.Duration(now-start) {
		t.Errorf("after a rest in which all was paid a message waits: %v", when[6])
	}
}

// What a bind has waiting is bounded in octets, too.
func TestPacedOctets(t *testing.T) {
	tab := tableOf(t, "over_rate: pace, ")
	tab.ClientOf(1).TPS = 1
	d := NewDesk(&above{}, func() *router.Table { return tab }, []*Lane{NewLane(0, 1)}, 1, 0)
	a := &Account{Number: 1}
	a.Credit.Store(1e12)
	s := d.Open(1, a, "c", session.Config{Bind: pdu.BindTransceiver}, func() {}, aDay)
	m := pdu.Submit{Dst: []byte("4915112345678"), DstTON: 1, DstNPI: 1, Text: make([]byte, 60_000)}
	for n := range 100 {
		s.Protocol().Feed(aDay, m.Append(nil, uint32(n+1)))
	}
	out := s.Protocol().Out()
	if refused := len(out) / pdu.HeaderLen; refused < 100-1-maxPaced/60_000 || pdu.ParseHeader(out).Status != pdu.RThrottled {
		t.Errorf("%d of 100 messages of 60,000 octets were refused (%v)", refused, pdu.ParseHeader(out).Status)
	}
	if have := len(s.late.octets); have > maxPaced {
		t.Errorf("%d octets wait", have)
	}
}

// data_sm has room for a source of 64 octets (3.4 §4.7.1); what it becomes on the way to a carrier, and its receipt, have not.
func TestDataSMSource(t *testing.T) {
	tab := table(t)
	d := NewDesk(&above{}, func() *router.Table { return tab }, []*Lane{NewLane(0, 1)}, 1, 0)
	a := &Account{Number: 1}
	a.Credit.Store(1e9)
	s := d.Open(1, a, "c", session.Config{Bind: pdu.BindTransceiver}, func() {}, aDay)
	for src, want := range map[string]uint64{"12345678901234567890": 0, "123456789012345678901": 1} {
		m := pdu.Submit{Command: pdu.DataSM, Src: []byte(src), Dst: []byte("4915112345678"), DstTON: 1, DstNPI: 1, Text: []byte("x")}
		s.Protocol().ResetOut()
		s.Protocol().Feed(aDay, m.Append(nil, 1))
		out := s.Protocol().Out()
		if have := uint64(len(out) / pdu.HeaderLen); have != want || want > 0 && pdu.ParseHeader(out).Status != pdu.RInvSrcAdr {
			t.Errorf("source of %d octets: answered %x", len(src), out)
		}
	}
}

// A lane that is led elsewhere leaves nobody waiting here for the end of a message.
func TestClosedLaneForgetsTransactions(t *testing.T) {
	d := NewDesk(&above{}, nil, []*Lane{NewLane(0, 1), NewLane(1, 1)}, 1, 0)
	d.ends[ledger.MakeMsgID(0, 1)], d.ends[ledger.MakeMsgID(1, 1)] = pending{}, pending{}
	d.Close(0)
	if _, kept := d.ends[ledger.MakeMsgID(1, 1)]; !kept || len(d.ends) != 1 {
		t.Errorf("%v wait", d.ends)
	}
}

// A client's rate is for all its binds: one that always has messages waiting does not keep another of them from its turn.
func TestPacedBindsTakeTurns(t *testing.T) {
	up, tab := &above{}, tableOf(t, "over_rate: pace, ")
	tab.ClientOf(1).TPS = 10
	d := NewDesk(up, func() *router.Table { return tab }, []*Lane{NewLane(0, 1)}, 1, 0)
	a := &Account{Number: 1}
	a.Credit.Store(1e12)
	var binds [3]*Session
	var sent, answered [3]int
	for i := range binds {
		binds[i] = d.Open(uint32(i+1), a, "c", session.Config{Bind: pdu.BindTransceiver, PeerWindow: 100}, func() {}, aDay)
	}
	m := pdu.Submit{Dst: []byte("4915112345678"), DstTON: 1, DstNPI: 1, Text: []byte("one of many")}
	const seconds, window = 30, 5
	for now := int64(aDay); now < aDay+seconds*int64(time.Second); now += int64(10 * time.Millisecond) {
		for i, s := range binds {
			for ; sent[i]-answered[i] < window; sent[i]++ {
				s.Protocol().Feed(now, m.Append(nil, uint32(sent[i]+1)))
			}
		}
		d.Pace(now)
		d.Cut(now)
		for ; up.blocks > 0; up.blocks-- {
			d.Committed(0, now)
		}
		for i, s := range binds {
			for out := s.Protocol().Out(); len(out) > 0; out = out[pdu.ParseHeader(out).Length:] {
				answered[i]++
			}
			s.Protocol().ResetOut()
		}
	}
	for i, n := range answered {
		if n < seconds*10/len(binds)-5 {
			t.Errorf("of %d messages in %d seconds bind %d had %d: %v", seconds*10, seconds, i, n, answered)
		}
	}
}
