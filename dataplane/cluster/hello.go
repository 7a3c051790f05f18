package cluster

import (
	"encoding/json"
	"fmt"
)

// Versions of the wire format that this build speaks. Two hosts speak the highest that both know, so that a
// cluster is upgraded one host after the other.
const (
	OldestVersion = 1
	NewestVersion = 1
)

// Hello is the first frame of a stream each way, and comes again when something in it has changed. Fields that
// a build does not know are ignored.
type Hello struct {
	Oldest  int    `json:"oldest"` // version
	Newest  int    `json:"newest"`
	Name    string `json:"name"`
	Store   ID     `json:"store"`
	Lanes   int    `json:"lanes,omitempty"` // as the node file says; 0 from a witness
	Witness bool   `json:"witness,omitempty"`
	Table   *Table `json:"table,omitempty"`  // nil: the store belongs to no cluster yet
	Founds  bool   `json:"founds,omitempty"` // the store holds messages and belongs to no cluster: who founds one begins with them

	Spreads int    `json:"spreads,omitempty"` // it leads lanes whose carriers another host is bound to, and speaks this version of what is said about that
	Relayed bool   `json:"relayed,omitempty"` // it takes clients that others relay to it
	Room    uint8  `json:"room,omitempty"`    // what its disk can still take, as replica.Room; a build that does not say is taken for one that has room
	Client  string `json:"client,omitempty"`  // this is no stream of frames: behind the hellos come a client's octets, who dialled from this address
}

// Encode is the payload of a hello frame.
func (h *Hello) Encode() []byte {
	b, err := json.Marshal(h)
	if err != nil {
		panic("cluster: a hello that JSON cannot hold: " + err.Error())
	}
	return b
}

// ParseHello reads a payload.
func ParseHello(b []byte) (*Hello, error) {
	var h Hello
	if err := json.Unmarshal(b, &h); err != nil {
		return nil, fmt.Errorf("hello: %w", err)
	}
	switch {
	case h.Name == "" || h.Store == ID{}:
		return nil, fmt.Errorf("hello without a name or a store: %.200s", b)
	case h.Oldest > NewestVersion || h.Newest < OldestVersion:
		return nil, fmt.Errorf("%s speaks versions %d to %d, this build %d to %d", h.Name, h.Oldest, h.Newest, OldestVersion, NewestVersion)
	}
	return &h, nil
}
