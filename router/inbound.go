package router

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"smsplane/ledger/catalog"
)

// inbound is one rule of mo.yaml, compiled. Empty fields match everything.
type inbound struct {
	carrier uint16 // 0: any
	to      string // without +
	prefix  string // of the number, without +
	keyword string // in capitals
	client  uint32
}

// compileMO puts the rules in the order in which they are asked: whole numbers before longer prefixes before
// shorter ones before none, then those with a keyword, then those with a carrier.
func (t *Table) compileMO(rules []catalog.MORule, n Numbers) {
	for i := range rules {
		r := &rules[i]
		v := inbound{to: strings.TrimPrefix(r.To, "+"), prefix: strings.TrimPrefix(r.Prefix, "+"), keyword: strings.ToUpper(r.Keyword)}
		var ok bool
		if v.client, ok = n.Client(r.Client); !ok {
			continue
		}
		if r.Carrier != "" {
			if v.carrier, ok = n.Carrier(r.Carrier); !ok {
				continue
			}
		}
		t.inbound = append(t.inbound, v)
	}
	slices.SortStableFunc(t.inbound, func(a, b inbound) int {
		return cmp.Or(cmp.Compare(b.number(), a.number()), cmp.Compare(len(b.keyword), len(a.keyword)), cmp.Compare(b.carrier, a.carrier))
	})
}

// number ranks how closely a rule names a number.
func (r *inbound) number() int {
	if r.to != "" {
		return 1 << 16
	}
	return len(r.prefix)
}

// MO finds the client that a message from a carrier is for: to is its destination, word the first of its text. A
// leading + and the case of the word do not count.
func (t *Table) MO(carrier uint16, to, word []byte) (client uint32, ok bool) {
	to = bytes.TrimPrefix(to, []byte("+"))
	for i := range t.inbound {
		r := &t.inbound[i]
		if (r.carrier == 0 || r.carrier == carrier) && (r.to == "" || r.to == string(to)) && len(to) >= len(r.prefix) &&
			string(to[:len(r.prefix)]) == r.prefix && (r.keyword == "" || sameWord(word, r.keyword)) {
			return r.client, true
		}
	}
	return 0, false
}

// sameWord compares with a word in capitals; only ASCII letters have two cases.
func sameWord(word []byte, capitals string) bool {
	if len(word) != len(capitals) {
		return false
	}
	for i, c := range word {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != capitals[i] {
			return false
		}
	}
	return true
}
