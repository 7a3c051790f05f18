package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"smsplane/bench"
	"smsplane/bench/peer"
)

// carrierOptions are one or several simulated carriers with one behaviour.
type carrierOptions struct {
	listen             []string
	systemID, password string
	behaviour          peer.Behaviour
	mo                 peer.MO
	moRate             float64
	seed               uint64
}

func (c *cli) carrierCommand() *cobra.Command {
	var o carrierOptions
	cmd := &cobra.Command{
		Use:   "carrier",
		Short: "Play a carrier: take messages as an SMSC would, send receipts, count everything",
		Long: "carrier runs until SIGINT or SIGTERM and then tells what it took. On SIGUSR1 it tells so far. With --json each\n" +
			"telling is one line per listening address.",
		Args: cobra.NoArgs,
		RunE: c.does(func(ctx context.Context) error { return c.carrier(ctx, o) }),
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.listen, "listen", []string{"127.0.0.1:3775"}, "host:port; several, separated by commas, are as many carriers")
	f.StringVar(&o.systemID, "system-id", "", "what binds must say; empty = anything")
	f.StringVar(&o.password, "password", "", "likewise")
	behaviourFlags(f, &o.behaviour)
	f.Float64Var(&o.moRate, "mo-rate", 0, "MO messages per second to each carrier's bound party")
	f.StringVar(&o.mo.SystemID, "mo-system-id", "", "the party; empty = --system-id")
	f.StringVar(&o.mo.From, "mo-from", "491511234567", "sender of MO messages")
	f.StringVar(&o.mo.To, "mo-to", "12345", "their destination")
	f.StringVar(&o.mo.Text, "mo-text", "hello", "their text")
	f.Uint64Var(&o.seed, "seed", 1, "of the draws for percentages")
	return c.withJSON(cmd)
}

func (c *cli) carrier(ctx context.Context, o carrierOptions) error {
	if o.mo.SystemID == "" {
		o.mo.SystemID = o.systemID
	}
	if o.moRate < 0 || o.moRate > 0 && o.mo.SystemID == "" {
		return errors.New("--mo-rate needs the party's system_id in --mo-system-id or --system-id, and cannot be negative")
	}
	tell := make(chan os.Signal, 1)
	signal.Notify(tell, syscall.SIGUSR1)
	defer signal.Stop(tell)
	var all []*peer.Carrier
	defer func() {
		for _, p := range all {
			p.Close()
		}
	}()
	for i, address := range o.listen {
		p, err := peer.StartCarrier(peer.CarrierOptions{Listen: address, SystemID: o.systemID, Password: o.password,
			Seed: o.seed + uint64(i), Behaviour: o.behaviour})
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	if !c.json {
		fmt.Fprintf(c.err, "carrier listens on %s\n", strings.Join(o.listen, ", "))
	}
	c.watch(ctx, all, tell, &o)
	return c.tell(all)
}

// watch sends MO messages, shows a line a second to a person, and tells on request, until ctx ends.
func (c *cli) watch(ctx context.Context, all []*peer.Carrier, tell <-chan os.Signal, o *carrierOptions) {
	every := time.Second
	if o.moRate > 0 {
		every = min(every, max(time.Millisecond, time.Duration(1e9/o.moRate)))
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	show := !c.json && terminal(os.Stderr)
	began, line, sent, taken := time.Now(), time.Now(), 0, int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tell:
			if err := c.tell(all); err != nil {
				fmt.Fprintf(c.err, "smsbench: %v\n", err)
			}
		case now := <-tick.C:
			for ; float64(sent) < now.Sub(began).Seconds()*o.moRate; sent++ {
				for _, p := range all {
					if err := p.Inject(o.mo); err != nil { // the rest of them would fare no better
						fmt.Fprintf(c.err, "smsbench: %v\n", err)
						o.moRate = 0
					}
				}
			}
			if since := now.Sub(line); show && since >= time.Second {
				taken, line = c.statusLine(all, taken, since), now
			}
		}
	}
}

// statusLine writes over the last one; it returns the messages taken so far.
func (c *cli) statusLine(all []*peer.Carrier, before int64, since time.Duration) int64 {
	var sum peer.Tally
	binds, waiting, refused := 0, 0, int64(0)
	for _, p := range all {
		t := p.Tally()
		binds, waiting = binds+p.Binds(), waiting+p.Waiting()
		sum.Taken, sum.Throttled, sum.ReceiptsSent = sum.Taken+t.Taken, sum.Throttled+t.Throttled, sum.ReceiptsSent+t.ReceiptsSent
		for _, n := range t.Refused {
			refused += n
		}
	}
	fmt.Fprintf(c.err, "\rbinds %d  taken %d (%.0f/s)  throttled %d  refused %d  receipts %d sent, %d waiting   ",
		binds, sum.Taken, float64(sum.Taken-before)/since.Seconds(), sum.Throttled, refused, sum.ReceiptsSent, waiting)
	return sum.Taken
}

func (c *cli) tell(all []*peer.Carrier) error {
	for _, p := range all {
		t := p.Tally()
		if !c.json {
			printTally(c, p.Addr(), &t)
			continue
		}
		b, err := json.Marshal(bench.TallyLine{Listen: p.Addr(), Tally: t})
		if err != nil {
			return err
		}
		if _, err := c.out.Write(append(b, '\n')); err != nil {
			return err
		}
	}
	return nil
}

func printTally(c *cli, address string, t *peer.Tally) {
	fmt.Fprintf(c.out, "\ncarrier %s\n", address)
	lines := []struct {
		name string
		n    int64
	}{{"binds", t.Binds}, {"binds refused", t.BindsRefused}, {"submit_sm", t.Submits}, {"taken", t.Taken}, {"throttled", t.Throttled},
		{"malformed", t.Malformed}, {"receipts made", t.ReceiptsMade}, {"receipts failing", t.ReceiptsFailing}, {"receipts sent", t.ReceiptsSent},
		{"receipts answered", t.ReceiptsAnswered}, {"receipts refused", t.ReceiptsRefused}, {"receipts sent again", t.ReceiptsAgain},
		{"MO sent", t.MOSent}, {"MO answered", t.MOAnswered}}
	for _, l := range lines {
		fmt.Fprintf(c.out, "  %-20s %12d\n", l.name, l.n)
	}
	var names []string
	for name := range t.Refused {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(c.out, "  %-20s %12d\n", "refused "+name, t.Refused[name])
	}
}

// terminal says whether a person may be looking.
func terminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
