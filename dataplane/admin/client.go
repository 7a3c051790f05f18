package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"
)

// ErrNotRunning says that nothing listens at the admin address.
var ErrNotRunning = errors.New("no node is running")

// Client asks a running node over its admin address. It is a Source.
type Client struct {
	Node string // that answers; empty: it is of a build that does not tell
	base string
	http *http.Client
}

// Dial finds the node that listens at addr: ErrNotRunning when nobody does, another error when somebody
// does who cannot be asked.
func Dial(ctx context.Context, addr string) (*Client, error) {
	if err := CheckAddress(addr); err != nil {
		return nil, err
	}
	// No proxy: the address is our own host.
	c := &Client{base: "http://" + addr, http: &http.Client{Transport: &http.Transport{Proxy: nil}}}
	ctx, cancel := context.WithTimeout(ctx, quick)
	defer cancel()
	resp, err := c.do(ctx, http.MethodGet, "/livez", nil, nil)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, err
	}
	c.Node = resp.Header.Get(nodeHeader)
	return c, resp.Body.Close()
}

var _ Source = (*Client)(nil)

// Ready is false also when the node cannot be reached.
func (c *Client) Ready() bool {
	ctx, cancel := context.WithTimeout(context.Background(), quick)
	defer cancel()
	resp, err := c.do(ctx, http.MethodGet, "/readyz", nil, nil)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil
}

func (c *Client) Status(ctx context.Context) (Status, error) {
	return ask[Status](ctx, c, http.MethodGet, "/api/v1/status", nil, nil)
}

func (c *Client) Trace(ctx context.Context, id string) ([]TraceLine, error) {
	return ask[[]TraceLine](ctx, c, http.MethodGet, "/api/v1/trace", url.Values{"id": {id}}, nil)
}

func (c *Client) Find(ctx context.Context, q FindQuery) ([]Found, error) {
	v := url.Values{}
	for name, value := range map[string]string{"to": q.To, "from": q.From, "client": q.Client, "carrier_id": q.CarrierID} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return ask[[]Found](ctx, c, http.MethodGet, "/api/v1/find", v, nil)
}

func (c *Client) Apply(ctx context.Context, a Application) (ApplyResult, error) {
	body, err := json.Marshal(a)
	if err != nil {
		return ApplyResult{}, err
	}
	return ask[ApplyResult](ctx, c, http.MethodPost, "/api/v1/apply", nil, body)
}

func (c *Client) Explain(ctx context.Context, client, from, to string) (Explain, error) {
	v := url.Values{"client": {client}, "from": {from}, "to": {to}}
	return ask[Explain](ctx, c, http.MethodGet, "/api/v1/route/explain", v, nil)
}

func (c *Client) Links(ctx context.Context) ([]LinkInfo, error) {
	return ask[[]LinkInfo](ctx, c, http.MethodGet, "/api/v1/links", nil, nil)
}

func (c *Client) Queues(ctx context.Context) ([]QueueInfo, error) {
	return ask[[]QueueInfo](ctx, c, http.MethodGet, "/api/v1/queues", nil, nil)
}

func (c *Client) Doubt(ctx context.Context, resent bool) ([]DoubtInfo, error) {
	v := url.Values{"resent": {strconv.FormatBool(resent)}}
	return ask[[]DoubtInfo](ctx, c, http.MethodGet, "/api/v1/doubt", v, nil)
}

func (c *Client) Audit(ctx context.Context) (Report, error) {
	return ask[Report](ctx, c, http.MethodGet, "/api/v1/audit", nil, nil)
}

func (c *Client) Check(ctx context.Context) (Report, error) {
	return ask[Report](ctx, c, http.MethodGet, "/api/v1/check", nil, nil)
}

func (c *Client) Layer(ctx context.Context, layer, action string) error {
	path := "/api/v1/layer/" + url.PathEscape(layer) + "/" + url.PathEscape(action)
	_, err := ask[struct{}](ctx, c, http.MethodPost, path, nil, []byte("{}"))
	return err
}

func (c *Client) Link(ctx context.Context, o LinkOrder) (int, error) {
	done, err := order[linksOrdered](ctx, c, "/api/v1/link", o)
	return done.Links, err
}

func (c *Client) DoubtOrder(ctx context.Context, o DoubtOrder) error {
	_, err := order[struct{}](ctx, c, "/api/v1/doubt/order", o)
	return err
}

func order[T any](ctx context.Context, c *Client, path string, o any) (v T, err error) {
	body, err := json.Marshal(o)
	if err != nil {
		return v, err
	}
	return ask[T](ctx, c, http.MethodPost, path, nil, body)
}

// ask gets one JSON answer.
func ask[T any](ctx context.Context, c *Client, method, path string, q url.Values, body []byte) (v T, err error) {
	ctx, cancel := context.WithTimeout(ctx, long+flush)
	defer cancel()
	resp, err := c.do(ctx, method, path, q, body)
	if err != nil {
		return v, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		return v, fmt.Errorf("node at %s: %s: %w", c.base, path, err)
	}
	return v, nil
}

// do answers with an open body and status 200, or an error: a *Problem where the node told one.
func (c *Client) do(ctx context.Context, method, path string, q url.Values, body []byte) (*http.Response, error) {
	u := c.base + path
	if len(q) > 0 {
		u += "?" + q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, u, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the node: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	var f failure
	if json.NewDecoder(resp.Body).Decode(&f) != nil || f.Error == "" {
		return nil, fmt.Errorf("node at %s: %s answered %s", c.base, path, resp.Status)
	}
	return nil, &Problem{resp.StatusCode, f.Error}
}
