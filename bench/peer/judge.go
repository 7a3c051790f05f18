package peer

import "smsplane/pdu"

// submit judges one submit_sm; its answer, and perhaps a receipt, leave with a turn when they are due. What protects the
// carrier itself (its rate, its window, framing) is answered at once.
func (cc *carrierConn) submit(now int64, h pdu.Header, p []byte) {
	b, n := cc.c.behaviour.Load(), &cc.c.n
	n.submits.Add(1)
	a := answer{due: now + int64(b.Latency), seq: h.Sequence, form: b.form}
	switch a.status = cc.message.Parse(p); {
	case a.status != pdu.ROK:
		n.malformed.Add(1)
		cc.answer(&a)
		return
	case cc.answers.len() >= b.Window || !cc.c.limit.take(now, b.TPS):
		n.throttled.Add(1)
		a.status = pdu.RThrottled
		cc.answer(&a)
		return
	}
	cc.submits++
	what := cc.plot(cc.submits)
	if what == swallow || what == halfOpen {
		cc.mute = what == halfOpen
		return
	}
	if a.status = cc.judge(b); a.status == pdu.ROK {
		a.id = cc.c.ids.Add(1)
		cc.take(now)
		cc.earn(now, &a, b)
	} else {
		n.refuse(a.status)
	}
	if cc.strike(what) {
		cc.answers.push(a)
	}
}

// judge is the status of a message that came in time.
func (cc *carrierConn) judge(b *Behaviour) pdu.Status {
	if st := b.refusalOf(cc.message.DstAddr()); st != pdu.ROK {
		return st
	}
	if b.ErrorPercent > 0 && cc.rnd.Float64()*100 < b.ErrorPercent {
		return b.ErrorStatus
	}
	return pdu.ROK
}

// take counts a message that is answered with status 0.
func (cc *carrierConn) take(now int64) {
	cc.c.n.taken.Add(1)
	run, index, ok := findTag(cc.message.UserData())
	if ok && (cc.arrivals == nil || cc.run != run) {
		cc.run, cc.arrivals = run, cc.c.runs.get(run)
	}
	if !ok || index >= maxIndex || cc.arrivals == nil {
		cc.c.n.untagged.Add(1)
		return
	}
	if cc.arrivals.add(index, 1) == 1 && cc.c.o.Observe != nil {
		cc.c.o.Observe(run, index, now)
	}
}

// earn makes the receipt of a message just taken, if it is to have one.
func (cc *carrierConn) earn(now int64, a *answer, b *Behaviour) {
	m := &cc.message
	if b.Receipts == "off" || b.Receipts == "asked" && m.RegisteredDelivery()&3 == 0 {
		return
	}
	d := delivery{due: a.due + int64(b.ReceiptDelay), id: a.id, form: a.form, taken: now}
	if b.ReceiptEarly {
		d.due = now
	}
	d.srcLen, d.dstLen = uint8(copy(d.src[:], m.SrcAddr())), uint8(copy(d.dst[:], m.DstAddr()))
	d.srcTON, d.srcNPI, d.dstTON, d.dstNPI = m.SrcTON(), m.SrcNPI(), m.DstTON(), m.DstNPI()
	d.textLen = uint8(copy(d.text[:quoted], m.UserData()))
	d.failing = b.FailingPercent > 0 && cc.rnd.Float64()*100 < b.FailingPercent
	// registered_delivery 2 asks for failures only, 3 (5.0) for successes only.
	if want := m.RegisteredDelivery() & 3; b.Receipts == "asked" && (want == 2 && !d.failing || want == 3 && d.failing) {
		return
	}
	cc.c.n.made.Add(1)
	if d.failing {
		cc.c.n.failing.Add(1)
	}
	cc.earned = b.Mischief.again(append(cc.earned, d), d)
}
