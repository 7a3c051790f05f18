package bench

import (
	"context"
	"fmt"
	"time"

	"smsplane/bench/peer"
)

// PathOptions describe one run over the whole path: client → appliance → carriers → appliance → client.
type PathOptions struct {
	Client   peer.ClientOptions `json:"client"` // Address is the appliance's
	Load     peer.Load          `json:"load"`
	Carriers []string           `json:"carriers"`           // addresses to play carriers at; the appliance dials them
	SystemID string             `json:"system_id"`          // what the appliance binds with there; anything when empty
	Password string             `json:"password,omitempty"` // likewise
	Treat    peer.Behaviour     `json:"behaviour"`          // how all of them behave

	Binds       int           `json:"binds"`           // of the appliance to await before the load; 0 = one for each carrier, -1 = none
	BindWait    time.Duration `json:"bind_wait_ns"`    // how long; 0 = 30 s
	ReceiptWait time.Duration `json:"receipt_wait_ns"` // for receipts after the last answer; 0 = 60 s
	Out         string        `json:"-"`               // folder of result files; "" = none
}

func (o *PathOptions) fill() {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	if o.Binds == 0 {
		o.Binds = len(o.Carriers)
	}
	def(&o.BindWait, 30*time.Second)
	def(&o.ReceiptWait, time.Minute)
}

// PathResult is what a run over the path gave.
type PathResult struct {
	Origin
	Options  PathOptions  `json:"options"`
	Report   peer.Report  `json:"report"`
	Account  peer.Account `json:"account"` // its digest is the hash of the work
	Carriers []CarrierRow `json:"carriers"`
	Problems []string     `json:"problems"` // empty when every promise was kept
	File     string       `json:"-"`        // where the result was written
}

// CarrierRow is one carrier's share.
type CarrierRow struct {
	Address   string `json:"address"`
	Binds     int    `json:"binds"`
	Taken     int64  `json:"taken"`
	Throttled int64  `json:"throttled"`
	Refused   int64  `json:"refused"`
	Receipts  int64  `json:"receipts"`
}

// Path starts the carriers, waits for the appliance to bind to them, sends the load and accounts for it. The error is
// about the run; broken promises are in the result's Problems.
func Path(ctx context.Context, o PathOptions) (*PathResult, error) {
	o.fill()
	if len(o.Carriers) == 0 {
		return nil, fmt.Errorf("no carrier to play: name at least one address the appliance dials")
	}
	if err := o.Load.Validate(); err != nil {
		return nil, err
	}
	client, err := peer.NewClient(o.Client)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	carriers, err := startCarriers(&o, client.Observe)
	defer func() {
		for _, c := range carriers {
			c.Close()
		}
	}()
	if err != nil {
		return nil, err
	}
	if err := awaitBinds(ctx, carriers, &o); err != nil {
		return nil, err
	}
	if err := client.Dial(ctx); err != nil {
		return nil, err
	}
	runErr := client.Run(ctx, o.Load)
	wait, cancel := context.WithTimeout(ctx, o.ReceiptWait)
	defer cancel()
	client.AwaitReceipts(wait)
	return pathResult(&o, client, carriers, runErr)
}

func startCarriers(o *PathOptions, observe func(run, index uint32, now int64)) (all []*peer.Carrier, err error) {
	for i, address := range o.Carriers {
		c, err := peer.StartCarrier(peer.CarrierOptions{Listen: address, SystemID: o.SystemID, Password: o.Password,
			Seed: uint64(i), Behaviour: o.Treat, Observe: observe})
		if err != nil {
			return all, fmt.Errorf("play a carrier: %w", err)
		}
		all = append(all, c)
	}
	return all, nil
}

// awaitBinds waits for the sum: how the appliance spreads its binds is its own affair.
func awaitBinds(ctx context.Context, carriers []*peer.Carrier, o *PathOptions) error {
	deadline, cancel := context.WithTimeout(ctx, o.BindWait)
	defer cancel()
	for {
		n := 0
		for _, c := range carriers {
			n += c.Binds()
		}
		if n >= o.Binds {
			return nil
		}
		select {
		case <-deadline.Done():
			return fmt.Errorf("after %v %d of %d binds have come to %v: is the appliance running, and do its carriers name these addresses?",
				o.BindWait, n, o.Binds, o.Carriers)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func pathResult(o *PathOptions, client *peer.Client, carriers []*peer.Carrier, runErr error) (*PathResult, error) {
	r := &PathResult{Origin: newOrigin("path"), Options: *o, Report: client.Report()}
	r.Options.Client.Password, r.Options.Password = "", "" // results are shown around
	var tallies []peer.Tally
	var delivered int64
	for _, c := range carriers {
		t := c.Tally()
		tallies = append(tallies, t)
		delivered += t.ReceiptsMade - t.ReceiptsFailing
		row := CarrierRow{Address: c.Addr(), Binds: c.Binds(), Taken: t.Taken, Throttled: t.Throttled, Receipts: t.ReceiptsMade}
		for _, n := range t.Refused {
			row.Refused += n
		}
		r.Carriers = append(r.Carriers, row)
	}
	r.Account = client.Account(tallies...)
	r.Problems = peer.Problems(&r.Report, &r.Account)
	if runErr != nil {
		r.Problems = append(r.Problems, runErr.Error())
	}
	if n := &r.Report.Receipts; o.Load.Receipts && len(r.Problems) == 0 && n.Delivered > delivered {
		r.Problems = append(r.Problems, fmt.Sprintf("%d receipts say delivered, carriers said so of %d", n.Delivered, delivered))
	}
	if r.Problems == nil {
		r.Problems = []string{}
	}
	if o.Out == "" {
		return r, nil
	}
	var err error
	r.File, err = save(o.Out, r.Origin, r)
	return r, err
}
