package peer

import "time"

// Report is what a client saw of its run.
type Report struct {
	Run          string           `json:"run"`
	Messages     int64            `json:"messages"`      // different ones sent
	Sent         int64            `json:"sent"`          // submit_sm written, repeats of throttled ones included
	Accepted     int64            `json:"accepted"`      // answered status 0
	Refused      int64            `json:"refused"`       // answered with a final error
	Statuses     map[string]int64 `json:"statuses"`      // the final errors by name
	Throttled    int64            `json:"throttled"`     // answers ESME_RTHROTTLED and ESME_RMSGQFUL, each sent again
	GivenUp      int64            `json:"given_up"`      // throttled, and the run ended before they were sent again
	Unanswered   int64            `json:"unanswered"`    // their connection ended first; never sent again
	LostSessions int64            `json:"lost_sessions"` // connections that ended before Close
	Elapsed      float64          `json:"elapsed_s"`     // first submit_sm to last acceptance
	TPS          float64          `json:"tps"`           // accepted per second of it
	ArrivedTPS   float64          `json:"arrived_tps"`   // to the last arrival at a carrier of this process; a gap to TPS is a queue
	Resp         Latency          `json:"resp"`          // due → submit_sm_resp
	Service      Latency          `json:"service"`       // written → submit_sm_resp
	Arrival      Latency          `json:"arrival"`       // due → taken by a carrier of this process
	Receipt      Latency          `json:"receipt"`       // due → receipt
	Receipts     Receipts         `json:"receipts"`
	MO           int64            `json:"mo"`
	Sample       string           `json:"sample,omitempty"` // the first thing found wrong
}

// Receipts is how the final receipts fit the accepted messages.
type Receipts struct {
	Expected   int64 `json:"expected"`
	Matched    int64 `json:"matched"`
	Delivered  int64 `json:"delivered"` // of those matched
	Failed     int64 `json:"failed"`    // of those matched, any other final state
	Resolved   int64 `json:"resolved"`  // of those matched, behind "unknown" came what became of it
	Missing    int64 `json:"missing"`
	Duplicate  int64 `json:"duplicate"`
	Mismatched int64 `json:"mismatched"` // wrong address, text and TLV disagree, or an id given twice
	Unknown    int64 `json:"unknown"`    // an id never given
	Malformed  int64 `json:"malformed"`  // receipts and answers that cannot be read
	Interim    int64 `json:"interim"`    // intermediate states
}

// Report sums up what has been seen so far.
func (c *Client) Report() Report {
	n := &c.n
	r := Report{
		Run: runName(c.book.run), Messages: min(c.plan.next.Load(), c.plan.count), Sent: n.sent.Load(),
		Accepted: n.accepted.Load(), Refused: n.refused.Load(), Throttled: n.throttled.Load(), GivenUp: c.plan.waiting.Load(),
		Unanswered: n.unanswered.Load(), LostSessions: n.lostSessions.Load(), MO: n.mo.Load(), Statuses: map[string]int64{},
	}
	if first, last := n.first.Load(), n.lastAccept.Load(); last > first {
		r.Elapsed = time.Duration(last - first).Seconds()
		r.TPS = float64(r.Accepted) / r.Elapsed
	}
	if first, last := n.first.Load(), n.lastArrival.Load(); last > first {
		r.ArrivedTPS = float64(r.Accepted) / time.Duration(last-first).Seconds()
	}
	n.mu.Lock()
	for st, v := range n.statuses {
		r.Statuses[st.String()] = v
	}
	r.Sample = n.sample
	n.mu.Unlock()
	c.latencies(&r)
	c.receipts(&r)
	return r
}

// Taken is how long submit_sm that were accepted took so far, from being written to their answer.
func (c *Client) Taken() Histogram {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.taken
	for s := range c.sessions {
		s.mu.Lock()
		taken.Merge(&s.taken)
		s.mu.Unlock()
	}
	return taken
}

func (c *Client) latencies(r *Report) {
	c.mu.Lock()
	resp, service, receipt := c.resp, c.service, c.receipt
	for s := range c.sessions {
		s.mu.Lock()
		resp.Merge(&s.resp)
		service.Merge(&s.service)
		receipt.Merge(&s.receipt)
		s.mu.Unlock()
	}
	c.mu.Unlock()
	c.arrivalMu.Lock()
	r.Arrival = c.arrival.Latency()
	c.arrivalMu.Unlock()
	r.Resp, r.Service, r.Receipt = resp.Latency(), service.Latency(), receipt.Latency()
}

func (c *Client) receipts(r *Report) {
	n := &c.n
	unknown, twice := c.ids.unknown()
	r.Receipts = Receipts{
		Matched: n.matched.Load(), Delivered: n.delivered.Load(), Failed: n.failed.Load(),
		Resolved: n.resolved.Load(), Duplicate: n.duplicate.Load() + twice, Mismatched: n.mismatched.Load() + n.reused.Load(), Unknown: unknown,
		Malformed: n.malformed.Load(), Interim: n.interim.Load(),
	}
	if c.load.Receipts {
		r.Receipts.Expected = r.Accepted
		r.Receipts.Missing = max(0, r.Accepted-r.Receipts.Matched)
	}
}
