package session

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"smsplane/pdu"
)

// row is what SMPP 5.0 §2.3 says of one command: in which bound sessions an ESME and an SMSC (the MC of 5.0) may send
// it, and which version knows it first.
type row struct {
	command  pdu.Command
	esme, mc string
	since    uint8
}

// matrix is table 2-1 of 5.0 for sessions that are bound. data_sm is ours: the tables of 3.4 and 5.0 differ on it, and it is
// taken in every bind, from both.
var matrix = []row{
	{pdu.SubmitSM, "tx trx", "", 0},
	{pdu.SubmitMulti, "tx trx", "", 0},
	{pdu.QuerySM, "tx trx", "", 0},
	{pdu.ReplaceSM, "tx trx", "", 0},
	{pdu.CancelSM, "tx trx", "", 0},
	{pdu.DeliverSM, "", "rx trx", 0},
	{pdu.DataSM, "rx tx trx", "rx tx trx", 0x34},
	{pdu.AlertNotification, "", "rx trx", 0x34},
	{pdu.BroadcastSM, "tx trx", "", 0x50},
	{pdu.QueryBroadcastSM, "tx trx", "", 0x50},
	{pdu.CancelBroadcastSM, "tx trx", "", 0x50},
	{pdu.BindReceiver, "", "", 0},
	{pdu.BindTransmitter, "", "", 0},
	{pdu.BindTransceiver, "", "", 0},
	{pdu.Outbind, "", "", 0},
	{pdu.EnquireLink, "rx tx trx", "rx tx trx", 0},
	{pdu.Unbind, "rx tx trx", "rx tx trx", 0},
}

// hasResponse is false for the two that SMPP answers with nothing.
func (r row) hasResponse() bool {
	return r.command != pdu.AlertNotification && r.command != pdu.Outbind
}

// due is what the peer must be told, nil nothing; taken that the owner of the session must see the request.
func (r row) due(c Config, in State) (answer *pdu.Header, taken bool) {
	say := func(command pdu.Command, st pdu.Status) *pdu.Header {
		return &pdu.Header{Length: pdu.HeaderLen, Command: command, Status: st, Sequence: 77}
	}
	may := r.esme
	if c.Role == Client {
		may = r.mc
	}
	bind := map[pdu.Command]string{pdu.BindReceiver: "rx", pdu.BindTransmitter: "tx", pdu.BindTransceiver: "trx"}[c.Bind]
	switch {
	case in == Closed:
		return nil, false
	case r.command == pdu.EnquireLink, r.command == pdu.Unbind:
		return say(r.command.Resp(), pdu.ROK), false
	case c.Version < r.since && r.hasResponse():
		return say(r.command.Resp(), pdu.RInvCmdID), false
	case c.Version < r.since:
		return say(pdu.GenericNack, pdu.RInvCmdID), false
	case !slices.Contains(strings.Fields(may), bind) && !r.hasResponse():
		return nil, false
	case r.command == pdu.BindReceiver, r.command == pdu.BindTransmitter, r.command == pdu.BindTransceiver:
		return say(r.command.Resp(), pdu.RAlyBnd), false
	case !slices.Contains(strings.Fields(may), bind):
		return say(r.command.Resp(), pdu.RInvBndSts), false
	case in == Bound:
		return nil, true
	case !r.hasResponse():
		return nil, false
	case in == PeerUnbinding:
		return say(r.command.Resp(), pdu.RInvBndSts), false
	case c.Role == Client:
		return say(r.command.Resp(), pdu.RXTAppn), false
	}
	return say(r.command.Resp(), pdu.RThrottled), false
}

// witness notes what it is told, and answers nothing.
type witness struct{ requests, responses int }

func (w *witness) Request(*Session, int64, pdu.Header, []byte)          { w.requests++ }
func (w *witness) Response(*Session, int64, uint64, pdu.Header, []byte) { w.responses++ }
func (w *witness) Lost(*Session, int64, uint64, Lost)                   {}

// reach brings a fresh session into a state. A request of the peer is left unanswered where the state has to last.
func reach(t *testing.T, c Config, in State) (*Session, *witness) {
	t.Helper()
	w := &witness{}
	s := New(c, w, 0)
	owe := pdu.DataSM // in every bind
	if c.Version < 0x34 {
		if owe = pdu.SubmitSM; c.Role == Client {
			owe = pdu.DeliverSM
		}
	}
	if in == Draining || in == PeerUnbinding {
		s.Feed(0, request(owe, 1))
	}
	switch in {
	case Draining, Unbinding:
		s.Unbind(0)
	case PeerUnbinding:
		s.Feed(0, pdu.AppendPlain(nil, pdu.Unbind, pdu.ROK, 2))
	case Closed:
		s.End(0)
	}
	s.ResetOut()
	*w = witness{}
	return s, w
}

// settles says that a session of this kind does not stay in a state: without a request that it may carry, nothing is owed,
// and an unbind is not waited with.
func settles(c Config, in State) bool {
	return (in == Draining || in == PeerUnbinding) && c.Version < 0x34 &&
		(c.Role == Server && c.Bind == pdu.BindReceiver || c.Role == Client && c.Bind == pdu.BindTransmitter)
}

// Every command of every version, in every bind, from either side, in every state of a session, gets exactly what is due.
func TestMatrix(t *testing.T) {
	for _, r := range matrix {
		if !r.command.Known() {
			t.Fatalf("%v is not known", r.command)
		}
	}
	cases := 0
	for _, role := range []Role{Server, Client} {
		for _, bind := range []pdu.Command{pdu.BindReceiver, pdu.BindTransmitter, pdu.BindTransceiver} {
			for _, version := range []uint8{0x33, 0x34, 0x50} {
				for in := Bound; in <= Closed; in++ {
					c := Config{Role: role, Bind: bind, Version: version, Window: 10, ResponseTimeout: time.Minute}
					if settles(c, in) {
						continue
					}
					what := fmt.Sprintf("%v of a peer that is %v, bound by %v as %#x, %v", "%v", role, bind, version, in)
					for _, r := range matrix {
						if r.command == pdu.Unbind && (in == Bound || in == Draining) {
							continue // TestScripts/unbind has these: the answer waits until all is settled
						}
						answer, taken := r.due(c, in)
						expect(t, fmt.Sprintf(what, r.command), c, in, r.command, answer, taken)
						cases++
					}
					for id := range pdu.Command(0x120) {
						if !id.Known() {
							answer := &pdu.Header{Length: pdu.HeaderLen, Command: pdu.GenericNack, Status: pdu.RInvCmdID, Sequence: 77}
							if in == Closed {
								answer = nil
							}
							expect(t, fmt.Sprintf(what, id), c, in, id, answer, false)
						}
						expect(t, fmt.Sprintf(what, id.Resp()), c, in, id.Resp(), nil, false) // an answer to nothing is never answered
						cases += 2
					}
				}
			}
		}
	}
	t.Logf("%d cases", cases)
}

func expect(t *testing.T, what string, c Config, in State, command pdu.Command, answer *pdu.Header, taken bool) {
	t.Helper()
	s, w := reach(t, c, in)
	if s.State() != in {
		t.Fatalf("%s: the session is %v", what, s.State())
	}
	if err := s.Feed(0, request(command, 77)); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	got := s.Out()
	switch {
	case answer == nil && len(got) > 0:
		t.Errorf("%s: answered %x, want nothing", what, got)
	case answer != nil && (len(got) != pdu.HeaderLen || pdu.ParseHeader(got) != *answer):
		t.Errorf("%s: answered %x, want %+v", what, got, *answer)
	}
	if w.responses > 0 || (w.requests > 0) != taken {
		t.Errorf("%s: %d requests and %d responses handed on, want it taken: %v", what, w.requests, w.responses, taken)
	}
}
