package sim

import "fmt"

// Prices, in millionths: what the judge reckons with.
const (
	sellPrice   = 10_000
	prepaidFund = 2_000_000 // two hundred messages
)

// catalog is the n-th version of the one catalog: what changes is what the second carrier costs.
func (w *world) catalog(n int) map[string][]byte {
	if w.files != nil {
		return w.files
	}
	return map[string][]byte{
		"clients.yaml": []byte(fmt.Sprintf(`clients:
  - id: post
    party: post
    system_id: post
    password: secret
    plan: standard
    class: transactional
    tps: unlimited
    window: 50
    deliver_window: %d
    billing: {mode: postpaid, currency: EUR, credit_limit: 100, charge: sent}
  - id: pre
    party: pre
    system_id: pre
    password: secret
    plan: standard
    class: otp
    tps: unlimited
    window: 50
    deliver_window: %d
    billing: {mode: prepaid, currency: EUR, credit_limit: 2, charge: delivered}
`, w.deliverWindow, w.deliverWindow)),
		"carriers.yaml": []byte(fmt.Sprintf(`carriers:
  - id: north
    currency: EUR
    cost: sent
    receipts: always
    receipt_wait: 30s
    in_doubt: {default: resend}
    links:
      - {address: "127.0.0.1:3775", system_id: sim, password: sim, bind: transceiver, sessions: %[3]d, window: %[1]d, tps: %[4]s, response_timeout: 3s, enquire_link: 5s}
  - id: south
    currency: EUR
    cost: delivered
    receipts: always
    receipt_wait: 30s
    in_doubt: {default: %[2]s}
    links:
      - {address: "127.0.0.1:3776", system_id: sim, password: sim, bind: transceiver, sessions: %[3]d, window: %[1]d, tps: %[4]s, response_timeout: 3s, enquire_link: 5s}
`, w.linkWindow, w.doubt, w.perCarrier, w.rate())),
		"rates.csv": []byte(fmt.Sprintf("kind,party,prefix,mcc,mnc,price,currency,effective_from,effective_to\n"+
			"sell,post,,,,0.01,EUR,2020-01-01,\nsell,pre,,,,0.01,EUR,2020-01-01,\nbuy,north,,,,0.005,EUR,2020-01-01,\nbuy,south,,,,0.00%d,EUR,2020-01-01,\n", 1+n%9)),
		"routes.csv": []byte("plan,prefix,mcc,mnc,class,tier,weight,carrier\n" + w.routes()),
		"mo.yaml":    []byte("mo:\n  - {match: {carrier: north, to: \"12345\"}, client: post}\n  - {match: {carrier: south, to: \"12345\"}, client: pre}\n"),
	}
}

func (w *world) routes() string {
	if w.orderly {
		return "standard,49152,,,,1,1,south\nstandard,,,,,1,1,north\n"
	}
	return "standard,49151,,,,1,1,north\nstandard,49151,,,,2,1,south\nstandard,49152,,,,1,1,south\nstandard,,,,,1,1,north\nstandard,,,,,1,1,south\n"
}

// rate is what a link may be sent in a second, as catalogs say it.
func (w *world) rate() string {
	if w.tps == 0 {
		return "unlimited"
	}
	return fmt.Sprint(w.tps)
}
