package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"smsplane/bench/peer"
	"smsplane/dataplane/admin"
)

// DemoOptions are those of `make run`.
type DemoOptions struct {
	Dir   string // made by `smsplane init` when it has no node file
	Bin   string // folder of smsplane and smsbench
	Count int64  // messages
	Once  bool   // end after the table
	Out   io.Writer
}

// How long the demo waits for what should take a moment.
const (
	readyWait  = 60 * time.Second
	settleWait = 60 * time.Second
	stopWait   = 25 * time.Second // an appliance drains for 10 s by default
)

// ErrDoesNotAddUp says that the demo ran and its books are wrong; the reasons are printed.
var ErrDoesNotAddUp = errors.New("the books do not add up")

// demo is one run. One goroutine, locked to its OS thread, does everything but reading the children's output.
type demo struct {
	o         DemoOptions
	site      *site
	node      *admin.Client
	log       *os.File
	appliance *child
	carriers  []*carrierChild
}

// carrierChild is a carrier process and the tallies it has told.
type carrierChild struct {
	*child
	at      carrierSite
	tallies chan peer.Tally
}

// Demo starts an appliance and its carriers as processes, sends messages through them, prints each layer and the books,
// and stays until ctx ends unless Once. Everything it started has ended when it returns.
func Demo(ctx context.Context, o DemoOptions) (err error) {
	runtime.LockOSThread() // the children are told to end when this thread does
	defer runtime.UnlockOSThread()
	d := &demo{o: o}
	if err := d.prepare(ctx); err != nil {
		return err
	}
	defer d.log.Close()
	defer func() { err = errors.Join(err, d.stop()) }()
	if err := d.start(ctx); err != nil {
		return err
	}
	wrong, err := d.exercise(ctx)
	if err != nil {
		return err
	}
	if !o.Once {
		d.printCommands()
		d.stay(ctx)
	}
	if wrong {
		return ErrDoesNotAddUp
	}
	return nil
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.o.Out, format+"\n", args...) }

func (d *demo) program(name string) string { return filepath.Join(d.o.Bin, name) }

// prepare has the folder made if need be, reads it, and checks the addresses.
func (d *demo) prepare(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(d.o.Dir, "smsplane.yaml")); errors.Is(err, os.ErrNotExist) {
		out, err := exec.CommandContext(ctx, d.program("smsplane"), "init", d.o.Dir, "--demo").CombinedOutput()
		if err != nil {
			return fmt.Errorf("smsplane init %s --demo: %w\n%s", d.o.Dir, err, out)
		}
		d.say("made %s", d.o.Dir)
	}
	var err error
	if d.site, err = readSite(d.o.Dir); err != nil {
		return err
	}
	if err := d.site.free(); err != nil {
		return err
	}
	d.log, err = os.OpenFile(filepath.Join(d.o.Dir, "smsplane.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	return err
}

// start runs the carriers, then the appliance, and waits until it takes binds and all links are up.
func (d *demo) start(ctx context.Context) error {
	for i, at := range d.site.carriers {
		c, err := d.startCarrier(i, at)
		if err != nil {
			return err
		}
		d.carriers = append(d.carriers, c)
		d.say("carrier %s listens on %s (pid %d)", at.id, at.address, c.pid())
	}
	var err error
	d.appliance, err = startChild("smsplane serve", d.log, nil, d.program("smsplane"), "serve", "--config", d.site.config)
	if err != nil {
		return err
	}
	d.say("appliance takes binds on %s, questions on %s (pid %d, log %s)", d.site.smpp, d.site.admin, d.appliance.pid(), d.log.Name())
	return d.await(ctx, readyWait, "the appliance to be ready and bound to its carriers", d.ready)
}

// startCarrier gives each carrier a character: the second writes its ids in hex and fails one message in a hundred.
func (d *demo) startCarrier(i int, at carrierSite) (*carrierChild, error) {
	c := &carrierChild{at: at, tallies: make(chan peer.Tally, 16)}
	args := append([]string{"carrier"}, carrierFlags(i, at)...)
	var err error
	c.child, err = startChild("carrier "+at.id, d.log, c.told, d.program("smsbench"), append(args, "--json")...)
	return c, err
}

func carrierFlags(i int, at carrierSite) []string {
	flags := []string{"--listen", at.address, "--system-id", at.login.systemID, "--password", at.login.password,
		"--receipts", "asked", "--receipt-delay", "20ms"}
	if i%2 == 1 {
		flags = append(flags, "--id-form", "hex", "--failing-percent", "1")
	}
	return flags
}

// told takes a line of a carrier's output; a line too many is dropped, as only the newest matters.
func (c *carrierChild) told(line string) {
	var l TallyLine
	if json.Unmarshal([]byte(line), &l) != nil {
		return
	}
	select {
	case c.tallies <- l.Tally:
	default:
	}
}

// TallyLine is what `smsbench carrier --json` writes per listening address: on SIGUSR1 and at its end.
type TallyLine struct {
	Listen string     `json:"listen"`
	Tally  peer.Tally `json:"tally"`
}

// tally asks a carrier what it took so far.
func (c *carrierChild) tally(ctx context.Context) (peer.Tally, error) {
	for len(c.tallies) > 0 { // what it told before is old
		<-c.tallies
	}
	c.signal(syscall.SIGUSR1)
	select {
	case t := <-c.tallies:
		return t, nil
	case <-c.gone:
		return peer.Tally{}, c.death()
	case <-ctx.Done():
		return peer.Tally{}, ctx.Err()
	case <-time.After(10 * time.Second):
		return peer.Tally{}, fmt.Errorf("%s (pid %d) did not tell what it took", c.name, c.pid())
	}
}

// ready asks the node; an error is no reason to give up while the process lives.
func (d *demo) ready(ctx context.Context) (bool, error) {
	if d.node == nil {
		node, err := admin.Dial(ctx, d.site.admin)
		if err != nil {
			return false, err
		}
		d.node = node
	}
	if !d.node.Ready() {
		return false, errors.New("/readyz says no")
	}
	links, err := d.node.Links(ctx)
	if err != nil {
		return false, err
	}
	bound := 0
	for _, l := range links {
		if l.State == admin.LinkBound {
			bound++
		}
	}
	if bound < d.site.sessions {
		return false, fmt.Errorf("%d of %d binds to carriers are up", bound, d.site.sessions)
	}
	return true, nil
}

// await polls until ok, a child dies, the wait is over or ctx ends.
func (d *demo) await(ctx context.Context, wait time.Duration, what string, ok func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		done, why := ok(ctx)
		if done {
			return nil
		}
		if c := d.dead(); c != nil {
			return c.death()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %v for %s: %w (%v)", wait, what, ctx.Err(), why)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (d *demo) dead() *child {
	for _, c := range d.carriers {
		if c.ended() {
			return c.child
		}
	}
	if d.appliance != nil && d.appliance.ended() {
		return d.appliance
	}
	return nil
}

// stay tells of children that end until ctx does. It does not start them again: that is for the person who killed them.
func (d *demo) stay(ctx context.Context) {
	type death struct{ what, again string }
	deaths := make(chan death)
	watch := func(c *child, again string) {
		select {
		case <-c.gone:
			select {
			case deaths <- death{c.name, again}:
			case <-ctx.Done():
			}
		case <-ctx.Done():
		}
	}
	go watch(d.appliance, d.serveCommand())
	for i, c := range d.carriers {
		go watch(c.child, d.carrierCommand(i))
	}
	for {
		select {
		case x := <-deaths:
			d.say("\n%s is gone. Start it again, in another terminal, with:\n  %s", x.what, x.again)
		case <-ctx.Done():
			d.say("\nstopping: the appliance drains, then the carriers end")
			return
		}
	}
}

// stop ends what still runs: the appliance first, so that it can finish with its carriers.
func (d *demo) stop() error {
	var errs []error
	if d.appliance != nil && !d.appliance.ended() {
		errs = append(errs, d.appliance.stop(stopWait))
	}
	for _, c := range d.carriers {
		if !c.ended() {
			errs = append(errs, c.stop(5*time.Second))
		}
	}
	return errors.Join(errs...)
}
