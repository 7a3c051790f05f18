package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"smsplane/bench/peer"
)

// CeilingOptions are those of the ceiling suite.
type CeilingOptions struct {
	Stand  StandOptions  `json:"stand"`
	Rounds int           `json:"rounds"` // contestants take turns; medians count
	For    time.Duration `json:"for_ns"` // each turn
	Binds  int           `json:"binds"`
	Window int           `json:"window"`
	Out    string        `json:"-"`
}

func (o *CeilingOptions) fill() {
	if o.Rounds == 0 {
		o.Rounds = 5
	}
	if o.For == 0 {
		o.For = 5 * time.Second
	}
	if o.Binds == 0 {
		o.Binds = 20
	}
	if o.Window == 0 {
		o.Window = 500
	}
}

// Contestants of the ceiling suite.
const (
	barePeers     = "client and carrier alone"
	bareResponder = "bare gnet responder"
	inMemory      = "product, store in memory"
	rawAppend     = "raw append + fdatasync"
	theProduct    = "product, durable"
)

// CeilingRow is one contestant.
type CeilingRow struct {
	Name  string    `json:"name"`
	TPS   float64   `json:"tps"`   // median
	Ratio float64   `json:"ratio"` // the product's TPS over this
	CPU   float64   `json:"cpu_us_per_message"`
	All   []float64 `json:"all_tps"`
}

// CeilingResult is the product beside what bounds it.
type CeilingResult struct {
	Origin
	Options  CeilingOptions `json:"options"`
	Rows     []CeilingRow   `json:"rows"`
	Product  Flood          `json:"product"` // of the last round
	Block    float64        `json:"block_bytes"`
	OfLeast  float64        `json:"ratio_to_the_lesser_of_memory_and_raw"`
	Runs     []Work         `json:"runs"`
	Digest   string         `json:"digest"`
	Problems []string       `json:"problems"`
	File     string         `json:"-"`
}

// Ceiling measures in one run what bounds the product, and the product as a ratio to each: a bare responder on the same
// edge, the same program with its store in memory (tmpfs: every write is made, fsync costs nothing), and raw append +
// fdatasync of as many octets as the product journals, in blocks as long as its own. Contestants take turns.
func Ceiling(ctx context.Context, o CeilingOptions) (*CeilingResult, error) {
	o.fill()
	r := &CeilingResult{Origin: newOrigin("ceiling"), Options: o, Problems: []string{}}
	tps, cpu := map[string][]float64{}, map[string][]float64{}
	note := func(name string, t, c float64) { tps[name], cpu[name] = append(tps[name], t), append(cpu[name], c) }
	for range o.Rounds {
		if err := r.round(ctx, note); err != nil {
			return nil, err
		}
	}
	product := median(tps[theProduct])
	for _, name := range []string{barePeers, bareResponder, inMemory, rawAppend, theProduct} {
		m := median(tps[name])
		r.Rows = append(r.Rows, CeilingRow{Name: name, TPS: m, Ratio: product / m, CPU: median(cpu[name]), All: tps[name]})
	}
	r.OfLeast = product / min(median(tps[inMemory]), median(tps[rawAppend]))
	r.Digest = digestOf(r.Runs)
	var err error
	r.File, err = saved(o.Out, r.Origin, r)
	return r, err
}

func (r *CeilingResult) round(ctx context.Context, note func(string, float64, float64)) error {
	o := &r.Options
	t, err := r.peers(ctx)
	if err != nil {
		return err
	}
	note(barePeers, t, 0)
	t, c, err := r.responder(ctx)
	if err != nil {
		return err
	}
	note(bareResponder, t, c)
	for _, memory := range []bool{true, false} {
		at := o.Stand
		at.Memory = memory
		var f Flood
		err := onStand(ctx, at, func(s *stand) (err error) {
			var problems []string
			f, problems, err = s.flood(ctx, floodOptions{clients: s.o.Clients, binds: o.Binds, window: o.Window, load: peer.Load{Count: maxMessages}, over: o.For})
			r.Problems = append(r.Problems, problems...)
			return err
		})
		if err != nil {
			return err
		}
		r.Runs = append(r.Runs, f.Work)
		if memory {
			note(inMemory, f.Through, f.CPU)
			continue
		}
		note(theProduct, f.Through, f.CPU)
		r.Product, r.Block = f, f.Journal*f.PerSync
		raw, err := appendRaw(ctx, o.Stand.Dir, int(max(1, r.Block)), o.For)
		if err != nil {
			return err
		}
		note(rawAppend, raw*f.PerSync, 0)
	}
	return nil
}

// peers is what client and carrier reach with nothing between them.
func (r *CeilingResult) peers(ctx context.Context) (float64, error) {
	c, err := peer.StartCarrier(peer.CarrierOptions{Listen: "127.0.0.1:0"})
	if err != nil {
		return 0, err
	}
	defer c.Close()
	rep, err := r.direct(ctx, c.Addr())
	return rep.TPS, err
}

// direct floods an address for the time of a turn.
func (r *CeilingResult) direct(ctx context.Context, address string) (peer.Report, error) {
	o := &r.Options
	c, err := peer.Dial(ctx, peer.ClientOptions{Address: address, SystemID: "bare", Connections: o.Binds, Window: o.Window})
	if err != nil {
		return peer.Report{}, err
	}
	defer c.Close()
	err = c.Run(ctx, peer.Load{Count: maxMessages, Duration: o.For})
	return c.Report(), err
}

// responder is a process of its own, as the product is.
func (r *CeilingResult) responder(ctx context.Context) (tps, cpu float64, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := &stand{o: r.Options.Stand}
	if err := s.takeAddresses(); err != nil {
		return 0, 0, err
	}
	var said tail
	if s.appliance, err = startChild("smsbench respond", &said, nil, filepath.Join(r.Options.Stand.Bin, "smsbench"), "respond", "--listen", s.smpp); err != nil {
		return 0, 0, err
	}
	defer s.appliance.stop(5 * time.Second)
	var rep peer.Report
	err = s.await(ctx, readyWait, "the responder to listen", func(ctx context.Context) (bool, error) {
		c, err := peer.Dial(ctx, peer.ClientOptions{Address: s.smpp, SystemID: "bare"})
		if err != nil {
			return false, err
		}
		c.Close()
		return true, nil
	})
	if err != nil {
		return 0, 0, err
	}
	from, err := vitals(s.appliance.pid())
	if err != nil {
		return 0, 0, err
	}
	if rep, err = r.direct(ctx, s.smpp); err != nil {
		return 0, 0, err
	}
	to, err := vitals(s.appliance.pid())
	return rep.TPS, float64((to.CPU - from.CPU).Microseconds()) / max(1, float64(rep.Accepted)), err
}

// appendRaw appends blocks to a file and makes each durable before the next, and returns how many went in a second.
func appendRaw(ctx context.Context, dir string, block int, over time.Duration) (float64, error) {
	f, err := os.CreateTemp(dir, "smsbench-raw-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	b := make([]byte, block)
	for i := range b {
		b[i] = byte(i * 131 >> 3)
	}
	n, began := 0, time.Now()
	for ; time.Since(began) < over && ctx.Err() == nil; n++ {
		if _, err := f.Write(b); err != nil {
			return 0, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, fmt.Errorf("fdatasync: %w", err)
		}
	}
	return float64(n) / time.Since(began).Seconds(), ctx.Err()
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// Wrong implements Suite.
func (r *CeilingResult) Wrong() []string { return r.Problems }

// Print writes the table for people.
func (r *CeilingResult) Print(w io.Writer) {
	r.Origin.print(w)
	fmt.Fprintf(w, "  medians of %d rounds of %v, %d × window %d\n", r.Options.Rounds, r.Options.For, r.Options.Binds, r.Options.Window)
	var t table
	t.row("contestant", "messages/s", "product ÷ it", "CPU/message")
	for _, x := range r.Rows {
		c := "-"
		if x.CPU > 0 {
			c = fmt.Sprintf("%.2f µs", x.CPU)
		}
		t.row(x.Name, number(int64(x.TPS)), fmt.Sprintf("%.3f", x.Ratio), c)
	}
	t.print(w)
	fmt.Fprintf(w, "  raw: blocks of %s octets, %.0f messages each; product ÷ lesser of memory and raw %.3f\n", number(int64(r.Block)), r.Product.PerSync, r.OfLeast)
	printWork(w, r.Runs, r.Digest)
	PrintProblems(w, r.Problems)
	printFile(w, r.File)
}
