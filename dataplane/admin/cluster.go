package admin

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// ClusterStatus is the cluster as this host sees it.
type ClusterStatus struct {
	ID         string       `json:"id"` // empty: the store belongs to none yet
	Epoch      uint64       `json:"epoch"`
	Store      string       `json:"store"`
	Waits      string       `json:"waits,omitempty"` // why the store is no member, in words
	Quorum     bool         `json:"quorum"`          // a leader is known
	SingleCopy bool         `json:"single_copy"`     // some lane led here is acknowledged on one host only
	Relayed    int          `json:"relayed"`         // clients bound here whose octets are carried to the host that leads
	Hosts      []HostStatus `json:"hosts"`
}

// HostStatus is one member.
type HostStatus struct {
	Name        string    `json:"name"`
	Address     string    `json:"address,omitempty"`
	Witness     bool      `json:"witness"`
	Store       string    `json:"store,omitempty"`
	Incarnation uint32    `json:"incarnation,omitempty"`
	Joining     bool      `json:"joining,omitempty"` // it does not vote in every lane yet
	Self        bool      `json:"self,omitempty"`
	Sending     bool      `json:"sending"` // our stream to it is up
	Hearing     bool      `json:"hearing"` // its stream to us is
	Since       time.Time `json:"since,omitzero"`
	Reason      string    `json:"reason,omitempty"` // of the last trouble
	Disk        string    `json:"disk,omitempty"`   // full, or nearly at its end; empty: it has room, as far as is known here
	Leads       int       `json:"leads"`            // lanes
	Lag         uint64    `json:"lag"`              // entries that it is behind in some lane led here, at most
	Lost        uint64    `json:"lost_frames"`
}

// LaneLag is how far another host is behind in a lane.
type LaneLag struct {
	Host     string `json:"host"`
	Lag      uint64 `json:"lag"`
	Active   bool   `json:"active"`
	Snapshot bool   `json:"snapshot,omitempty"` // it waits for all of the lane
}

// ClusterOrder is an operator's word on a member, or on who leads.
type ClusterOrder struct {
	Verb    string `json:"verb"`           // one of ClusterVerbs
	Name    string `json:"name"`           // a host; AnyHost with move
	Lane    int    `json:"lane,omitempty"` // with move
	Address string `json:"address,omitempty"`
	Author  string `json:"author"`
}

// ClusterVerbs are what can be ordered. lead makes a host lead lane 0 and keep the links, and every other lane where leaders are
// not spread; move makes it lead one lane; promote has the host that is asked go on alone.
var ClusterVerbs = []string{"add", "remove", "replace", "promote", "lead", "move"}

// AnyHost is the name with which a lane is led again by whichever host it suits.
const AnyHost = "any"

func clusterEndpoints(s Source) []endpoint {
	return []endpoint{
		{http.MethodPost, "/api/v1/cluster", nil, long, answer(func(ctx context.Context, r *http.Request) (Report, error) {
			v, err := body[ClusterOrder](r)
			if err != nil {
				return Report{}, err
			}
			return s.ClusterOrder(ctx, v)
		})},
	}
}

func (c checked) ClusterOrder(ctx context.Context, o ClusterOrder) (Report, error) {
	if !slices.Contains(ClusterVerbs, o.Verb) {
		return Report{}, NotFound("%q is not done to a cluster; add, remove, replace, promote, lead and move are", o.Verb)
	}
	if o.Name == "" {
		return Report{}, BadRequest("an order about a cluster needs the name of a host")
	}
	if o.Lane < 0 || o.Lane > 1<<16-1 {
		return Report{}, BadRequest("%d is no lane", o.Lane)
	}
	r, err := c.Source.ClusterOrder(ctx, o)
	r.Lines = filled(r.Lines)
	return r, err
}

// ClusterOrder implements Operations.
func (c *Client) ClusterOrder(ctx context.Context, o ClusterOrder) (Report, error) {
	return posted[Report](ctx, c, "/api/v1/cluster", o)
}
