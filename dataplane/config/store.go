package config

import (
	"strconv"
	"strings"
	"time"

	"smsplane/ledger/catalog/document"
)

// Journal says what the store's log keeps, and what it leaves free on the disk.
type Journal struct {
	Reserve   int64 // octets free below which accepting stops; what the largest compaction needs counts if it is more
	RetainAll bool  // the log is never dropped, so that everything can be folded from empty
}

// Retention says how long the past stays readable.
type Retention struct {
	EDR     time.Duration // behind the end of a message
	Bodies  time.Duration // texts, behind the end of a message
	Orphans time.Duration // receipts that fit no message
}

const day = 24 * time.Hour

func storeDefaults(n *Node) *Node {
	n.Journal = Journal{Reserve: 2 << 30}
	n.Retention = Retention{EDR: 90 * day, Bodies: day, Orphans: 7 * day}
	return n
}

func (n *Node) journal(top *document.Map) {
	m := top.Map("journal")
	if m == nil {
		return
	}
	size(m, "reserve", &n.Journal.Reserve)
	n.Journal.RetainAll = m.OneOf("retain", "needed", "all") == 1
	m.Close()
}

func (n *Node) retention(top *document.Map) {
	m := top.Map("retention")
	if m == nil {
		return
	}
	r := &n.Retention
	age(m, "edr", &r.EDR, time.Minute, 3650*day)
	age(m, "bodies", &r.Bodies, time.Second, 365*day)
	age(m, "orphans", &r.Orphans, time.Minute, 365*day)
	m.Close()
}

// age reads a time that may be in days: 90d, 36h.
func age(m *document.Map, key string, v *time.Duration, lo, hi time.Duration) {
	s, ok := m.Text(key)
	if !ok {
		return
	}
	d, err := time.ParseDuration(s)
	if days, found := strings.CutSuffix(s, "d"); found {
		var k int
		k, err = strconv.Atoi(days)
		d = time.Duration(min(max(k, -1), 36500)) * day
	}
	switch {
	case err != nil:
		m.Fail(key, "%q is not a time such as 90d, 36h or 30m", s)
	case d < lo || d > hi:
		m.Fail(key, "%s is not between %v and %v", s, lo, hi)
	default:
		*v = d
	}
}
