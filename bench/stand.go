package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"smsplane/bench/peer"
	"smsplane/dataplane/admin"
	"smsplane/dataplane/config"
)

// StandOptions describe an appliance that a suite starts for itself, and the carriers around it.
type StandOptions struct {
	Bin string `json:"-"` // folder of smsplane
	Dir string `json:"-"` // folder to make the appliance's folder in; "" = the system's for temporary files

	Memory   bool           `json:"memory"`          // the store lies in memory (tmpfs): the same program, where fsync costs nothing
	Workers  config.Workers `json:"workers"`         // zero counts are the defaults
	Lanes    int            `json:"lanes"`           // 0 = default
	Clients  int            `json:"clients"`         // accounts; 0 = 1
	Carriers int            `json:"carriers"`        // in the route of every message; 0 = 1
	Parked   bool           `json:"parked"`          // one more carrier, for numbers in parkedPrefix, that is never there
	Sessions int            `json:"sessions"`        // of each carrier; 0 = 2
	Window   int            `json:"window"`          // of each session; 0 = 1000
	Apart    bool           `json:"apart"`           // each carrier has a prefix of its own, and stands in for none of the others
	TPS      int            `json:"carrier_tps"`     // of each carrier; 0 = unlimited
	Hot      int            `json:"memory_mib"`      // the node's memory for messages; 0 = default
	Keep     time.Duration  `json:"edr_ns"`          // how long EDRs are kept; 0 = default
	Routes   int            `json:"routes"`          // rows of routes.csv besides, each for a prefix of its own
	Receipts bool           `json:"receipts"`        // carriers send them, clients ask for them
	Unruly   bool           `json:"unruly"`          // links find out soon that a carrier is silent
	Cores    []int          `json:"cores,omitempty"` // the appliance may use only these; nil = all
}

func (o *StandOptions) fill() {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.Clients, 1)
	def(&o.Carriers, 1)
	def(&o.Sessions, 2)
	def(&o.Window, 1000)
}

// stand is a running appliance in a process of its own, carriers in this one, and what both say of themselves. One
// goroutine uses it; it must be locked to its OS thread, with which the appliance would end.
type stand struct {
	o         StandOptions
	dir       string
	log       *os.File
	smpp      string
	admin     string
	addresses []string // of the carriers
	appliance *child
	node      *admin.Client
	carriers  []*peer.Carrier
	gone      []peer.Tally // of carriers that were stopped
	clients   atomic.Pointer[[]*peer.Client]
	heard     func(c *peer.Client, run, index uint32, now int64) // each first arrival at a carrier; may be nil
}

// startStand writes the files, starts everything and waits until every link is bound. The caller stops it, also after
// an error.
func startStand(ctx context.Context, o StandOptions) (*stand, error) {
	o.fill()
	s := &stand{o: o}
	s.clients.Store(&[]*peer.Client{})
	in := o.Dir
	if o.Memory {
		in = memoryDir
	}
	var err error
	if s.dir, err = os.MkdirTemp(in, "smsbench-"); err != nil {
		return s, err
	}
	if err := s.takeAddresses(); err != nil {
		return s, err
	}
	if err := s.write(); err != nil {
		return s, err
	}
	if s.log, err = os.Create(filepath.Join(s.dir, "smsplane.log")); err != nil {
		return s, err
	}
	if err := s.startCarriers(); err != nil {
		return s, err
	}
	if err := s.serve(); err != nil {
		return s, err
	}
	return s, s.await(ctx, readyWait, "the appliance to be ready and bound to its carriers", s.ready)
}

// memoryDir is where Linux keeps files in memory.
const memoryDir = "/dev/shm"

// takeAddresses picks addresses, each another one.
func (s *stand) takeAddresses() error {
	seen := map[string]bool{}
	take := func() (a string, err error) {
		for a, err = peer.FreeAddress(); err == nil && seen[a]; {
			a, err = peer.FreeAddress()
		}
		seen[a] = true
		return a, err
	}
	var err error
	if s.smpp, err = take(); err != nil {
		return err
	}
	if s.admin, err = take(); err != nil {
		return err
	}
	for range s.o.Carriers {
		a, err := take()
		if err != nil {
			return err
		}
		s.addresses = append(s.addresses, a)
	}
	return nil
}

// serve starts the appliance on its cores.
func (s *stand) serve() error {
	restore, err := confine(s.o.Cores)
	if err != nil {
		return err
	}
	defer restore()
	program := filepath.Join(s.o.Bin, "smsplane")
	s.appliance, err = startChild("smsplane serve", s.log, nil, program, "serve", "--config", s.config())
	return err
}

func (s *stand) startCarriers() error {
	for i := range s.addresses {
		c, err := s.startCarrier(i, s.behaviour().Receipts)
		if err != nil {
			return err
		}
		s.carriers = append(s.carriers, c)
	}
	return nil
}

func (s *stand) startCarrier(i int, receipts string) (*peer.Carrier, error) {
	b := s.behaviour()
	b.Receipts = receipts
	c, err := peer.StartCarrier(peer.CarrierOptions{Listen: s.addresses[i], Seed: uint64(i), Observe: s.observe,
		Behaviour: b})
	if err != nil {
		return nil, fmt.Errorf("play a carrier: %w", err)
	}
	return c, nil
}

// linkDeliveries is how many receipts a link takes from its carrier without an answer.
const linkDeliveries = 1000

// behaviour is that of carriers that keep the rules: beyond its window of receipts a link throttles, and what was throttled
// comes again a second later.
func (s *stand) behaviour() peer.Behaviour {
	receipts := "off"
	if s.o.Receipts {
		receipts = "asked"
	}
	return peer.Behaviour{Receipts: receipts, ReceiptWindow: linkDeliveries}
}

// stopCarriers ends all links at once; what they took stays counted.
func (s *stand) stopCarriers() {
	for _, c := range s.carriers {
		c.Close()
		s.gone = append(s.gone, c.Tally())
	}
	s.carriers = nil
}

func (s *stand) tallies() []peer.Tally {
	all := append([]peer.Tally{}, s.gone...)
	for _, c := range s.carriers {
		all = append(all, c.Tally())
	}
	return all
}

func (s *stand) observe(run, index uint32, now int64) {
	for _, c := range *s.clients.Load() {
		c.Observe(run, index, now)
		if s.heard != nil {
			s.heard(c, run, index, now)
		}
	}
}

// client makes a client of account i and binds it.
func (s *stand) client(ctx context.Context, i, connections, window int) (*peer.Client, error) {
	c, err := peer.NewClient(peer.ClientOptions{Address: s.smpp, SystemID: clientName(i), Password: password, Connections: connections, Window: window})
	if err != nil {
		return nil, err
	}
	all := append([]*peer.Client{c}, *s.clients.Load()...)
	s.clients.Store(&all)
	if err := c.Dial(ctx); err != nil {
		s.leave(c)
		return nil, err
	}
	return c, nil
}

// leave ends a client and forgets it.
func (s *stand) leave(c *peer.Client) {
	c.Close()
	var rest []*peer.Client
	for _, o := range *s.clients.Load() {
		if o != c {
			rest = append(rest, o)
		}
	}
	s.clients.Store(&rest)
}

func (s *stand) ready(ctx context.Context) (bool, error) {
	if s.node == nil {
		node, err := admin.Dial(ctx, s.admin)
		if err != nil {
			return false, err
		}
		s.node = node
	}
	if !s.node.Ready() {
		return false, errors.New("/readyz says no")
	}
	want, bound := s.o.Carriers*s.o.Sessions, 0
	for _, c := range s.carriers {
		bound += c.Binds()
	}
	if bound < want {
		return false, fmt.Errorf("%d of %d binds to carriers are up", bound, want)
	}
	return true, nil
}

// await polls until ok, the appliance dies, the wait is over or ctx ends.
func (s *stand) await(ctx context.Context, wait time.Duration, what string, ok func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		done, why := ok(ctx)
		if done {
			return nil
		}
		if s.appliance.ended() {
			return s.appliance.death()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %v for %s: %w (%v)", wait, what, ctx.Err(), why)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// settled waits until nothing is on its way but base messages.
func (s *stand) settled(ctx context.Context, wait time.Duration, base uint64) (st admin.Status, err error) {
	err = s.await(ctx, wait, "the books to settle", func(ctx context.Context) (bool, error) {
		now, err := s.node.Status(ctx)
		if err != nil {
			return false, err
		}
		st = now
		b := &st.Books
		return b.InFlight == base && b.InDoubt == 0 && b.ReceiptsParked == 0,
			fmt.Errorf("%d in flight, %d in doubt, %d receipts parked", b.InFlight, b.InDoubt, b.ReceiptsParked)
	})
	return st, err
}

// stop ends the appliance, then the carriers, and removes the folder.
func (s *stand) stop() error {
	var errs []error
	for _, c := range *s.clients.Load() {
		c.Close()
	}
	if s.appliance != nil && !s.appliance.ended() {
		errs = append(errs, s.appliance.stop(stopWait))
	}
	s.stopCarriers()
	if s.log != nil {
		s.log.Close()
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

// onStand runs f with a stand of its own, on a thread of its own.
func onStand(ctx context.Context, o StandOptions, f func(s *stand) error) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s, err := startStand(ctx, o)
	defer func() { err = errors.Join(err, s.stop()) }()
	if err != nil {
		return err
	}
	return f(s)
}
