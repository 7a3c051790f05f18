package catalog

import (
	"net/netip"
	"time"

	"smsplane/ledger"
	"smsplane/pdu"
	"smsplane/pdu/profile"
)

// Names of the files of a catalog folder.
const (
	ClientsFile  = "clients.yaml"
	CarriersFile = "carriers.yaml"
	NetworksFile = "networks.csv" // optional
	RatesFile    = "rates.csv"
	RoutesFile   = "routes.csv"
	MOFile       = "mo.yaml" // optional
)

// Catalog is one consistent version of everything declared, in the order of the files.
type Catalog struct {
	Clients  []Client
	Carriers []Carrier
	Networks []Network
	Rates    []Rate
	Routes   []Route
	MO       []MORule
}

// Charge says which event makes a message due: that it was taken, or that a receipt says delivered.
type Charge uint8

const (
	ChargeSent Charge = iota + 1
	ChargeDelivered
)

// Mode of a client's account.
type Mode uint8

const (
	Prepaid Mode = iota + 1
	Postpaid
)

// OverRate says what happens to messages above a client's tps.
type OverRate uint8

const (
	Throttle OverRate = iota + 1 // ESME_RTHROTTLED at once
	Pace                         // they wait, at most a window of them, and are answered as the rate allows
)

// Binds counts binds by type; 0 allows none.
type Binds struct{ TX, RX, TRX int }

// Billing is how a client pays.
type Billing struct {
	Mode        Mode
	Currency    string       // ISO 4217
	CreditLimit ledger.Micro // how far below zero the balance may go
	Charge      Charge
}

// Validity bounds how long messages of a class may be on their way.
type Validity struct {
	Default time.Duration // for messages that name none
	Max     time.Duration // longer ones are cut to it
}

// Statuses are the command_status values that entry answers to what it does not admit. Each is
// ESME_RSUBMITFAIL unless the client's `statuses` say otherwise.
type Statuses struct{ NoRoute, NoPrice, NoCredit pdu.Status }

// Client is an account that binds to us.
type Client struct {
	ID       string
	Party    string // the company; sell rows in rates.csv name it
	SystemID string
	Plan     string // rows of routes.csv that apply

	Class         ledger.Class            // the highest it may ask for
	Senders       map[string]ledger.Class // classes of single senders, none above Class; may be nil
	Window        int                     // unanswered requests per bind, from the client
	DeliverWindow int                     // unanswered deliver_sm per bind, towards the client
	MaxBinds      Binds
	TPS           int // submit_sm per second over all its binds; 0 is unlimited
	OverRate      OverRate
	Country       string         // dialling code that completes national numbers; empty: none are taken
	Allow         []netip.Prefix // sources it may bind from; empty: any
	Statuses      Statuses
	Validity      [ledger.Classes]Validity
	InOrder       bool          // a message waits until its carrier took the one before it to the same number
	ReceiptKeep   time.Duration // how long receipts and messages wait for the client to take them
	Datagram      bool          // esm_class may ask for one attempt and no receipt
	Transaction   bool          // esm_class may ask for an answer that waits for the end of the message
	Broadcast     string        // digits of the number that its broadcasts are routed and priced as; empty: it may not broadcast
	Call          *Call         // how it is asked to bind when something waits for it; nil: it is not
	BindErrorBody bool          // a refused bind is answered with our system_id, as clients that cannot do without a body need it
	Billing       Billing
	Profile       *profile.Client // what it does otherwise than the specification; nil: nothing

	password []byte // plain; nil when hash is set
	hash     []byte // bcrypt
	line     int
}

// Receipts says when a carrier is asked for delivery receipts.
type Receipts uint8

const (
	ReceiptsAlways Receipts = iota + 1
	ReceiptsAsked           // when the client asked
)

// PartReceipts says which parts of a text a carrier sends a final receipt for.
type PartReceipts uint8

const (
	PartsEach PartReceipts = iota
	PartsFirst
	PartsLast
)

// Carrier is an account we bind to.
type Carrier struct {
	ID          string
	Party       string // the company; buy rows in rates.csv name it
	Currency    string
	Cost        Charge // when we owe it
	Receipts    Receipts
	ReceiptWait time.Duration                 // after it took a message, until the receipt counts as lost
	Parts       PartReceipts                  // of the parts of one text
	ValidityMax time.Duration                 // longest validity it is asked for; 0 is the message's own
	InDoubt     [ledger.Classes]ledger.Policy // by class
	Statuses    map[pdu.Status]Action         // what its answers mean, where that differs from the usual; may be nil
	TPS         int                           // messages per second over all its links; 0 is unlimited
	Window      int                           // unanswered messages over all its links; 0 is unlimited
	Links       []Link                        // may be empty: the carrier is out of service
	Inbound     *Inbound                      // its account with us; nil when it does not bind to us

	line int
}

// Link is one account on one SMSC of a carrier, and the binds kept to it.
type Link struct {
	Addresses         []string // host:port, tried in turn; none: the carrier calls
	Called            *Called  // how the carrier asks us to bind; nil: it does not
	SystemID          string
	Password          string
	SystemType        string
	Bind              pdu.Command // BindTransmitter, BindReceiver or BindTransceiver
	Version           uint8       // interface_version: 0x33, 0x34, 0x50
	Sessions          int         // binds kept, over the whole cluster
	Window            int         // unanswered submit_sm per session
	DeliverWindow     int         // unanswered deliver_sm per session, from the carrier; beyond it ESME_RTHROTTLED
	TPS               int         // submit_sm per second over all sessions of the link; 0 is unlimited
	Source            netip.Addr  // local address to dial from; the zero Addr leaves it to the host
	TLS               *LinkTLS    // nil: plain TCP
	EnquireEvery      time.Duration
	ResponseTimeout   time.Duration
	BindTimeout       time.Duration // from dialing to the bind_resp
	PDUTimeout        time.Duration // for the rest of a PDU once its first octet is here
	InactivityTimeout time.Duration // silence after which we unbind; 0 never
	Profile           *profile.Link // what the carrier does otherwise than the specification; nil: nothing

	line int
}

// Sends reports whether submit_sm may go over the link.
func (l *Link) Sends() bool { return l.Bind != pdu.BindReceiver }

// Network maps numbers to the network they belong to by number plan.
type Network struct {
	Prefix  string
	Country string // ISO 3166, two letters; may be empty
	MCC     string // three digits; may be empty
	MNC     string // two or three digits; may be empty, leading zeros count
	Name    string
	Line    int
}

// Match is the part of a row that says which numbers it is for: MCC and MNC, MCC alone, a prefix, or
// nothing, which is every number.
type Match struct{ Prefix, MCC, MNC string }

// RateKind tells what clients pay us from what we pay carriers.
type RateKind uint8

const (
	Sell RateKind = iota + 1
	Buy
)

// Rate is a price per message part.
type Rate struct {
	Kind     RateKind
	Party    string
	Match    Match
	Price    ledger.Micro
	Currency string
	From     int64 // unix ns, the first instant of effective_from
	To       int64 // unix ns, the instant behind the last day, effective_to; math.MaxInt64 when open
	Line     int   // in rates.csv; the row's name in the books
}

// Route says that a carrier serves the numbers of a match under a plan.
type Route struct {
	Plan     string
	Match    Match
	Class    ledger.Class
	AnyClass bool
	Lowers   bool         // messages that it serves take the class As, if that is below their own
	As       ledger.Class // of a row for any class
	Tier     uint8
	Weight   uint16
	Carrier  string
	Line     int // in routes.csv; the row's name in the books
}

// MORule says whose messages to an inbound number are.
type MORule struct {
	Carrier string // empty: any
	To      string // digits, or the name the carrier uses; empty: any
	Prefix  string // of the number, digits; empty: any. Not together with To
	Keyword string // first word of the text; empty: any
	Client  string
	Line    int
}
