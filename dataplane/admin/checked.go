package admin

import (
	"context"
	"slices"
)

// Layers that can be paused, and what can be done to them.
var (
	PausableLayers = []string{"router", "verifier", "egress"}
	LayerActions   = []string{"pause", "resume"}
)

// Checked guards both sides of a Source: a question that makes no sense never reaches it, and a list in
// its answer is never nil, so that scripts always meet a JSON array. The server puts it around a running
// node and the commands around an opened store: the answers are the same.
func Checked(s Source) Source { return checked{s} }

type checked struct{ Source }

func (c checked) Status(ctx context.Context) (Status, error) {
	st, err := c.Source.Status(ctx)
	st.Layers, st.Lanes = filled(st.Layers), filled(st.Lanes)
	st.Links, st.Queues = filled(st.Links), filled(st.Queues)
	return st, err
}

func (c checked) Trace(ctx context.Context, id string) ([]TraceLine, error) {
	if id == "" {
		return nil, BadRequest("trace needs a message id, ours or a carrier's")
	}
	l, err := c.Source.Trace(ctx, id)
	if err == nil && len(l) == 0 {
		return nil, NotFound("no message has the id %q", id)
	}
	return l, err
}

// Valid says what makes no sense about a query; nil is nothing.
func (q *FindQuery) Valid() error {
	switch {
	case q.To == "" && q.From == "" && q.Client == "" && q.CarrierID == "" && q.Since.IsZero():
		return BadRequest("find needs at least one of to, from, client, carrier id, since")
	case q.Limit < 0 || q.Limit > MaxFind:
		return BadRequest("limit %d is outside 1 to %d", q.Limit, MaxFind)
	}
	return nil
}

func (c checked) Find(ctx context.Context, q FindQuery) ([]Found, error) {
	if err := q.Valid(); err != nil {
		return nil, err
	}
	if q.Limit == 0 {
		q.Limit = DefaultFind
	}
	l, err := c.Source.Find(ctx, q)
	return filled(l), err
}

func (c checked) Apply(ctx context.Context, a Application) (ApplyResult, error) {
	if len(a.Files) == 0 {
		return ApplyResult{}, BadRequest("the catalog has no files")
	}
	r, err := c.Source.Apply(ctx, a)
	r.Changes, r.Problems = filled(r.Changes), filled(r.Problems)
	return r, err
}

func (c checked) Explain(ctx context.Context, client, from, to string) (Explain, error) {
	if client == "" || to == "" {
		return Explain{}, BadRequest("route explain needs a client and a number to send to")
	}
	e, err := c.Source.Explain(ctx, client, from, to)
	e.Targets, e.Considered = filled(e.Targets), filled(e.Considered)
	return e, err
}

func (c checked) Links(ctx context.Context) ([]LinkInfo, error) {
	l, err := c.Source.Links(ctx)
	return filled(l), err
}

func (c checked) Queues(ctx context.Context) ([]QueueInfo, error) {
	l, err := c.Source.Queues(ctx)
	return filled(l), err
}

func (c checked) Doubt(ctx context.Context, resent bool) ([]DoubtInfo, error) {
	l, err := c.Source.Doubt(ctx, resent)
	return filled(l), err
}

func (c checked) Audit(ctx context.Context) (Report, error) {
	r, err := c.Source.Audit(ctx)
	r.Lines = filled(r.Lines)
	if r.Books != nil && !r.Books.AddUp() {
		r.OK = false
	}
	return r, err
}

func (c checked) Check(ctx context.Context) (Report, error) {
	r, err := c.Source.Check(ctx)
	r.Lines = filled(r.Lines)
	return r, err
}

func (c checked) Layer(ctx context.Context, layer, action string) error {
	if !slices.Contains(PausableLayers, layer) {
		return NotFound("%q cannot be paused; router, verifier and egress can", layer)
	}
	if !slices.Contains(LayerActions, action) {
		return NotFound("%q is not done to a layer; pause and resume are", action)
	}
	return c.Source.Layer(ctx, layer, action)
}

// What can be ordered.
var (
	LinkVerbs  = []string{"pause", "resume", "drain", "bounce"}
	DoubtVerbs = []string{"resend", "drop"}
)

func (c checked) Link(ctx context.Context, o LinkOrder) (int, error) {
	if !slices.Contains(LinkVerbs, o.Verb) {
		return 0, NotFound("%q is not done to a link; pause, resume, drain and bounce are", o.Verb)
	}
	if o.Carrier == "" {
		return 0, BadRequest("an order about links needs their carrier")
	}
	return c.Source.Link(ctx, o)
}

func (c checked) DoubtOrder(ctx context.Context, o DoubtOrder) error {
	if !slices.Contains(DoubtVerbs, o.Verb) {
		return NotFound("%q is not done to a message in doubt; resend and drop are", o.Verb)
	}
	return c.Source.DoubtOrder(ctx, o)
}

func filled[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
