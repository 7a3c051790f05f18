package config

import (
	"net/netip"
	"time"
)

// Node is one appliance's configuration, complete and checked.
type Node struct {
	Name      string
	File      string // as given to Load
	Data      string // folder of the store; absolute or relative to the working directory, as File is
	Catalog   string // folder applied at the first start; empty on a witness
	SMPP      SMPP
	Admin     Admin
	Workers   Workers
	Pin       Pin
	Lanes     int           // fixed when the store is formed
	Drain     time.Duration // longest wait for carriers' answers at a stop
	Memory    int64         // octets of messages kept hot; more are spilled to disk
	MemoryMax int64         // octets of all messages in memory, at 512 each, with those that cannot be spilled; 0: half of the host's
	Journal   Journal
	Retention Retention
	Cluster   *Cluster // nil on a single host
}

// SMPP is where clients bind, and what any connection may do.
type SMPP struct {
	Listen            []string       // host:port, without TLS; empty on a witness
	TLSListen         []string       // host:port; Listen or TLSListen names one at least
	TLS               TLS            // of TLSListen
	MaxPDU            int            // octets; a longer command_length closes the connection
	MaxConnections    int            // over all sources
	MaxPerSource      int            // connections of one source address
	BindTimeout       time.Duration  // from the connection to the bind
	EnquireEvery      time.Duration  // enquire_link after that much silence
	ResponseTimeout   time.Duration  // for a client's answer to a deliver_sm or enquire_link
	PDUTimeout        time.Duration  // for the rest of a PDU once its first octet is here
	InactivityTimeout time.Duration  // a bind without any message is closed; 0 never
	Allow             []netip.Prefix // empty: any source
	Deny              []netip.Prefix // before Allow
}

// TLS names PEM files; absolute or relative to the working directory, as File is.
type TLS struct {
	Cert, Key    string
	ClientCA     string // empty: clients are not asked for certificates
	CertOptional bool   // a client may show none
}

// Admin is where operators and metrics ask; loopback only.
type Admin struct{ Listen string }

// Pin says whether threads are tied to cores.
type Pin uint8

const (
	PinAuto   Pin = iota // when the host has cores enough of its own
	PinOff               //
	PinStrict            // or do not start
)

// Worker is one layer's count and rating.
type Worker struct {
	Count int
	TPS   int // messages per second and worker; 0 is none
}

// Workers by layer.
type Workers struct{ Entry, Router, Verifier, Egress, Billing Worker }

// Cluster is how the hosts of a cluster reach one another.
type Cluster struct {
	Listen            string
	Members           []Member // in the order of the file
	InsecurePlaintext bool
	TLS               TLS           // ClientCA signs every member's certificate, which names the member; empty: plaintext
	Spread            bool          // lanes are led by several hosts, else all by the one that keeps the links to carriers
	Settle            time.Duration // how long a host must have followed before it is given lanes
	Relay             bool          // a bind for a lane that another host leads is carried there; else refused
	Keep              int64         // octets of each lane's log kept at most for a member that is away; behind that it is sent the lane
}

// Member is one host of a cluster.
type Member struct {
	Name    string
	Address string
	Witness bool // votes, and keeps no message
}

// Witness reports whether this node only votes.
func (n *Node) Witness() bool {
	if n.Cluster == nil {
		return false
	}
	for _, m := range n.Cluster.Members {
		if m.Name == n.Name {
			return m.Witness
		}
	}
	return false
}

// defaults is a node whose file says nothing but what has no default: node, data, smpp.listen, catalog.
func defaults() *Node {
	return storeDefaults(&Node{
		Lanes:  8,
		Drain:  10 * time.Second,
		Memory: 256 << 20,
		Admin:  Admin{Listen: "127.0.0.1:8080"},
		SMPP: SMPP{
			MaxPDU:          64 << 10, // message_payload of 64 KiB is the protocol's own bound
			MaxConnections:  10_000,
			MaxPerSource:    1_000,
			BindTimeout:     5 * time.Second,
			EnquireEvery:    30 * time.Second,
			ResponseTimeout: 30 * time.Second,
			PDUTimeout:      10 * time.Second,
		},
		// The reference topology: 5 entry, 8 routing, 4 verification, 9 delivery, 2 billing.
		Workers: Workers{Entry: Worker{Count: 5}, Router: Worker{Count: 8}, Verifier: Worker{Count: 4},
			Egress: Worker{Count: 9}, Billing: Worker{Count: 2}},
	})
}
