package cluster

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"smsplane/ledger/replica"
)

// ID is a random name of 16 octets: of a store, or of a cluster. The zero ID is none.
type ID [16]byte

func (i ID) String() string { return hex.EncodeToString(i[:]) }

// MarshalText and UnmarshalText write it as 32 hex digits.
func (i ID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, i[:]), nil }

func (i *ID) UnmarshalText(b []byte) error {
	if hex.DecodedLen(len(b)) != len(i) {
		return fmt.Errorf("%q is not an id of 32 hex digits", b)
	}
	_, err := hex.Decode(i[:], b)
	return err
}

// Member is one host as the cluster knows it.
type Member struct {
	Name        string `json:"name"`
	Number      uint16 `json:"number"`      // 1.., given once, never to another name
	Incarnation uint32 `json:"incarnation"` // grows by one with every store that bears the name
	Store       ID     `json:"store"`
	Witness     bool   `json:"witness,omitempty"`
	Address     string `json:"address,omitempty"` // for hosts whose node files do not name it
	Joining     bool   `json:"joining,omitempty"` // it does not vote in every lane yet
}

// Raft is the member's id in raft groups: another store is another voter.
func (m *Member) Raft() uint64 { return replica.MakeID(m.Number, m.Incarnation, m.Witness) }

// Table is who belongs to a cluster. The newest epoch holds.
type Table struct {
	Cluster ID                `json:"cluster"`
	Epoch   uint64            `json:"epoch"`
	Lanes   int               `json:"lanes"`
	Members []Member          `json:"members"`
	Highest uint16            `json:"highest,omitempty"` // number that was ever given
	Leads   map[uint16]string `json:"leads,omitempty"`   // who shall lead a lane by an operator's word
	Brought string            `json:"brought,omitempty"` // the founder whose store held the lanes before there was a cluster
}

// Find is the member of that name, nil when there is none.
func (t *Table) Find(name string) *Member {
	if t == nil {
		return nil
	}
	i := slices.IndexFunc(t.Members, func(m Member) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return &t.Members[i]
}

// ByRaft is the member with that id in raft groups, nil for none, or for a former store of one.
func (t *Table) ByRaft(id uint64) *Member {
	if t == nil {
		return nil
	}
	i := slices.IndexFunc(t.Members, func(m Member) bool { return m.Raft() == id })
	if i < 0 {
		return nil
	}
	return &t.Members[i]
}

// witnessed says that somebody only votes.
func (t *Table) witnessed() bool {
	return slices.ContainsFunc(t.Members, func(m Member) bool { return m.Witness })
}

// Clone is a copy that shares nothing.
func (t *Table) Clone() *Table {
	c := *t
	c.Members, c.Leads = slices.Clone(t.Members), maps.Clone(t.Leads)
	return &c
}

// Encode and ParseTable are how a table is stored.
func (t *Table) Encode() []byte {
	b, err := json.Marshal(t)
	if err != nil {
		panic("cluster: a table that JSON cannot hold: " + err.Error())
	}
	return b
}

// ParseTable reads what Encode wrote.
func ParseTable(b []byte) (*Table, error) {
	var t Table
	if err := json.Unmarshal(b, &t); err != nil {
		return nil, fmt.Errorf("the table of members does not load: %w", err)
	}
	if t.Cluster == (ID{}) || t.Epoch == 0 || len(t.Members) == 0 {
		return nil, fmt.Errorf("the table of members is incomplete: %s", b)
	}
	return &t, nil
}
