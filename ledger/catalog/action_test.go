package catalog

import (
	"strings"
	"testing"

	"smsplane/ledger"
	"smsplane/pdu"
)

func small(carrier, client string) map[string][]byte {
	return map[string][]byte{
		ClientsFile: []byte("clients:\n  - {id: a, system_id: a, password: x, plan: p, class: transactional, tps: unlimited, " + client +
			"billing: {mode: postpaid, currency: EUR, credit_limit: 1, charge: sent}}\n"),
		CarriersFile: []byte("carriers:\n  - {id: n, currency: EUR, cost: sent, " + carrier + "links: []}\n"),
		RatesFile:    []byte("kind,party,prefix,mcc,mnc,price,currency,effective_from,effective_to\nsell,a,,,,1,EUR,2020-01-01,\nbuy,n,,,,1,EUR,2020-01-01,\n"),
		RoutesFile:   []byte("plan,prefix,mcc,mnc,class,tier,weight,carrier\np,,,,,1,1,n\n"),
	}
}

func TestStatusesAndSendersAreRead(t *testing.T) {
	c, err := Parse(small("statuses: {0x45: reject, ESME_RTHROTTLED: requeue, 1024: pause}, ", "senders: {PROMO: bulk, 4915: transactional}, "))
	if err != nil {
		t.Fatal(err)
	}
	want := map[pdu.Status]Action{pdu.RSubmitFail: ActionReject, pdu.RThrottled: ActionRequeue, 1024: ActionPause}
	got := c.Carriers[0].Statuses
	if len(got) != len(want) {
		t.Fatalf("statuses %v", got)
	}
	for st, a := range want {
		if got[st] != a {
			t.Errorf("%v: %v, want %v", st, got[st], a)
		}
	}
	if s := c.Clients[0].Senders; len(s) != 2 || s["PROMO"] != ledger.ClassBulk || s["4915"] != ledger.ClassTransactional {
		t.Errorf("senders %v", s)
	}
	plain, err := Parse(small("", ""))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(Diff(plain, c)); n != 2 {
		t.Errorf("%d changes, want statuses and senders", n)
	}
}

func TestWrongStatusesAndSendersAreTold(t *testing.T) {
	for _, tt := range [][3]string{
		{"statuses: {0x45: drop}, ", "", `"drop" is not one of take, elsewhere`},
		{"statuses: {0: reject}, ", "", "status 0"},
		{"statuses: {ESME_NONE: reject}, ", "", "not the name"},
		{"statuses: {0x45: reject, 69: take}, ", "", "is there twice"},
		{"", "senders: {BANK: otp}, ", "above the client's class"},
		{"", "senders: {BANK: urgent}, ", "is not one of bulk"},
	} {
		if _, err := Parse(small(tt[0], tt[1])); err == nil || !strings.Contains(err.Error(), tt[2]) {
			t.Errorf("%s%s: %v", tt[0], tt[1], err)
		}
	}
}
