package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"smsplane/pdu"
)

// within is a context that ends a test that hangs; nothing is measured by it.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func startCarrier(t *testing.T, o CarrierOptions) *Carrier {
	t.Helper()
	o.Listen = "127.0.0.1:0"
	c, err := StartCarrier(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func dialTo(t *testing.T, addr string, o ClientOptions) *Client {
	t.Helper()
	o.Address, o.SystemID = addr, "tester"
	c, err := Dial(within(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// exchange runs one load straight from a client to a carrier.
func exchange(t *testing.T, b Behaviour, o ClientOptions, l Load) (Report, Account, Tally) {
	t.Helper()
	carrier := startCarrier(t, CarrierOptions{Behaviour: b, Seed: 7})
	c := dialTo(t, carrier.Addr(), o)
	if err := c.Run(within(t), l); err != nil {
		t.Fatal(err)
	}
	if b.Receipts != "" && b.Receipts != "off" {
		c.AwaitReceipts(within(t))
	}
	return c.Report(), c.Account(carrier.Tally()), carrier.Tally()
}

func clean(t *testing.T, r Report, a Account) {
	t.Helper()
	for _, p := range Problems(&r, &a) {
		t.Error(p)
	}
}

func TestNothingLostAndEveryReceiptBack(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    Behaviour
		o    ClientOptions
	}{
		{"decimal", Behaviour{Receipts: "asked"}, ClientOptions{Window: 50}},
		{"hex over four", Behaviour{Receipts: "all", IDForm: "hex"}, ClientOptions{Connections: 4, Window: 100}},
		{"uuid over tx and rx", Behaviour{Receipts: "asked", IDForm: "uuid"}, ClientOptions{Connections: 2, Bind: "txrx"}},
		{"receipts first", Behaviour{Receipts: "asked", ReceiptEarly: true}, ClientOptions{Window: 10}},
		{"late answers", Behaviour{Receipts: "asked", Latency: 3 * time.Millisecond, ReceiptDelay: 5 * time.Millisecond}, ClientOptions{Window: 500}},
		{"receipts before late answers", Behaviour{Receipts: "asked", Latency: 3 * time.Millisecond, ReceiptEarly: true}, ClientOptions{Window: 500}},
		{"one receipt at a time", Behaviour{Receipts: "all", ReceiptWindow: 1}, ClientOptions{Connections: 2, Window: 20}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const n = 3000
			r, a, tally := exchange(t, tt.b, tt.o, Load{Count: n, Receipts: true})
			clean(t, r, a)
			if r.Accepted != n || a.Arrived != n || r.Receipts.Matched != n || r.Receipts.Delivered != n || tally.ReceiptsMade != n {
				t.Errorf("accepted %d, arrived %d, receipts matched %d, delivered %d, made %d; want %d of each",
					r.Accepted, a.Arrived, r.Receipts.Matched, r.Receipts.Delivered, tally.ReceiptsMade, n)
			}
			if r.Resp.Count != n || r.Receipt.Count != n || r.Resp.MaxUS <= 0 {
				t.Errorf("latency of %d answers and %d receipts; want %d", r.Resp.Count, r.Receipt.Count, n)
			}
		})
	}
}

func TestBehaviourShows(t *testing.T) {
	const n = 400
	t.Run("no receipts unless asked", func(t *testing.T) {
		_, _, tally := exchange(t, Behaviour{Receipts: "asked"}, ClientOptions{}, Load{Count: n})
		if tally.ReceiptsMade != 0 || tally.Taken != n {
			t.Errorf("%d receipts made, %d taken", tally.ReceiptsMade, tally.Taken)
		}
	})
	t.Run("no receipts though asked", func(t *testing.T) {
		carrier := startCarrier(t, CarrierOptions{})
		c := dialTo(t, carrier.Addr(), ClientOptions{})
		if err := c.Run(within(t), Load{Count: n, Receipts: true}); err != nil {
			t.Fatal(err)
		}
		if r := c.Report(); r.Receipts.Missing != n {
			t.Errorf("%d receipts missing; want %d", r.Receipts.Missing, n)
		}
	})
	t.Run("latency", func(t *testing.T) {
		r, _, _ := exchange(t, Behaviour{Latency: 20 * time.Millisecond}, ClientOptions{Window: n}, Load{Count: n})
		if r.Service.P50US < 20e3 {
			t.Errorf("half of the answers within %v µs of a carrier that takes 20 ms", r.Service.P50US)
		}
	})
	t.Run("receipt delay", func(t *testing.T) {
		r, _, _ := exchange(t, Behaviour{Receipts: "all", ReceiptDelay: 30 * time.Millisecond}, ClientOptions{}, Load{Count: n, Receipts: true})
		if r.Receipt.P50US < 30e3 {
			t.Errorf("half of the receipts within %v µs; they are made after 30 ms", r.Receipt.P50US)
		}
	})
	t.Run("tps", func(t *testing.T) {
		r, a, tally := exchange(t, Behaviour{TPS: 500}, ClientOptions{Window: n}, Load{Count: n, RetryAfter: 10 * time.Millisecond})
		clean(t, r, a)
		// A tenth of a second in the bucket lets 51 pass at once; the rest must wait for the rate.
		if r.Throttled == 0 || tally.Throttled != r.Throttled || r.Elapsed < 0.5 {
			t.Errorf("throttled %d (carrier %d) in %.3f s", r.Throttled, tally.Throttled, r.Elapsed)
		}
	})
	t.Run("window", func(t *testing.T) {
		r, a, _ := exchange(t, Behaviour{Window: 5, Latency: 20 * time.Millisecond}, ClientOptions{Window: 50},
			Load{Count: 50, RetryAfter: time.Millisecond})
		clean(t, r, a)
		if r.Throttled == 0 {
			t.Error("50 at once passed a window of 5")
		}
	})
	t.Run("errors", func(t *testing.T) {
		r, a, _ := exchange(t, Behaviour{ErrorPercent: 25, ErrorStatus: pdu.RInvDstAdr}, ClientOptions{}, Load{Count: n})
		if r.Refused < n/8 || r.Refused > n/2 || r.Statuses["ESME_RINVDSTADR"] != r.Refused || a.Arrived != n-r.Refused {
			t.Errorf("refused %d (%v), arrived %d", r.Refused, r.Statuses, a.Arrived)
		}
	})
	t.Run("refused prefix", func(t *testing.T) {
		b := Behaviour{Refuse: []Refusal{{"4915100000001", pdu.RSysErr}, {"49152", pdu.RInvDstAdr}}}
		r, a, tally := exchange(t, b, ClientOptions{}, Load{Count: n})
		if r.Refused != 10 || r.Statuses["ESME_RSYSERR"] != 10 || tally.Refused["ESME_RSYSERR"] != 10 || a.Lost != 0 {
			t.Errorf("refused %v; want the ten messages 10 to 19 with ESME_RSYSERR", r.Statuses)
		}
	})
	t.Run("failing receipts", func(t *testing.T) {
		r, a, tally := exchange(t, Behaviour{Receipts: "all", FailingPercent: 25}, ClientOptions{}, Load{Count: n, Receipts: true})
		clean(t, r, a)
		if r.Receipts.Failed != tally.ReceiptsFailing || r.Receipts.Failed < n/8 || r.Receipts.Failed > n/2 {
			t.Errorf("failed %d, carrier said so of %d", r.Receipts.Failed, tally.ReceiptsFailing)
		}
	})
	t.Run("changed while it runs", func(t *testing.T) {
		carrier := startCarrier(t, CarrierOptions{})
		for _, want := range []int64{0, n} {
			if err := carrier.Set(Behaviour{ErrorPercent: 100 * float64(want) / n}); err != nil {
				t.Fatal(err)
			}
			c := dialTo(t, carrier.Addr(), ClientOptions{})
			if err := c.Run(within(t), Load{Count: n}); err != nil {
				t.Fatal(err)
			}
			if r := c.Report(); r.Refused != want {
				t.Errorf("refused %d; want %d", r.Refused, want)
			}
		}
	})
}

func TestBindRefused(t *testing.T) {
	carrier := startCarrier(t, CarrierOptions{SystemID: "tester", Password: "right"})
	for _, tt := range []struct {
		id, password string
		want         pdu.Status
	}{{"tester", "wrong", pdu.RInvPaswd}, {"stranger", "right", pdu.RInvSysID}} {
		_, err := Dial(within(t), ClientOptions{Address: carrier.Addr(), SystemID: tt.id, Password: tt.password})
		var refused *BindError
		if !errors.As(err, &refused) || refused.Status != tt.want {
			t.Errorf("%s/%s: %v; want %v", tt.id, tt.password, err, tt.want)
		}
	}
	if n := carrier.Tally().BindsRefused; n != 2 {
		t.Errorf("%d binds refused; want 2", n)
	}
}

// Names cost memory, so there is an end to them.
func TestTooManyParties(t *testing.T) {
	carrier := startCarrier(t, CarrierOptions{})
	for i := range maxParties + 1 {
		c, err := Dial(within(t), ClientOptions{Address: carrier.Addr(), SystemID: fmt.Sprint("party", i)})
		if err == nil {
			c.Close()
		}
		var refused *BindError
		if i < maxParties && err != nil || i == maxParties && (!errors.As(err, &refused) || refused.Status != pdu.RBindFail) {
			t.Fatalf("party %d: %v", i, err)
		}
	}
}

func TestMOArrives(t *testing.T) {
	carrier := startCarrier(t, CarrierOptions{})
	mo := MO{SystemID: "tester", From: "491511234567", To: "12345", Text: "STOP"}
	if err := carrier.Inject(mo); err != nil { // before anyone is bound: it waits
		t.Fatal(err)
	}
	c := dialTo(t, carrier.Addr(), ClientOptions{})
	if err := carrier.Inject(mo); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return c.Report().MO == 2 && carrier.Tally().MOAnswered == 2 })
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	if !poll(within(t), ok) {
		t.Fatal("it never came to be")
	}
}

func poll(ctx context.Context, ok func() bool) bool {
	for !ok() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(time.Millisecond):
		}
	}
	return true
}

// A client that binds again goes on after its connections were cut; what was on its way is unanswered, not sent again,
// and receipts of the old connections come over the new ones.
func TestReconnect(t *testing.T) {
	carrier := startCarrier(t, CarrierOptions{Behaviour: Behaviour{Receipts: "all", Latency: time.Millisecond, ReceiptDelay: 2 * time.Millisecond}})
	c := dialTo(t, carrier.Addr(), ClientOptions{Connections: 2, Window: 20, Reconnect: true})
	cut, stop := make(chan struct{}), within(t)
	go func() {
		defer close(cut)
		for i := int64(1); i <= 3 && poll(stop, func() bool { return carrier.Tally().Taken >= i*1000 }); i++ {
			carrier.Disconnect()
		}
	}()
	if err := c.Run(within(t), Load{Count: 5000, Receipts: true}); err != nil {
		t.Fatal(err)
	}
	<-cut
	c.AwaitReceipts(within(t))
	r, a := c.Report(), c.Account(carrier.Tally())
	if r.LostSessions == 0 || r.Unanswered == 0 || r.Unanswered > 3*2*20 {
		t.Errorf("%d sessions lost, %d messages unanswered", r.LostSessions, r.Unanswered)
	}
	if a.Lost != 0 || a.Duplicated != 0 || r.Accepted+r.Unanswered != 5000 || r.Receipts.Missing != 0 {
		t.Errorf("account %+v, accepted %d, unanswered %d, receipts %+v", a, r.Accepted, r.Unanswered, r.Receipts)
	}
}

// A paced run charges a stall to every message that was due in it.
func TestStallIsChargedToAllWhoWaited(t *testing.T) {
	carrier := startCarrier(t, CarrierOptions{Behaviour: Behaviour{Latency: 200 * time.Millisecond}})
	c := dialTo(t, carrier.Addr(), ClientOptions{Window: 1})
	if err := c.Run(within(t), Load{Count: 5, Rate: 1000}); err != nil {
		t.Fatal(err)
	}
	r := c.Report()
	// Five messages were due within 5 ms and answered one by one: the last waited for four others.
	if r.Resp.MaxUS < 990e3 || r.Service.MaxUS >= r.Resp.MaxUS {
		t.Errorf("worst answer %v µs after it was due, %v µs after it was written", r.Resp.MaxUS, r.Service.MaxUS)
	}
}

func TestTallyTravels(t *testing.T) {
	carrier := startCarrier(t, CarrierOptions{})
	c := dialTo(t, carrier.Addr(), ClientOptions{})
	if err := c.Run(within(t), Load{Count: 70000}); err != nil { // more than one chunk
		t.Fatal(err)
	}
	b, err := json.Marshal(carrier.Tally())
	if err != nil {
		t.Fatal(err)
	}
	var far Tally
	if err := json.Unmarshal(b, &far); err != nil {
		t.Fatal(err)
	}
	here, there := c.Account(carrier.Tally()), c.Account(far)
	if here != there || there.Arrived != 70000 || far.Taken != 70000 {
		t.Errorf("here %+v\nthere %+v, taken %d", here, there, far.Taken)
	}
	if both := c.Account(carrier.Tally(), far); both.Duplicated != 70000 {
		t.Errorf("two carriers that took everything: %d duplicated", both.Duplicated)
	}
}

func TestValidation(t *testing.T) {
	for _, b := range []Behaviour{{IDForm: "octal"}, {Receipts: "some"}, {ErrorPercent: 101}, {FailingPercent: -1}, {TPS: -1}} {
		if b.Validate() == nil {
			t.Errorf("%+v passes", b)
		}
	}
	for _, s := range []string{"49151", "49151=0", "x=8", "49151=8x"} {
		if _, err := ParseRefusals(s); err == nil {
			t.Errorf("%q passes", s)
		}
	}
	if r, err := ParseRefusals("49151=8,=0x58"); err != nil || len(r) != 2 || r[1].Status != pdu.RThrottled {
		t.Errorf("%v %v", r, err)
	}
	if _, err := Dial(within(t), ClientOptions{Bind: "rx"}); err == nil {
		t.Error("a bind type of rx passes")
	}
}

func TestESMEByHand(t *testing.T) {
	ctx := within(t)
	carrier := startCarrier(t, CarrierOptions{Behaviour: Behaviour{Receipts: "asked", ReceiptDelay: time.Millisecond, Refuse: []Refusal{{"491520", pdu.RInvDstAdr}}}})
	e, err := BindESME(ctx, carrier.Addr(), "someone", "secret")
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range []string{"hello", "здравствуй"} {
		id, err := e.Submit(ctx, "tester", "+491510", message, true)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := e.Receipt(ctx, id); err != nil || r.State != "DELIVRD" || r.ID != id {
			t.Errorf("%q: receipt %+v, %v", message, r, err)
		}
	}
	var refused *StatusError
	if _, err := e.Submit(ctx, "tester", "4915200", "hello", true); !errors.As(err, &refused) || refused.Status != pdu.RInvDstAdr {
		t.Errorf("a refused prefix: %v", err)
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := e.Receipt(short, "none such"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a receipt that never comes: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func TestReceiptsOfUnansweredMessagesAreNoProblem(t *testing.T) {
	r := Report{Unanswered: 3, Receipts: Receipts{Unknown: 3}}
	if p := Problems(&r, &Account{}); len(p) != 1 {
		t.Errorf("%q; want only the messages never answered", p)
	}
	r.Receipts.Unknown = 4
	if p := Problems(&r, &Account{}); len(p) != 2 {
		t.Errorf("%q; want the fourth receipt too", p)
	}
}
