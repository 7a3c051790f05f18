package admin

import (
	"context"
	"errors"
	"time"
)

// fake is a Source that remembers what it was asked.
type fake struct {
	Operations // none
	ready      bool
	status     Status
	err        error
	hang       bool // answer Status only when the asker gives up

	find   FindQuery
	edr    EDRQuery
	apply  Application
	layer  string
	resent bool
	link   LinkOrder
	doubt  DoubtOrder
}

var epoch = time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)

func (f *fake) Ready() bool { return f.ready }

func (f *fake) Status(ctx context.Context) (Status, error) {
	if f.hang {
		<-ctx.Done()
		return Status{}, ctx.Err()
	}
	return f.status, f.err
}

func (f *fake) Trace(_ context.Context, id string) ([]TraceLine, error) {
	if id != "00010000000000ff" && id != "a/b?c" {
		return nil, nil
	}
	return []TraceLine{{"entry", epoch, "entry/0", "accepted", "meter 49151 → " + id}}, nil
}

func (f *fake) Find(_ context.Context, q FindQuery) ([]Found, error) {
	f.find = q
	return nil, nil
}

func (f *fake) EDRs(_ context.Context, q EDRQuery) (EDRPage, error) {
	f.edr = q
	return EDRPage{Next: "7.9"}, nil
}

func (f *fake) Apply(_ context.Context, a Application) (ApplyResult, error) {
	f.apply = a
	return ApplyResult{Version: 2, Applied: !a.Dry, Changes: []string{"+ client x"}}, nil
}

func (f *fake) Explain(_ context.Context, client, from, to string) (Explain, error) {
	if client == "nobody" {
		return Explain{}, NotFound("no client %q", client)
	}
	return Explain{Plan: "standard", Number: to}, nil
}

func (f *fake) Links(context.Context) ([]LinkInfo, error)   { return f.status.Links, nil }
func (f *fake) Queues(context.Context) ([]QueueInfo, error) { return nil, errors.New("disk is gone") }

func (f *fake) Doubt(_ context.Context, resent bool) ([]DoubtInfo, error) {
	f.resent = resent
	return []DoubtInfo{{ID: "1", Since: epoch}}, nil
}

func (f *fake) Link(_ context.Context, o LinkOrder) (int, error) {
	f.link = o
	return 3, nil
}

func (f *fake) DoubtOrder(_ context.Context, o DoubtOrder) error {
	f.doubt = o
	return nil
}

func (f *fake) Audit(context.Context) (Report, error) {
	return Report{OK: true, Lines: []string{"proven"}, Books: &f.status.Books}, nil
}

func (f *fake) Check(context.Context) (Report, error) { return Report{OK: true}, nil }

func (f *fake) Layer(_ context.Context, layer, action string) error {
	f.layer = layer + " " + action
	return nil
}
