package dataplane_test

import (
	"bufio"
	"net"
	"sync"
	"testing"
	"time"

	"smsplane/pdu"
)

// esme is one bind of a client. It answers deliver_sm as told and keeps them.
type esme struct {
	t    *testing.T
	conn net.Conn
	resp []byte // bind_resp
	gone chan struct{}

	mu       sync.Mutex
	seq      uint32
	answers  map[uint32]chan []byte
	got      [][]byte                                // deliver_sm and data_sm
	status   func(m *pdu.Message) (pdu.Status, bool) // of a deliver_sm_resp; false is silence
	name     func(m *pdu.Message) []byte             // message_id of a deliver_sm_resp; nil: none
	alerts   [][]byte                                // alert_notification
	deaf     bool                                    // answers nothing at all
	enquired int
}

type login struct {
	id, password string
	command      pdu.Command
	version      uint8
}

var trx = login{"esme", "secret", pdu.BindTransceiver, 0x34}

// bind binds and demands success.
func (s *stage) bind(l login) *esme {
	s.t.Helper()
	e, p := s.tryBind(l)
	if st := pdu.ParseHeader(p).Status; st != pdu.ROK {
		s.t.Fatalf("bind: %v", st)
	}
	return e
}

// tryBind returns the bind_resp whatever it says.
func (s *stage) tryBind(l login) (*esme, []byte) {
	s.t.Helper()
	conn, err := net.DialTimeout("tcp", s.smpp, patience)
	if err != nil {
		s.t.Fatal(err)
	}
	e := &esme{t: s.t, conn: conn, gone: make(chan struct{}), answers: map[uint32]chan []byte{}, seq: 1}
	e.status = func(*pdu.Message) (pdu.Status, bool) { return pdu.ROK, true }
	if s.answer != nil {
		e.status = s.answer
	}
	s.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	conn.Write(pdu.AppendBind(nil, &pdu.Bind{Command: l.command, SystemID: l.id, Password: l.password, Version: l.version}, 1))
	in := bufio.NewReader(conn)
	if e.resp, err = readPDU(in); err != nil {
		s.t.Fatalf("no bind_resp: %v", err)
	}
	conn.SetDeadline(time.Time{})
	go e.read(in)
	return e, e.resp
}

func (e *esme) read(in *bufio.Reader) {
	defer close(e.gone)
	for {
		p, err := readPDU(in)
		if err != nil {
			return
		}
		e.mu.Lock()
		if out := e.handle(p); len(out) > 0 && !e.deaf {
			e.conn.Write(out)
		}
		e.mu.Unlock()
	}
}

func (e *esme) handle(p []byte) []byte {
	h := pdu.ParseHeader(p)
	switch {
	case h.Command.IsResp():
		if ch := e.answers[h.Sequence]; ch != nil {
			delete(e.answers, h.Sequence)
			ch <- p
		}
	case h.Command == pdu.DeliverSM || h.Command == pdu.DataSM:
		var m pdu.Message
		if st := m.Parse(p); st != pdu.ROK {
			e.t.Errorf("the client was sent what does not parse: %v", st)
		}
		e.got = append(e.got, p)
		if st, ok := e.status(&m); ok {
			var id []byte
			if e.name != nil {
				id = e.name(&m)
			}
			return pdu.AppendMessageResp(nil, h.Command, st, h.Sequence, id)
		}
	case h.Command == pdu.AlertNotification:
		e.alerts = append(e.alerts, p)
	default:
		e.enquired++
		return pdu.AppendPlain(nil, h.Command.Resp(), pdu.ROK, h.Sequence)
	}
	return nil
}

// start sends a request and returns where its answer will come.
func (e *esme) start(p []byte) chan []byte { return e.startAll(p)[0] }

// startAll sends requests, one behind the other in p, with one write.
func (e *esme) startAll(p []byte) (answers []chan []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for rest := p; len(rest) > 0; rest = rest[pdu.ParseHeader(rest).Length:] {
		e.seq++
		pdu.SetSequence(rest, e.seq)
		ch := make(chan []byte, 1)
		e.answers[e.seq] = ch
		answers = append(answers, ch)
	}
	e.conn.Write(p)
	return answers
}

// ask sends a request and waits for its answer.
func (e *esme) ask(p []byte) []byte {
	e.t.Helper()
	select {
	case r := <-e.start(p):
		return r
	case <-e.gone:
	case <-time.After(patience):
	}
	e.t.Fatalf("no answer to %v", pdu.ParseHeader(p).Command)
	return nil
}

// submit sends a message and demands that it is accepted.
func (e *esme) submit(s pdu.Submit) (id string) {
	e.t.Helper()
	p := e.ask(s.Append(nil, 0))
	if st := pdu.ParseHeader(p).Status; st != pdu.ROK {
		e.t.Fatalf("submit_sm to %s: %v", s.Dst, st)
	}
	b, _ := pdu.MessageID(p)
	return string(b)
}

// refused sends a PDU and demands its response with a status.
func (e *esme) refused(what string, p []byte, want pdu.Status) {
	e.t.Helper()
	c := pdu.ParseHeader(p).Command
	h := pdu.ParseHeader(e.ask(p))
	if h.Status != want || h.Command != c.Resp() {
		e.t.Errorf("%s: %v %v, want %v %v", what, h.Command, h.Status, c.Resp(), want)
	}
}

// received is the deliver_sm so far.
func (e *esme) received() (all []*pdu.Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.got {
		m := new(pdu.Message)
		m.Parse(p)
		all = append(all, m)
	}
	return all
}

// receipt waits for the n-th deliver_sm about an id and takes it apart.
func (e *esme) receipt(id string, n int) (m *pdu.Message, r pdu.Receipt) {
	e.t.Helper()
	eventually(e.t, "a receipt of "+id, func() bool {
		k := 0
		for _, d := range e.received() {
			var v pdu.Receipt
			if pdu.ParseReceipt(d, &v) && string(v.ID) == id {
				if k++; k == n {
					m, r = d, v
					return true
				}
			}
		}
		return false
	})
	return m, r
}

func (e *esme) set(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
}

// text is a message to a destination that wants a receipt.
func text(dst, s string) pdu.Submit {
	return pdu.Submit{Src: []byte("sender"), SrcTON: 5, Dst: []byte(dst), DstTON: 1, DstNPI: 1, Registered: 1, Text: []byte(s)}
}
