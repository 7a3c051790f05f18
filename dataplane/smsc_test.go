package dataplane_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"smsplane/pdu"
)

// smsc is a carrier: it takes what it is sent and, unless told otherwise, says that it was delivered.
type smsc struct {
	t       *testing.T
	address string

	mu    sync.Mutex
	l     net.Listener
	conns map[net.Conn]bool // whether it receives
	got   [][]byte          // submit_sm
	from  []net.Conn
	acks  []uint32   // deliver_sm that were answered
	last  pdu.Status // of the last answer to one
	ever  int        // binds so far
	next  int
	seq   uint32
	// state is what the receipt of a message says, in order; nil sends none. status refuses.
	states  func(m *pdu.Message) []pdu.State
	status  func(m *pdu.Message) pdu.Status
	mute    func(m *pdu.Message) bool            // takes it and says nothing
	others  func(conn net.Conn, p []byte) []byte // answers what no case below knows
	version uint8                                // that it says it speaks
}

func newSMSC(t *testing.T) *smsc {
	c := &smsc{t: t, address: freeAddress(t), conns: map[net.Conn]bool{}, version: pdu.Version34}
	c.states = func(*pdu.Message) []pdu.State { return []pdu.State{pdu.StateDelivered} }
	c.status = func(*pdu.Message) pdu.Status { return pdu.ROK }
	t.Cleanup(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.l != nil {
			c.l.Close()
		}
		for conn := range c.conns {
			conn.Close()
		}
	})
	return c
}

// open begins to take binds.
func (c *smsc) open() {
	c.t.Helper()
	l, err := net.Listen("tcp", c.address)
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	c.l = l
	c.mu.Unlock()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.serve(conn)
		}
	}()
}

func (c *smsc) bound() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.conns)
}

// binds is how many there were so far.
func (c *smsc) binds() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ever
}

// taken is every submit_sm so far, parsed.
func (c *smsc) taken() (all []*pdu.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.got {
		m := new(pdu.Message)
		if st := m.Parse(p); st != pdu.ROK {
			c.t.Errorf("the carrier was sent what does not parse: %v", st)
		}
		all = append(all, m)
	}
	return all
}

// to is the submit_sm for a destination, nil when there is none; two are a fault.
func (c *smsc) to(dst string) (found *pdu.Message) {
	for _, m := range c.taken() {
		if string(m.DstAddr()) == dst {
			if found != nil {
				c.t.Errorf("%s was sent twice", dst)
			}
			found = m
		}
	}
	return found
}

func (c *smsc) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		p, err := readPDU(in)
		if err != nil {
			c.mu.Lock()
			delete(c.conns, conn)
			c.mu.Unlock()
			return
		}
		conn.Write(c.answer(conn, p)) // the reader meets the error
	}
}

func (c *smsc) answer(conn net.Conn, p []byte) (out []byte) {
	h := pdu.ParseHeader(p)
	switch h.Command {
	case pdu.BindTransceiver, pdu.BindReceiver, pdu.BindTransmitter:
		c.mu.Lock()
		c.conns[conn] = h.Command != pdu.BindTransmitter
		c.ever++
		c.mu.Unlock()
		return pdu.AppendBindResp(nil, h.Command, pdu.ROK, h.Sequence, "north", c.version)
	case pdu.SubmitSM:
		return c.take(conn, p, h)
	case pdu.DeliverSMResp:
		c.mu.Lock()
		c.acks, c.last = append(c.acks, h.Sequence), h.Status
		c.mu.Unlock()
	case pdu.EnquireLink, pdu.Unbind:
		return pdu.AppendPlain(nil, h.Command.Resp(), pdu.ROK, h.Sequence)
	default:
		if c.others != nil {
			return c.others(conn, p)
		}
	}
	return nil
}

// hangUp breaks every session.
func (c *smsc) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		conn.Close()
	}
}

func (c *smsc) take(conn net.Conn, p []byte, h pdu.Header) (out []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var m pdu.Message
	m.Parse(p)
	if st := c.status(&m); st != pdu.ROK {
		return pdu.AppendMessageResp(nil, h.Command, st, h.Sequence, nil)
	}
	c.got, c.from = append(c.got, slices.Clone(p)), append(c.from, conn)
	if c.mute != nil && c.mute(&m) {
		return nil
	}
	c.next++
	id := fmt.Appendf(nil, "n-%d", c.next)
	out = pdu.AppendMessageResp(nil, h.Command, pdu.ROK, h.Sequence, id)
	for _, s := range c.states(&m) {
		c.seq++
		class := uint8(pdu.ESMReceipt)
		if !s.Final() {
			class = pdu.ESMIntermediate
		}
		r := pdu.Receipt{ID: id, State: s, Err: []byte("007"), SubmitDate: 1767225600e9, DoneDate: 1767225660e9, Sub: 1, Dlvrd: 1}
		d := pdu.Submit{Command: pdu.DeliverSM, Src: m.DstAddr(), SrcTON: 1, SrcNPI: 1, Dst: m.SrcAddr(), ESMClass: class, Text: pdu.AppendReceiptText(nil, &r)}
		out = d.Append(out, c.seq)
	}
	return out
}

// send lets the carrier send something on one of its sessions that receive.
func (c *smsc) send(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn, receives := range c.conns {
		if receives {
			conn.Write(p)
			return
		}
	}
	c.t.Error("no session receives")
}

func readPDU(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < pdu.HeaderLen || n > 1<<20 {
		return nil, fmt.Errorf("command_length %d", n)
	}
	p := append(bytes.Clone(head[:]), make([]byte, n-4)...)
	_, err := io.ReadFull(r, p[4:])
	return p, err
}

// sendApart lets the carrier send something on a session that the first submit_sm did not come by.
func (c *smsc) sendApart(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		if len(c.from) == 0 || conn != c.from[0] {
			conn.Write(p)
			return
		}
	}
	c.t.Error("there is no other session")
}

// answerFirst answers the first submit_sm.
func (c *smsc) answerFirst(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.from[0].Write(pdu.AppendMessageResp(nil, pdu.SubmitSM, pdu.ROK, pdu.ParseHeader(c.got[0]).Sequence, []byte(id)))
}

// heard says whether a deliver_sm was answered.
func (c *smsc) heard(seq uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.acks, seq)
}
