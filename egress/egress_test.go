package egress

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"smsplane/ledger"
	"smsplane/pdu"
)

func TestDecide(t *testing.T) {
	for st, want := range map[pdu.Status]Action{
		pdu.ROK: Take, pdu.RThrottled: Slow, pdu.RMsgQFul: Slow, pdu.RSysErr: Elsewhere, pdu.RSubmitFail: Elsewhere,
		pdu.RInvSrcAdr: Elsewhere, pdu.RInvDstAdr: Reject, pdu.RInvMsgLen: Reject, pdu.RInvBndSts: Pause, pdu.Status(0x450): Elsewhere,
	} {
		if got := Decide(nil, st); got != want {
			t.Errorf("%v: action %d, want %d", st, got, want)
		}
	}
	want := map[Action]string{ // of all there are; the rest goes elsewhere, 0x0A, 0x45 and 0x48 to 0x51 among them
		Take: "0", Slow: "14 58", Pause: "2 4 5 d e f 53", Reject: "1 b 43 61 62 104",
	}
	got := map[Action]string{}
	for st := range pdu.Status(0x500) {
		if a := Decide(nil, st); a != Elsewhere {
			got[a] = strings.TrimSpace(fmt.Sprintf("%s %x", got[a], uint32(st)))
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// No window of one second may pass more than the rate and one bucket.
func TestBucketNeverExceedsRateInAnySecond(t *testing.T) {
	const rate, depth = 100, 50 * time.Millisecond
	b := NewBucket(rate, depth)
	var taken []int64
	start := int64(1e18)
	for now := start; now < start+5*int64(time.Second); now += int64(time.Millisecond) {
		if now > start+int64(time.Second) && now < start+2*int64(time.Second) {
			continue // an idle second must not save up
		}
		for b.Take(now) {
			taken = append(taken, now)
		}
	}
	for i, from := range taken {
		n := 0
		for _, at := range taken[i:] {
			if at-from < int64(time.Second) {
				n++
			}
		}
		if n > rate+rate/20+1 {
			t.Fatalf("%d tokens in one second, rate %d", n, rate)
		}
	}
	if len(taken) < 4*rate-rate/10 {
		t.Fatalf("%d tokens in 4 busy seconds at rate %d", len(taken), rate)
	}
}

func TestBucketNext(t *testing.T) {
	b := NewBucket(10, 50*time.Millisecond)
	now := int64(1e18)
	if !b.Take(now) || b.Take(now) {
		t.Fatal("a new bucket holds exactly one token")
	}
	at := b.Next(now)
	if at <= now || b.Take(at-1) || !b.Take(at) {
		t.Fatalf("next token at %d ns from now is not when it can be taken", at-now)
	}
}

func TestBackoffGrowsAndForgets(t *testing.T) {
	var b Backoff
	var last time.Duration
	for range 12 {
		d := b.Failed(0)
		if d < last {
			t.Fatalf("waits %v after %v", d, last)
		}
		last = d
	}
	if last > backoffMax {
		t.Fatalf("waits %v", last)
	}
	b.Bound()
	if d := b.Failed(0); d > backoffMin {
		t.Fatalf("first wait after a bind is %v", d)
	}
	before := b
	for range 12 {
		if d := b.Ours(0); d > backoffMin || b != before {
			t.Fatalf("waits %v after a session that we ended, and then from %+v on", d, b)
		}
	}
	for st, least := range map[pdu.Status]time.Duration{pdu.RInvPaswd: wrongMin, pdu.RInvSysID: wrongMin, pdu.RBindFail: refusedMin, pdu.RAlyBnd: refusedMin} {
		b, last := Backoff{}, time.Duration(0)
		for range 12 {
			d := b.Refused(st, 0)
			if d < least*3/4 || d < last || d > wrongMax {
				t.Fatalf("%v: asks again after %v, then %v", st, last, d)
			}
			last = d
		}
	}
}

func TestTurnsServeEveryWaitingClass(t *testing.T) {
	var turns Turns
	var n [ledger.Classes]int
	for range 21 * 100 {
		if _, ok := turns.Next([ledger.Classes]bool{}); ok {
			t.Fatal("served nobody")
		}
		c, ok := turns.Next([ledger.Classes]bool{true, true, true})
		if !ok {
			t.Fatal("nothing to serve")
		}
		n[c]++
	}
	if n != [ledger.Classes]int{100, 400, 1600} {
		t.Fatalf("bulk, transactional, otp got %v turns", n)
	}
	if c, ok := turns.Next([ledger.Classes]bool{true, false, false}); !ok || c != ledger.ClassBulk {
		t.Fatal("a lone class was not served")
	}
}
