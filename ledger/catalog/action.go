package catalog

import (
	"fmt"
	"sort"
	"strings"

	"smsplane/ledger/catalog/document"
	"smsplane/pdu"
)

// Action is what a carrier's answer to a submit_sm means for the message.
type Action uint8

const (
	ActionTake      Action = iota + 1 // the carrier has it
	ActionElsewhere                   // the next target of the plan, later this one again
	ActionSlow                        // the link goes too fast: the same target later, no attempt counted
	ActionReject                      // no carrier would take it
	ActionRequeue                     // the same target later, no attempt counted, the rate stays
	ActionPause                       // the session is unfit: it is bound anew after a while; no attempt counted
)

var actionWords = []string{"take", "elsewhere", "slow", "reject", "requeue", "pause"}

func (a Action) String() string { return word(actionWords, int(a)) }

// carrierStatuses reads a carrier's own table: command_status (an ESME_ name or a number) → action.
func carrierStatuses(m *document.Map) map[pdu.Status]Action {
	sub := m.Map("statuses")
	if sub == nil {
		return nil
	}
	table := map[pdu.Status]Action{}
	for _, it := range sub.Items() {
		st, err := statusOf(it.Key)
		if err != nil {
			sub.FailAt(it.Line, "%v", err)
			continue
		}
		if _, twice := table[st]; twice {
			sub.FailAt(it.Line, "%v is there twice", st)
		}
		found := false
		for i, w := range actionWords {
			if w == it.Text {
				table[st], found = Action(i+1), true
			}
		}
		if !found {
			sub.FailAt(it.Line, "%s: %q is not one of %s", it.Key, it.Text, strings.Join(actionWords, ", "))
		}
	}
	sub.Close()
	return table
}

// statusTable writes a table for comparisons, in the order of the statuses.
func statusTable(t map[pdu.Status]Action) string {
	keys := make([]int, 0, len(t))
	for st := range t {
		keys = append(keys, int(st))
	}
	sort.Ints(keys)
	var parts []string
	for _, k := range keys {
		parts = append(parts, fmt.Sprintf("%v %v", pdu.Status(k), t[pdu.Status(k)]))
	}
	return strings.Join(parts, ", ")
}
