package session

import (
	"fmt"
	"time"

	"smsplane/pdu"
)

// Role says which end of the session we are.
type Role uint8

const (
	Server Role = iota // we are the SMSC, the peer is an ESME
	Client             // we are the ESME, the peer is an SMSC
)

// String names the role.
func (r Role) String() string {
	if r == Client {
		return "client"
	}
	return "server"
}

// What zero values of Config mean.
const (
	DefaultVersion    = 0x34
	DefaultPeerWindow = 1000
	DefaultMaxPDU     = 70_000 // message_payload may hold 64 KiB
	DefaultPDUTimeout = 10 * time.Second
)

// Config is what the bind exchange settled and what the accounts allow.
type Config struct {
	Role    Role
	Bind    pdu.Command // BindReceiver, BindTransmitter or BindTransceiver, as the ESME sent it
	Version uint8       // negotiated interface_version, 0x34 = SMPP 3.4; 0 = DefaultVersion

	Window     int // our unanswered requests; 0 = none may be sent
	PeerWindow int // the peer's unanswered requests, beyond it ESME_RTHROTTLED; 0 = DefaultPeerWindow

	MaxPDU int // octets of the longest PDU taken from the peer; 0 = DefaultMaxPDU

	EnquireEvery      time.Duration // silence after which we send enquire_link; 0 = never
	ResponseTimeout   time.Duration // wait for the answer to a request of ours; also bounds Unbind; 0 = for ever
	PDUTimeout        time.Duration // for the rest of a PDU once its first octet is here; 0 = DefaultPDUTimeout
	InactivityTimeout time.Duration // silence after which we unbind; with EnquireEvery only a net below it; 0 = never

	FirstSequence uint32 // sequence_number of our first request, 1 to 0x7FFFFFFF; 0 = 1
	Name          string // begins the errors, for the log: carrier, link, or system_id
}

// filled returns c with its defaults, or panics: the values come from our own validated configuration.
func (c Config) filled() Config {
	if c.Version == 0 {
		c.Version = DefaultVersion
	}
	if c.PeerWindow == 0 {
		c.PeerWindow = DefaultPeerWindow
	}
	if c.MaxPDU == 0 {
		c.MaxPDU = DefaultMaxPDU
	}
	if c.PDUTimeout == 0 {
		c.PDUTimeout = DefaultPDUTimeout
	}
	if c.FirstSequence == 0 {
		c.FirstSequence = 1
	}
	switch {
	case c.Bind != pdu.BindReceiver && c.Bind != pdu.BindTransmitter && c.Bind != pdu.BindTransceiver:
		panic(fmt.Sprintf("session: Bind is %v", c.Bind))
	case c.Window < 0 || c.Window > maxWindow || c.PeerWindow < 0:
		panic(fmt.Sprintf("session: Window %d, PeerWindow %d", c.Window, c.PeerWindow))
	case c.MaxPDU < pdu.HeaderLen:
		panic(fmt.Sprintf("session: MaxPDU %d is below a header", c.MaxPDU))
	case c.FirstSequence > maxSequence:
		panic(fmt.Sprintf("session: FirstSequence %#x", c.FirstSequence))
	case c.EnquireEvery < 0 || c.ResponseTimeout < 0 || c.PDUTimeout < 0 || c.InactivityTimeout < 0:
		panic(fmt.Sprintf("session: timers %v %v %v %v", c.EnquireEvery, c.ResponseTimeout, c.PDUTimeout, c.InactivityTimeout))
	}
	return c
}
