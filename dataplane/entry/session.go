package entry

import (
	"smsplane/ledger"
	"smsplane/pdu"
	"smsplane/pdu/session"
)

// Session is one bind of a client: the handler of its protocol session.
type Session struct {
	ID      uint32
	Account *Account
	Client  string // id in the catalog
	Bind    pdu.Command

	desk   *Desk
	sess   *session.Session
	touch  func() // something waits to be written
	worker uint8
	gone   bool

	version uint8 // of SMPP, as negotiated
	short   bool  // ids have eight digits at most: the client bound as 3.3
	late    paced
}

// Open makes the session of a client that just bound. touch is called whenever output was added outside of
// Feed and Tick.
func (d *Desk) Open(id uint32, a *Account, client string, c session.Config, touch func(), now int64) *Session {
	s := &Session{ID: id, Account: a, Client: client, Bind: c.Bind, desk: d, touch: touch, worker: d.deal(), version: c.Version,
		short: c.Version < pdu.Version34}
	s.sess = session.New(c, s, now)
	return s
}

// Protocol is the SMPP session inside.
func (s *Session) Protocol() *session.Session { return s.sess }

// Worker is the entry worker that the bind was dealt to.
func (s *Session) Worker() uint8 { return s.worker }

// Receives says that deliver_sm may be sent to the client over this bind.
func (s *Session) Receives() bool { return s.Bind != pdu.BindTransmitter }

// Close ends the session: the connection is gone. What was delivered and never answered goes up as
// unanswered; submits in committed blocks stay accepted, without anyone to tell.
func (s *Session) Close(now int64) {
	if s.gone {
		return
	}
	s.gone = true
	s.sess.End(now)
	s.desk.workers[s.worker].binds--
}

func (s *Session) reply(c pdu.Command, st pdu.Status, seq uint32, id []byte) {
	s.sess.Reply(c, s.told(st), seq, id)
	s.touch()
}

// told is the status that the client is told for st.
func (s *Session) told(st pdu.Status) pdu.Status {
	if st != pdu.ROK {
		if d := s.desk.table().ClientOf(s.Account.Number); d != nil && d.Profile != nil {
			return d.Profile.Told(st)
		}
	}
	return st
}

// Request implements session.Handler.
func (s *Session) Request(_ *session.Session, now int64, h pdu.Header, p []byte) {
	switch h.Command {
	case pdu.SubmitSM, pdu.DataSM, pdu.SubmitMulti, pdu.BroadcastSM:
		if st := s.desk.submit(s, h, p, now); st != pdu.ROK {
			s.reply(h.Command, st, h.Sequence, nil)
		}
	default:
		s.serve(h, p)
	}
}

// Deliver sends a deliver_sm, made of a whole PDU; false when the window is full or the bind is ending.
func (s *Session) Deliver(now int64, p []byte, id ledger.MsgID) bool {
	if s.gone || !s.sess.Send(now, p, uint64(id)) {
		return false
	}
	s.touch()
	return true
}

// Alert sends an alert_notification, a whole PDU, which nobody answers; false when the bind is ending.
func (s *Session) Alert(p []byte) bool {
	if s.gone || !s.sess.Tell(p) {
		return false
	}
	s.touch()
	return true
}

// Response implements session.Handler.
func (s *Session) Response(_ *session.Session, _ int64, tag uint64, h pdu.Header, _ []byte) {
	s.desk.up.Answered(s.ID, ledger.MsgID(tag), h.Status)
}

// Lost implements session.Handler.
func (s *Session) Lost(_ *session.Session, _ int64, tag uint64, why session.Lost) {
	s.desk.up.Unanswered(s.ID, ledger.MsgID(tag), why == session.LostTimeout)
}
