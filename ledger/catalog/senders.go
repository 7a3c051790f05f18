package catalog

import (
	"slices"
	"strings"

	"smsplane/ledger"
	"smsplane/ledger/catalog/document"
)

// senders reads the classes of single senders: source_addr as the client writes it → class. A sender can lower its
// client's class, never raise it.
func senders(m *document.Map, highest ledger.Class) map[string]ledger.Class {
	sub := m.Map("senders")
	if sub == nil {
		return nil
	}
	table := map[string]ledger.Class{}
	for _, it := range sub.Items() {
		c, err := ledger.ParseClass(it.Text)
		switch {
		case err != nil:
			sub.FailAt(it.Line, "%s: %q is not one of %s", it.Key, it.Text, strings.Join(classWords, ", "))
		case len(it.Key) > maxName:
			sub.FailAt(it.Line, "%s: longer than %d octets", it.Key, maxName)
		case c > highest:
			sub.FailAt(it.Line, "%s: %v is above the client's class, %v", it.Key, c, highest)
		default:
			table[it.Key] = c
		}
	}
	sub.Close()
	return table
}

// ClassOf is the class of what a client sends from an address: its own for that sender, else the client's.
func (c *Client) ClassOf(sender []byte) ledger.Class {
	if len(c.Senders) > 0 {
		if own, ok := c.Senders[string(sender)]; ok {
			return own
		}
	}
	return c.Class
}

func sendersText(t map[string]ledger.Class) string {
	var parts []string
	for s, c := range t {
		parts = append(parts, s+" "+c.String())
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
