package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"smsplane/bench/peer"
	"smsplane/dataplane/admin"
)

// layers is how many a message crosses.
const layers = 8

// exercise sends the messages, waits until the books are settled, prints everything, and says whether anything is wrong.
func (d *demo) exercise(ctx context.Context) (wrong bool, err error) {
	before, err := d.node.Status(ctx)
	if err != nil {
		return false, fmt.Errorf("ask the appliance for its status: %w", err)
	}
	client, err := peer.Dial(ctx, peer.ClientOptions{Address: d.site.smpp, SystemID: d.site.client.systemID,
		Password: d.site.client.password, Connections: 2, Window: min(d.site.window, 500)})
	if err != nil {
		return false, err
	}
	defer client.Close()
	d.say("client %s sends %s messages and asks for receipts", d.site.clientID, number(d.o.Count))
	began := time.Now()
	if err := d.send(ctx, client); err != nil {
		return false, err
	}
	took := time.Since(began)
	after, notSettled, err := d.settle(ctx)
	if err != nil {
		return false, err
	}
	var tallies []peer.Tally
	for _, c := range d.carriers {
		t, err := c.tally(ctx)
		if err != nil {
			return false, err
		}
		tallies = append(tallies, t)
	}
	r, a := client.Report(), client.Account(tallies...)
	problems := append(notSettled, judge(&before, &after, &r, &a, d.o.Count)...)
	d.printLayers(before.Layers, after.Layers, took)
	d.printBooks(&after.Books)
	d.printOutside(&r, &a, tallies)
	PrintProblems(d.o.Out, problems)
	return len(problems) > 0, nil
}

// send runs the load with an eye on the children: when one dies, its last words matter more than the client's error.
func (d *demo) send(ctx context.Context, client *peer.Client) error {
	err := client.Run(ctx, peer.Load{Count: d.o.Count, Receipts: true})
	if err == nil {
		wait, cancel := context.WithTimeout(ctx, settleWait)
		defer cancel()
		client.AwaitReceipts(wait)
		err = ctx.Err()
	}
	if c := d.dead(); c != nil {
		return c.death()
	}
	return err
}

// settle waits until nothing is on its way. What never settles is told, not an error.
func (d *demo) settle(ctx context.Context) (s admin.Status, problems []string, err error) {
	err = d.await(ctx, settleWait, "the books to settle", func(ctx context.Context) (bool, error) {
		now, err := d.node.Status(ctx)
		if err != nil {
			return false, err
		}
		s = now
		b := &s.Books
		return b.InFlight == 0 && b.InDoubt == 0 && b.ReceiptsParked == 0, nil
	})
	if errors.Is(err, context.DeadlineExceeded) && s.Node != "" {
		b := &s.Books
		return s, []string{fmt.Sprintf("after %v %d messages are in flight, %d in doubt, %d receipts parked", settleWait, b.InFlight, b.InDoubt, b.ReceiptsParked)}, nil
	}
	return s, nil, err
}

// judge compares what the client was told, what the carriers took and what the appliance's books say. A store that has
// been used before may owe receipts from then; they are no fault of this run.
func judge(before, after *admin.Status, r *peer.Report, a *peer.Account, count int64) []string {
	seen, old := *r, before.Books
	if old.InFlight+old.InDoubt+old.ReceiptsParked > 0 {
		seen.Receipts.Unknown = 0
	}
	problems := peer.Problems(&seen, a)
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	b := &after.Books
	if r.Accepted != count {
		say("%d of %d messages were accepted", r.Accepted, count)
	}
	if !b.AddUp() {
		say("accepted %d is not what became of them, %d, or the ledger sum %d is not zero", b.Accepted, becameOf(b), b.LedgerSumMicro)
	}
	if grown := int64(b.Accepted - old.Accepted); grown != r.Accepted {
		say("the books accepted %d messages, the client was told so of %d", grown, r.Accepted)
	}
	if grown := int64(b.ReceiptsReturned - old.ReceiptsReturned); grown < r.Receipts.Matched {
		say("the books returned %d receipts, the client has %d", grown, r.Receipts.Matched)
	}
	if len(after.Layers) != layers {
		say("status tells of %d layers, there are %d", len(after.Layers), layers)
	}
	for _, l := range after.Layers {
		if l.P50 <= 0 || l.P99 < l.P50 {
			say("layer %s tells no latency: p50 %v ms, p99 %v ms", l.Name, l.P50, l.P99)
		}
	}
	return problems
}

func becameOf(b *admin.Books) uint64 {
	return b.Delivered + b.Failed + b.Expired + b.Sent + b.Unknown + b.InFlight + b.InDoubt
}

// printLayers shows rates over this run, first submit_sm to last receipt: the node's own go over ten seconds, which is
// longer than the run.
func (d *demo) printLayers(before, after []admin.LayerStatus, took time.Duration) {
	earlier := map[string]uint64{}
	for _, l := range before {
		earlier[l.Name] = l.Messages
	}
	var t table
	t.row("layer", "workers", "messages", "tps", "p50", "p99", "refused")
	for _, l := range after {
		tps := float64(l.Messages-earlier[l.Name]) / took.Seconds()
		t.row(l.Name, number(l.Workers), number(l.Messages), number(int64(tps)), micros(l.P50*1e3), micros(l.P99*1e3), number(l.Refusals))
	}
	fmt.Fprintln(d.o.Out)
	t.print(d.o.Out)
}

func (d *demo) printOutside(r *peer.Report, a *peer.Account, tallies []peer.Tally) {
	w := d.o.Out
	var t table
	t.row("seen from outside", "")
	t.row("client sent", number(r.Sent))
	t.row("accepted", number(r.Accepted), number(int64(r.TPS))+"/s")
	for i, c := range d.carriers {
		t.row("carrier "+c.at.id+" took", number(tallies[i].Taken))
	}
	t.row("lost", number(a.Lost))
	t.row("duplicated", number(a.Duplicated))
	t.row("receipts", number(r.Receipts.Matched), number(r.Receipts.Delivered)+" delivered", number(r.Receipts.Failed)+" failed")
	t.row("receipts missing", number(r.Receipts.Missing))
	fmt.Fprintln(w)
	t.print(w)
	fmt.Fprintln(w)
	printLatency(w, r)
	fmt.Fprintln(w)
}

func (d *demo) printBooks(b *admin.Books) {
	var t table
	t.row("books", "")
	t.row("accepted", number(b.Accepted))
	for _, l := range []struct {
		name string
		n    uint64
	}{{"delivered", b.Delivered}, {"failed", b.Failed}, {"expired", b.Expired}, {"sent", b.Sent}, {"unknown", b.Unknown}, {"in flight", b.InFlight}, {"in doubt", b.InDoubt}} {
		t.row("  "+l.name, number(l.n))
	}
	t.row("  together", number(becameOf(b)))
	t.row("resent", number(b.Resent))
	t.row("receipts returned", number(b.ReceiptsReturned))
	t.row("receipts parked", number(b.ReceiptsParked))
	t.row("ledger sum", fmt.Sprintf("%d µ", b.LedgerSumMicro))
	fmt.Fprintln(d.o.Out)
	t.print(d.o.Out)
}

func (d *demo) serveCommand() string {
	return d.program("smsplane") + " serve --config " + d.site.config
}

func (d *demo) carrierCommand(i int) string {
	at := d.site.carriers[i]
	return d.program("smsbench") + " carrier" + quote(carrierFlags(i, at))
}

func quote(args []string) (s string) {
	for _, a := range args {
		s += " " + a
	}
	return s
}

// printCommands shows what to try, ready to copy.
func (d *demo) printCommands() {
	s, plane := d.site, d.program("smsplane")
	ask := func(command string) string { return plane + " " + command + " --config " + s.config }
	const to = "4915112345678"
	d.say("\nIt is all still running. In another terminal:\n")
	for _, c := range []struct{ what, command string }{
		{"bind with any SMPP client", fmt.Sprintf("address %s   system_id %s   password %s", s.smpp, s.client.systemID, s.client.password)},
		{"send one message and wait for its receipt", fmt.Sprintf("%s send --addr %s --system-id %s --password %s --to %s --text hello --wait",
			d.program("smsbench"), s.smpp, s.client.systemID, s.client.password, to)},
		{"find it", ask("find --to " + to + " --since 10m")},
		{"trace it through the layers", ask("trace ID")},
		{"see the links, each with the reason for its state", ask("link list")},
		{"edit " + filepath.Join(s.catalog, "routes.csv") + ", then see what would change", ask("apply " + s.catalog + " --dry-run")},
		{"kill it", fmt.Sprintf("kill -9 %d", d.appliance.pid())},
		{"start it again: nothing accepted is lost", d.serveCommand()},
	} {
		d.say("  # %s\n  %s\n", c.what, c.command)
	}
	d.say("Ctrl-C ends everything.")
}
