package dataplane_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"smsplane/pdu"
)

// apply puts the folder's catalog in force.
func (s *stage) apply(p play) {
	s.t.Helper()
	s.catalog(p)
	files := map[string][]byte{}
	for _, name := range []string{"clients.yaml", "carriers.yaml", "rates.csv", "routes.csv"} {
		files[name] = s.read("catalog/" + name)
	}
	body, _ := json.Marshal(map[string]any{"files": files, "author": "test"})
	resp, err := http.Post("http://"+s.admin+"/api/v1/apply", "application/json", bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var r struct {
		Applied  bool
		Problems []string
	}
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil || !r.Applied {
		s.t.Fatalf("apply: %v %+v", err, r)
	}
}

func TestVersions(t *testing.T) {
	s := newStage(t, play{})
	for version, want := range map[uint8][]byte{0x00: nil, 0x33: nil, 0x34: {0x34}, 0x40: {0x34}, 0x50: {0x50}, 0x51: {0x50}} {
		e := s.bind(login{"esme", "secret", pdu.BindTransceiver, version})
		got, _ := pdu.FindTLV(pdu.ResponseTLVs(e.resp), pdu.TagSCInterfaceVersion)
		if !bytes.Equal(got, want) {
			t.Errorf("interface_version %#x: sc_interface_version %x, want %x", version, got, want)
		}
		e.conn.Close()
	}
	e := s.bind(login{"esme", "secret", pdu.BindTransceiver, 0x50})
	for _, c := range []pdu.Command{pdu.BroadcastSM, pdu.QueryBroadcastSM, pdu.CancelBroadcastSM} {
		e.refused("a broadcast in 5.0", pdu.New(c, pdu.ROK, 0).Append(nil), pdu.RProhibited)
	}
	if p := e.ask(new5(s).Append(nil, 0)); len(pdu.ResponseTLVs(p)) != 0 {
		t.Errorf("an idle node says congestion_state: %x", pdu.ResponseTLVs(p))
	}
}

func new5(s *stage) *pdu.Submit {
	m := text(s.number(), "5.0")
	return &m
}

// A peer bound as 3.3 gets ids that fit eight digits, finds its messages by them, and is sent no TLVs.
func TestPeersOf33(t *testing.T) {
	s := newStage(t, play{})
	old := login{"esme", "secret", pdu.BindTransmitter, 0x33}
	e := s.bind(old)
	id := e.submit(text(s.number(), "from 3.3"))
	if len(id) != 8 {
		t.Fatalf("message_id %q", id)
	}
	old.command = pdu.BindReceiver
	r := s.bind(old)
	d, v := r.receipt(id, 1)
	if v.State != pdu.StateDelivered || len(d.TLVs()) != 0 {
		t.Errorf("receipt %v with TLVs %x", v.State, d.TLVs())
	}
	for _, name := range []string{id, string(bytes.TrimLeft([]byte(id), "0"))} {
		if st, _ := e.query(name); st != pdu.StateDelivered {
			t.Errorf("query_sm of %q: %v", name, st)
		}
	}
	e.refused("data_sm", (&pdu.Submit{Command: pdu.DataSM, Dst: []byte("4915"), Text: []byte("x")}).Append(nil, 0), pdu.RInvCmdID)

	// A message that came over 3.4 keeps its long id, told without TLVs.
	r.conn.Close()
	id = s.bind(trx).submit(text(s.number(), "from 3.4"))
	if len(id) != 16 {
		t.Fatalf("message_id %q", id)
	}
}

// Who is beyond max_binds takes the place of a dead bind, but not of a living one.
func TestBindBeyondMaximum(t *testing.T) {
	s := newStage(t, play{client: "    max_binds: {trx: 2, tx: 0}\n    deliver_window: 10\n"})
	a, b := s.bind(trx), s.bind(trx)
	soonest := time.Hour
	for try := 0; try < 3 && soonest > 4*time.Second; try++ { // a starved machine is not always so slow
		began := time.Now()
		if _, p := s.tryBind(trx); pdu.ParseHeader(p).Status != pdu.RBindFail {
			t.Errorf("a third bind: %v", pdu.ParseHeader(p).Status)
		}
		soonest = min(soonest, time.Since(began))
	}
	if soonest > 4*time.Second {
		t.Errorf("with both alive the answer took %v, as if they were dead", soonest)
	}
	if _, p := s.tryBind(login{"esme", "secret", pdu.BindTransmitter, 0x34}); pdu.ParseHeader(p).Status != pdu.RBindFail {
		t.Errorf("a bind of a type that has none: %v", pdu.ParseHeader(p).Status)
	}
	b.set(func() { b.deaf = true })
	c := s.bind(trx)
	select {
	case <-b.gone:
	case <-time.After(patience):
		t.Error("the dead bind is still open")
	}
	c.submit(text(s.number(), "from the new bind"))
	a.submit(text(s.number(), "from the living one"))
}

// Sessions end when their client leaves the catalog or gets another password; the others stay.
func TestCatalogUnbinds(t *testing.T) {
	s := newStage(t, play{clients: clientEntry("second", "") + clientEntry("third", "")})
	stays, changed, removed := s.bind(trx), s.bind(login{"second", "secret", pdu.BindReceiver, 0x34}), s.bind(login{"third", "secret", pdu.BindTransmitter, 0x34})
	other := bytes.Replace([]byte(clientEntry("second", "")), []byte("password: secret"), []byte("password: other"), 1)
	s.apply(play{clients: string(other)})
	for what, e := range map[string]*esme{"another password": changed, "removed": removed} {
		select {
		case <-e.gone:
			e.set(func() {
				if e.enquired == 0 {
					t.Errorf("%s: closed without an unbind", what)
				}
			})
		case <-time.After(patience):
			t.Errorf("%s: still bound", what)
		}
	}
	stays.submit(text(s.number(), "still here"))
	if _, p := s.tryBind(login{"second", "secret", pdu.BindReceiver, 0x34}); pdu.ParseHeader(p).Status != pdu.RInvPaswd {
		t.Errorf("the old password: %v", pdu.ParseHeader(p).Status)
	}
	s.bind(login{"second", "other", pdu.BindReceiver, 0x34})
}

func TestRefusalsWithABody(t *testing.T) {
	s := newStage(t, play{bindless: true, client: "    bind_error_body: true\n", clients: clientEntry("plain", "")})
	if _, p := s.tryBind(login{"esme", "wrong", pdu.BindTransmitter, 0x34}); pdu.ParseHeader(p).Status != pdu.RInvPaswd || string(p[pdu.HeaderLen:]) != "smsplane\x00" {
		t.Errorf("%x", p)
	}
	if _, p := s.tryBind(login{"plain", "wrong", pdu.BindTransmitter, 0x34}); pdu.ParseHeader(p).Status != pdu.RInvPaswd || len(p) != pdu.HeaderLen {
		t.Errorf("%x", p)
	}
}

// Above its rate a client is told to slow down, or is answered as fast as the rate allows.
func TestOverRate(t *testing.T) {
	const burst = 30
	s := newStage(t, play{client: "tps: 20\n", clients: clientEntry("paced", "tps: 20\n    over_rate: pace\n    window: 25\n")})
	count := func(e *esme) map[pdu.Status]int {
		var all []byte
		for range burst {
			m := text(s.number(), "burst")
			all = m.Append(all, 0)
		}
		answers := e.startAll(all) // in one write: on a slow machine, too, they come at once
		n := map[pdu.Status]int{}
		for _, ch := range answers {
			select {
			case p := <-ch:
				n[pdu.ParseHeader(p).Status]++
			case <-time.After(patience):
				t.Fatal("a message was never answered")
			}
		}
		return n
	}
	if n := count(s.bind(trx)); n[pdu.ROK] == 0 || n[pdu.ROK]+n[pdu.RThrottled] != burst || n[pdu.RThrottled] < burst/2 {
		t.Errorf("throttle: %v", n)
	}
	began := time.Now()
	n := count(s.bind(login{"paced", "secret", pdu.BindTransceiver, 0x34}))
	if n[pdu.ROK] < 25 || n[pdu.ROK]+n[pdu.RThrottled] != burst { // what is beyond the window is throttled all the same
		t.Errorf("pace: %v", n)
	}
	if took := time.Since(began); took < time.Duration(n[pdu.ROK]-5)*50*time.Millisecond {
		t.Errorf("pace: %d messages at 20 a second took %v", n[pdu.ROK], took)
	}
}
