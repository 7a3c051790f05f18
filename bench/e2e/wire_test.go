//go:build e2e

package e2e

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// SMPP 3.4 §5.1.2.1: the commands that are spoken here.
const (
	genericNack       = 0x80000000
	submitSM          = 0x00000004
	deliverSM         = 0x00000005
	unbind            = 0x00000006
	bindTRX           = 0x00000009
	enquireLink       = 0x00000015
	broadcastSM       = 0x00000111
	queryBroadcastSM  = 0x00000112
	cancelBroadcastSM = 0x00000113
	respBit           = 0x80000000
	headerLen         = 16
	maxPDU            = 64 << 10
	wantReceipt       = 1
	receiptClass      = 0x04

	messagePayload   = 0x0424 // tags, 3.4 §5.3.2
	sarMsgRefNum     = 0x020C
	sarTotalSegments = 0x020E
	sarSegmentSeqnum = 0x020F
)

// SMPP 3.4 §5.1.3: the statuses that are expected.
const (
	rOK         = 0x00
	rInvCmdLen  = 0x02
	rInvBndSts  = 0x04
	rSysErr     = 0x08
	rInvDstAdr  = 0x0B
	rInvPaswd   = 0x0E
	rSubmitFail = 0x45
)

// pdu is one PDU as it is on the wire, without its length.
type pdu struct {
	command, status, seq uint32
	body                 []byte
}

func (p pdu) String() string {
	return fmt.Sprintf("command %#x status %#x sequence %d, %d octets of body", p.command, p.status, p.seq, len(p.body))
}

func (p pdu) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(headerLen+len(p.body)))
	b = binary.BigEndian.AppendUint32(b, p.command)
	b = binary.BigEndian.AppendUint32(b, p.status)
	b = binary.BigEndian.AppendUint32(b, p.seq)
	return append(b, p.body...)
}

func readPDU(r io.Reader) (pdu, error) {
	var h [headerLen]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return pdu{}, err
	}
	n := binary.BigEndian.Uint32(h[:])
	if n < headerLen || n > maxPDU {
		return pdu{}, fmt.Errorf("command_length %d", n)
	}
	p := pdu{
		command: binary.BigEndian.Uint32(h[4:]), status: binary.BigEndian.Uint32(h[8:]),
		seq: binary.BigEndian.Uint32(h[12:]), body: make([]byte, n-headerLen),
	}
	_, err := io.ReadFull(r, p.body)
	return p, err
}

func cstring(b []byte, s string) []byte { return append(append(b, s...), 0) }

// bindBody is the body of a bind (SMPP 3.4 §4.1): system_id, password, system_type, version, TON, NPI, range.
func bindBody(systemID, password string) []byte {
	b := cstring(cstring(cstring(nil, systemID), password), "")
	return append(b, 0x34, 0, 0, 0)
}

// message is what submit_sm and deliver_sm have in common (SMPP 3.4 §4.4, §4.6).
type message struct {
	from, to   string
	esmClass   byte
	registered byte
	coding     byte
	text       []byte
	payload    []byte // message_payload; read, not written
	sar        sar    // read, not written
}

// sar says which part of a message this is, by TLVs (3.4 §5.3.2.22 to 24).
type sar struct {
	ref      uint16
	of, part byte
}

func (m message) body() []byte {
	b := cstring(nil, "") // service_type
	b = cstring(append(b, ton(m.from)...), m.from)
	b = cstring(append(b, ton(m.to)...), m.to)
	b = append(b, m.esmClass, 0, 0)             // protocol_id, priority_flag
	b = cstring(cstring(b, ""), "")             // schedule, validity
	b = append(b, m.registered, 0, m.coding, 0) // replace_if_present, sm_default_msg_id
	return append(append(b, byte(len(m.text))), m.text...)
}

// ton is type of number and numbering plan: international E.164 for digits, alphanumeric otherwise.
func ton(addr string) []byte {
	if strings.Trim(addr, "0123456789") == "" {
		return []byte{1, 1}
	}
	return []byte{5, 0}
}

var errShort = errors.New("body ends early")

func parseMessage(b []byte) (m message, err error) {
	next := func() string {
		s, rest, ok := bytes.Cut(b, []byte{0})
		if !ok {
			err = errShort
		}
		b = rest
		return string(s)
	}
	take := func(n int) []byte {
		if len(b) < n {
			err, b = errShort, make([]byte, n)
		}
		v := b[:n]
		b = b[n:]
		return v
	}
	next()
	take(2)
	m.from = next()
	take(2)
	m.to = next()
	m.esmClass = take(3)[0]
	next()
	next()
	f := take(5)
	m.registered, m.coding = f[0], f[2]
	m.text = take(int(f[4]))
	for err == nil && len(b) > 0 {
		tlv := take(4)
		v := take(int(binary.BigEndian.Uint16(tlv[2:])))
		switch tag := binary.BigEndian.Uint16(tlv); {
		case tag == messagePayload:
			m.payload = v
		case tag == sarMsgRefNum && len(v) == 2:
			m.sar.ref = binary.BigEndian.Uint16(v)
		case tag == sarTotalSegments && len(v) == 1:
			m.sar.of = v[0]
		case tag == sarSegmentSeqnum && len(v) == 1:
			m.sar.part = v[0]
		}
	}
	return m, err
}

// firstString is the C-octet string a body begins with, empty when there is none.
func firstString(body []byte) string {
	s, _, _ := bytes.Cut(body, []byte{0})
	return string(s)
}

// raw is a connection on which a test writes whatever octets it likes.
type raw struct{ net.Conn }

func dialRaw(addr string) (raw, error) {
	c, err := net.DialTimeout("tcp", addr, patience)
	return raw{c}, err
}

func (r raw) send(p pdu) error {
	_, err := r.Write(p.append(nil))
	return err
}
