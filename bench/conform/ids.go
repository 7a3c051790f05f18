package conform

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
)

// idLine says how all ids looked and whether each was given once.
func (r *run) idLine() Line {
	l := Line{Probe: "ids of messages", Verdict: OK}
	if len(r.ids) == 0 {
		return Line{l.Probe, Note, "none was given", ""}
	}
	shortest, longest, form, twice := 1<<30, 0, 0, 0
	for id, n := range r.ids {
		shortest, longest = min(shortest, len(id)), max(longest, len(id))
		form = max(form, idForm(id))
		if n > 1 {
			twice++
		}
	}
	length := fmt.Sprint(longest)
	if shortest != longest {
		length = fmt.Sprintf("%d to %d", shortest, longest)
	}
	l.Seen = fmt.Sprintf("%s %s", length, idForms[form])
	if twice > 0 {
		l.Verdict, l.Wanted = Differs, "each id once"
		l.Seen += fmt.Sprintf(", %d given more than once, such as %s", twice, r.anyTwice())
	}
	return l
}

func (r *run) anyTwice() string {
	for _, id := range slices.Sorted(maps.Keys(r.ids)) {
		if r.ids[id] > 1 {
			return id
		}
	}
	return ""
}

var idForms = []string{"decimal digits", "hex digits", "other characters"}

// idForm is the index of an id's form.
func idForm(id string) (form int) {
	for _, b := range []byte(id) {
		switch {
		case b >= '0' && b <= '9':
		case b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F':
			form = max(form, 1)
		default:
			return 2
		}
	}
	return form
}

// number reads an id in a base; each unreadable one is a number of its own.
func number(id []byte, base int) string {
	n, ok := new(big.Int).SetString(string(id), base)
	if !ok {
		return fmt.Sprintf("%d:%s", base, id)
	}
	return n.String()
}
