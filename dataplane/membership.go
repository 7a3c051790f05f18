package dataplane

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"smsplane/dataplane/cluster"
	"smsplane/dataplane/config"
	"smsplane/dataplane/transport"
	"smsplane/ledger/journal"
	"smsplane/ledger/replica"
)

// membership is this process among the hosts of its cluster: who is a member, and the streams to them. A node that
// stores messages and a witness have one alike.
type membership struct {
	cfg  *config.Node
	log  *slog.Logger
	db   *journal.DB
	mesh *cluster.Mesh // nil where the streams are somebody else's

	announce func()                     // says hello to all again: something in it has changed
	wait     func(done <-chan struct{}) // until the journal has closed it

	mu        sync.Mutex
	formation *cluster.Formation
	formed    chan struct{} // closed once there is a table

	ways   atomic.Pointer[map[uint64]*cluster.Peer] // by id in raft groups
	hear   atomic.Pointer[hearer]
	missed atomic.Pointer[func(id uint64)]
	rooms  atomic.Pointer[map[uint64]replica.Room] // whose disk has no room, by id in raft groups; another pointer with each change
	lobby  atomic.Pointer[transport.Lobby]         // for clients that others relay; nil: none are taken
}

// hearer is told of what another host says. It runs on the goroutine of that host's stream.
type hearer func(from *cluster.Peer, k cluster.Kind, lane uint16, payload []byte)

// tableKey is where the table of members is kept.
var tableKey = journal.Key(journal.Host, 0, 1)

// listenHosts opens the address for other hosts.
func listenHosts(c *config.Cluster) (net.Listener, error) {
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("cluster.listen: %w", err)
	}
	return l, nil
}

// newMembership is what a store remembers of its cluster; nobody is heard yet.
func newMembership(cfg *config.Node, log *slog.Logger, db *journal.DB) (*membership, error) {
	h := &membership{cfg: cfg, log: log, db: db, formed: make(chan struct{}), wait: func(done <-chan struct{}) { <-done }}
	stored, err := db.Get(tableKey)
	if err != nil {
		return nil, err
	}
	var table *cluster.Table
	if stored != nil {
		if table, err = cluster.ParseTable(stored); err != nil {
			return nil, err
		}
	}
	self := cluster.Hello{Name: cfg.Name, Store: db.ID(), Witness: cfg.Witness(), Relayed: !cfg.Witness()}
	if !self.Witness {
		self.Lanes = cfg.Lanes
	}
	if !self.Witness && cfg.Cluster.Spread {
		self.Spreads = stayVersion
	}
	if held, err := db.Lanes(); err != nil {
		return nil, err
	} else {
		self.Founds = table == nil && len(held) > 0 && !self.Witness
	}
	var seats []cluster.Seat
	for _, m := range cfg.Cluster.Members {
		seats = append(seats, cluster.Seat{Name: m.Name, Witness: m.Witness})
	}
	h.formation = cluster.NewFormation(self, seats, table)
	return h, nil
}

// joinHosts begins to hear and to be heard.
func joinHosts(cfg *config.Node, log *slog.Logger, db *journal.DB, ln net.Listener) (*membership, error) {
	h, err := newMembership(cfg, log, db)
	if err != nil {
		return nil, err
	}
	peers := map[string]string{}
	for _, m := range cfg.Cluster.Members {
		if m.Name != cfg.Name {
			peers[m.Name] = m.Address
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	o := cluster.Options{Self: cfg.Name, Peers: peers, Listener: ln, Logger: log, Hello: h.hello, Heard: h.heard, Receive: h.receive, Lost: h.lost,
		Secure: transport.SecureServer}
	if !cfg.Witness() {
		o.Relayed = h.relayed
	}
	if t := cfg.Cluster.TLS; t.Cert != "" {
		keys, err := transport.ReadKeys(keyFiles(&t), log)
		if err != nil {
			return nil, fmt.Errorf("cluster.tls: %w", err)
		}
		o.Server, o.Named = keys.Config(), named
		o.Client = func(name string) (_ *tls.Config, err error) {
			var pem [3][]byte // read again each time: renewed files are used without a restart
			for i, file := range [...]string{t.ClientCA, t.Cert, t.Key} {
				if pem[i], err = os.ReadFile(file); err != nil {
					return nil, fmt.Errorf("cluster.tls: %w", err)
				}
			}
			return (&transport.Trust{CA: pem[0], ServerName: name, Cert: pem[1], Key: pem[2]}).Config()
		}
	}
	h.mesh = cluster.Start(o)
	h.announce = h.mesh.Announce
	if h.formation.Table() != nil {
		h.know()
	}
	return h, nil
}

func (h *membership) hello() *cluster.Hello {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.formation.Hello()
}

func (h *membership) heard(v *cluster.Hello) error {
	h.mu.Lock()
	changed, err := h.formation.Heard(v)
	if changed {
		h.keep()
		h.know()
	}
	h.noteRooms()
	h.mu.Unlock()
	if changed {
		h.announce()
	}
	return err
}

// tellRoom tells the others what this host's disk can still take.
func (h *membership) tellRoom(room replica.Room) {
	h.mu.Lock()
	h.formation.Self.Room = uint8(room)
	h.noteRooms()
	h.mu.Unlock()
	h.announce()
}

// room is what a member's disk can still take, as it said last.
func (h *membership) room(id uint64) replica.Room {
	if rooms := h.rooms.Load(); rooms != nil {
		return (*rooms)[id]
	}
	return replica.Roomy
}

// noteRooms takes over what members said of their disks.
func (h *membership) noteRooms() {
	rooms := h.formation.Rooms()
	if old := h.rooms.Load(); old == nil && rooms != nil || old != nil && !maps.Equal(*old, rooms) {
		h.rooms.Store(&rooms)
	}
}

// named says whether a certificate is a member's: it bears the name as a DNS name.
func named(s tls.ConnectionState, name string) error {
	if len(s.PeerCertificates) == 0 {
		return fmt.Errorf("%s shows no certificate", name)
	}
	return s.PeerCertificates[0].VerifyHostname(name)
}

// keep stores the table; it is on stable storage when keep returns.
func (h *membership) keep() {
	w := journal.NewBatch()
	w.Set(tableKey, h.formation.Table().Encode())
	h.db.Write(w, nil)
	done := make(chan struct{})
	h.db.Append(journal.Append{Done: func() { close(done) }})
	h.wait(done)
}

// know makes the table the one in force.
func (h *membership) know() {
	t := h.formation.Table()
	if h.mesh != nil {
		h.reach(t)
	}
	h.noteRooms()
	select {
	case <-h.formed:
		h.log.Info("the members have changed", "cluster", t.Cluster, "epoch", t.Epoch)
	default:
		h.log.Info("the cluster is formed", "cluster", t.Cluster, "epoch", t.Epoch, "members", len(t.Members))
		close(h.formed)
	}
}

// reach finds the way to each member of a table.
func (h *membership) reach(t *cluster.Table) {
	ways := map[uint64]*cluster.Peer{}
	for i := range t.Members {
		if m := &t.Members[i]; m.Address != "" && m.Name != h.cfg.Name {
			h.mesh.Add(m.Name, m.Address)
		}
		if p := h.mesh.Peer(t.Members[i].Name); p != nil {
			ways[t.Members[i].Raft()] = p
		}
	}
	h.ways.Store(&ways)
}

func (h *membership) table() *cluster.Table {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.formation.Table()
}

// await waits until the store belongs to a cluster; false when ctx ends first.
func (h *membership) await(ctx context.Context) bool {
	select {
	case <-h.formed:
		return true
	default:
	}
	h.log.Info("the store belongs to no cluster yet", "store", cluster.ID(h.db.ID()))
	select {
	case <-h.formed:
		return true
	case <-ctx.Done():
		return false
	}
}

// waits says in words what the store waits for before it belongs to a cluster.
func (h *membership) waits() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.formation.Table() != nil {
		return h.formation.Gone()
	}
	return h.formation.Waits()
}

// name is the member with an id in raft groups; empty for none.
func (h *membership) name(id uint64) string {
	t := h.table()
	if m := t.ByRaft(id); m != nil {
		return m.Name
	}
	return ""
}

// send queues a raft message; false when it is lost.
func (h *membership) send(to uint64, lane uint16, msg []byte) bool {
	p := (*h.ways.Load())[to]
	return p != nil && p.Send(cluster.Raft, lane, msg)
}

// takesClients is the way to a member, if it is up and takes clients that others relay to it; else nil.
func (h *membership) takesClients(id uint64) *cluster.Peer {
	p := (*h.ways.Load())[id]
	if p == nil || !p.Up() {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if v := h.formation.Said(p.Name); v == nil || !v.Relayed {
		return nil
	}
	return p
}

// spreads says that every member that stores messages leads lanes whose links another host keeps, as far as it was heard: one of an
// older build does not, and one whose node file says no.
func (h *membership) spreads() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.cfg.Cluster.Spread {
		return false
	}
	t := h.formation.Table()
	for i := range t.Members {
		m := &t.Members[i]
		if v := h.formation.Said(m.Name); v != nil && !m.Witness && m.Name != h.cfg.Name && v.Spreads != stayVersion {
			return false
		}
	}
	return true
}

// relayed takes a client that another host relays.
func (h *membership) relayed(from *cluster.Peer, c net.Conn, client netip.AddrPort) {
	if l := h.lobby.Load(); l != nil {
		l.Relayed(c, transport.Caller{Remote: client, Via: from.Name})
		return
	}
	_ = c.Close()
}

func (h *membership) receive(from *cluster.Peer, k cluster.Kind, lane uint16, payload []byte) {
	if f := h.hear.Load(); f != nil {
		(*f)(from, k, lane, payload)
	}
}

// change stores and announces the table that an order makes; nil changes nothing.
func (h *membership) change(order func(f *cluster.Formation) (*cluster.Table, error)) error {
	h.mu.Lock()
	t, err := order(h.formation)
	if err == nil && t != nil {
		h.formation.Change(t)
		h.keep()
		h.know()
	}
	h.mu.Unlock()
	if err == nil && t != nil {
		h.announce()
	}
	return err
}

func (h *membership) lost(p *cluster.Peer) {
	f, ways := h.missed.Load(), h.ways.Load()
	if f == nil || ways == nil {
		return
	}
	for id, way := range *ways {
		if way == p {
			(*f)(id)
		}
	}
}

// listen says who is told of what others say and of streams that broke.
func (h *membership) listen(hear hearer, missed func(id uint64)) {
	h.hear.Store(&hear)
	h.missed.Store(&missed)
}

// close ends the streams.
func (h *membership) close() {
	if h != nil {
		h.mesh.Close()
	}
}
