package entry

import (
	"time"

	"smsplane/ledger"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
	"smsplane/router"
)

// Refused says why entry did not admit a message; it counts refusals in status and metrics.
type Refused uint8

const (
	Admitted Refused = iota
	RefusedFields
	RefusedRate
	RefusedWorker
	RefusedFull
	RefusedDraining
	RefusedNumber
	RefusedTimes
	RefusedRoute
	RefusedPrice
	RefusedCredit
	RefusedKind
	RefusedSlow
	Refusals = int(RefusedSlow) + 1
)

var refusedNames = [Refusals]string{"", "fields", "client rate", "worker rate", "queue full", "draining", "number", "times",
	"no route", "no price", "no credit", "not served", "store slow"}

func (r Refused) String() string { return refusedNames[r] }

// admit checks one message in the order that the field expects (fields, numbers, times, route, price, credit)
// and fills in what the ACCEPT freezes. The client's amount is held when it returns ROK.
func admit(a *ledger.Accept, m *pdu.Message, c *catalog.Client, acc *Account, t *router.Table, now int64) (pdu.Status, Refused) {
	mode := m.ESMClass() & modeMask
	if mode == modeDatagram && !c.Datagram || mode == modeTransaction && !c.Transaction {
		return pdu.RInvEsmClass, RefusedFields // messages are stored and forwarded here, unless agreed otherwise
	}
	once := mode == modeDatagram || mode == modeTransaction
	if m.UserData() == nil {
		return pdu.RInvMsgLen, RefusedFields
	}
	if len(m.SrcAddr()) > maxSource {
		return pdu.RInvSrcAdr, RefusedFields
	}
	n, ok := router.Normalize(m.DstAddr(), m.DstTON(), m.DstNPI(), c.Country)
	if !ok {
		return pdu.RInvDstAdr, RefusedNumber
	}
	class := t.ClassOf(acc.Number, n, c.ClassOf(m.SrcAddr()))
	until, due, st := Times(m, &c.Validity[class], now)
	if st != pdu.ROK {
		return st, RefusedTimes
	}
	registered := m.RegisteredDelivery()
	if once {
		until, registered = min(until, max(now, due)+int64(onceWithin)), 0
	}
	*a = ledger.Accept{Class: class, Once: once, Transact: mode == modeTransaction, Registered: registered, Replace: m.ReplaceIfPresent() == 1,
		Number: uint64(n), ValidUntil: until, Due: due}
	return afford(a, c.Profile.Parts(m), c, acc, t, now)
}

// afford finds route and price of what is otherwise admitted and holds the amount.
func afford(a *ledger.Accept, parts int, c *catalog.Client, acc *Account, t *router.Table, now int64) (pdu.Status, Refused) {
	n := router.Number(a.Number)
	if !t.HasRoute(acc.Number, n, a.Class, now) {
		return c.Statuses.NoRoute, RefusedRoute
	}
	price, row, ok := t.Sell(acc.Number, n, now)
	if !ok {
		return c.Statuses.NoPrice, RefusedPrice
	}
	hold := price * ledger.Micro(parts)
	if !acc.Spend(hold) {
		return c.Statuses.NoCredit, RefusedCredit
	}
	a.Account, a.Row, a.Catalog, a.Parts, a.Price = acc.Number, row, t.Version(), uint8(min(parts, 255)), hold
	return pdu.ROK, Admitted
}

// Times reads validity_period and schedule_delivery_time (3.4 §5.2.15, §5.2.16), absolute or relative, within the
// client's bounds for the message's class.
func Times(m *pdu.Message, bounds *catalog.Validity, now int64) (until, due int64, st pdu.Status) {
	if s := m.Schedule(); len(s) > 0 {
		at, ok := pdu.ParseTime(s, now)
		if !ok {
			return 0, 0, pdu.RInvSched
		}
		if at > now {
			due = at
		}
	}
	from := max(now, due)
	until = from + int64(bounds.Default)
	if s := m.Validity(); len(s) > 0 {
		at, ok := pdu.ParseTime(s, now)
		if !ok || at <= from {
			return 0, 0, pdu.RInvExpiry
		}
		until = at
	}
	if ttl, ok := m.TimeToLive(); ok { // it overrides validity_period (5.0 §4.8.4.46)
		if ttl == 0 {
			return 0, 0, pdu.RInvExpiry
		}
		until = from + int64(ttl)*int64(time.Second)
	}
	if bounds.Max > 0 {
		until = min(until, from+int64(bounds.Max))
	}
	if due > now+int64(maxSchedule) {
		return 0, 0, pdu.RInvSched
	}
	return until, due, pdu.ROK
}

// onceWithin is how long a message that is tried once may take: in transaction mode its client waits for it.
const onceWithin = time.Minute

// maxSource is the longest source_addr of a submit_sm (3.4 §4.4.1). data_sm has room for more, and leaves here as the
// submit_sm that says the same; its receipts are deliver_sm.
const maxSource = 20

// maxSchedule bounds how long a message may rest before its time.
const maxSchedule = 30 * 24 * time.Hour
