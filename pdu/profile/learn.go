package profile

// Learner finds the message that a receipt is about, for one link, and finds out by which rule.
//
// Carriers name a message one way in the answer and another way in the receipt: hex and decimal, padded or not, in
// capitals or not, with a prefix. Which way is not guessed per receipt. All rules are tried on the first receipts; a
// rule that finds a message sent to the receipt's own number has explained it. Rules that explained nearly all of them
// (survivors) are the only ones used from then on; the simplest is the one that is told to operators. The others go on
// being watched on receipts that no survivor explains, so that a carrier that changes its habits is noticed.
//
// What counts as found:
//
//   - A rule other than "as the answer" counts only when the receipt's number equals the message's, and all rules in
//     use find the same message or none.
//   - "As the answer" counts by itself once it has survived and no rule that reads another number out of the same
//     digits has; until then its number must not differ, and no other rule may find another message.
//   - While rules are learned a receipt may have come before the answer that it belongs to, and fit another message by
//     chance. It counts only when calm: no answer is awaited, or the receipt has waited long enough for it. Nor does it
//     count when only rules find its message that have explained next to nothing where another explained the most.
//
// Anything else finds nothing: the receipt is an orphan, to be tried again when Epoch moves, an answer comes, or it is
// calm.
type Learner struct {
	set    IDs
	hits   []uint16 // by rule: receipts explained
	n      uint16   // receipts that some rule explained
	alive  []uint16 // survivors, in order; nil while learning
	firm   bool     // "as the answer" counts by itself
	prefix []byte   // that receipts have before the id; learned
	epoch  uint64
	open   bool // the last receipt fits something, and it is not decided what
	odd    int  // receipts named as an answer and without its number, explained by no rule

	seen     map[string]uint64 // while learning: receipt to message, as a repeated one must not find another
	refs     []uint64          // scratch, by rule: message found with an equal number
	text     [2 * maxID]byte
	core     [2 * maxID]byte
	Matched  uint64 // receipts that found their message
	Orphaned uint64 // that did not, when they came
}

// Find looks for a live message by the id in its answer and says how the receipt's number compares with its own. ref 0
// is none.
type Find func(answer []byte) (ref uint64, fit Fit)

// Numbers of the learning.
const (
	enough   = 8   // explained receipts before a rule is trusted
	memory   = 256 // explained receipts that weigh; older ones count half
	minority = 4   // of what the best rule explained, a rule has explained one in so many before it is believed
	maxSeen  = 4096
	maxSplit = 24 // octets of a prefix
)

// NewLearner begins with what the catalog says.
func NewLearner(ids IDs) *Learner {
	return &Learner{set: ids, hits: make([]uint16, len(rules)), refs: make([]uint64, len(rules)), seen: map[string]uint64{}}
}

// Epoch moves when other rules are in use than before: orphans may find their message now.
func (l *Learner) Epoch() uint64 { return l.epoch }

// Rule tells the rule in use for people, and how it was come by: "set", "learned" or "learning".
func (l *Learner) Rule() (rule, by string) {
	by = "learning"
	switch {
	case len(l.alive) > 0:
		rule, by = rules[l.alive[0]].String(), "learned"
	case l.firm:
		rule, by = rules[0].String(), "learned"
	case l.set.Set:
		rule = l.set.Receipt.String() + " for the answer's " + l.set.Answer.String()
	}
	if l.set.Set {
		by = "set"
	}
	if len(l.prefix) > 0 {
		rule += ", behind " + string(l.prefix)
	}
	return rule, by
}

// MatchRate is the share of receipts that found their message; 1 when none came.
func (l *Learner) MatchRate() float64 {
	if l.Matched+l.Orphaned == 0 {
		return 1
	}
	return float64(l.Matched) / float64(l.Matched+l.Orphaned)
}

// Resolve finds the message of a receipt that just came; 0 is none. calm: no answer is awaited on the link.
func (l *Learner) Resolve(id []byte, calm bool, find Find) uint64 {
	ref := l.resolve(id, calm, true, find)
	if ref != 0 {
		l.Matched++
	} else {
		l.Orphaned++
	}
	return ref
}

// Known says that the receipt last resolved in vain is about a message that has ended: it is no orphan.
func (l *Learner) Known() { l.Matched, l.Orphaned = l.Matched+1, l.Orphaned-1 }

// Again is Resolve of an orphan: it teaches nothing, having done so when it came.
func (l *Learner) Again(id []byte, calm bool, find Find) uint64 {
	ref := l.resolve(id, calm, false, find)
	if ref != 0 {
		l.Matched++
		l.Orphaned--
	}
	return ref
}

// Undecided reports whether the receipt last asked about fits some message, but not so that it may be said which.
func (l *Learner) Undecided() bool { return l.open }

// Answer is the id of the answer that a receipt's id stands for by the rule in use; the id itself while there is none.
func (l *Learner) Answer(dst, id []byte) []byte {
	id = l.bare(id)
	dst = append(dst, l.set.AnswerPrefix...)
	if len(l.alive) > 0 {
		if a, ok := rules[l.alive[0]].Answer(dst, id); ok {
			return a
		}
	}
	return append(dst, id...)
}

func (l *Learner) resolve(id []byte, calm, learn bool, find Find) uint64 {
	id = l.bare(id)
	l.open = false
	if l.firm {
		if ref, _ := find(id); ref != 0 {
			return ref
		}
	}
	if len(l.alive) == 0 {
		return l.explore(id, calm, learn, find)
	}
	ref, sure := l.try(id, l.alive, find)
	l.open = !sure
	switch {
	case !learn || !sure:
	case ref != 0:
		l.learn(ref)
	default: // nothing in use explains it: does anything?
		if other, _ := l.try(id, nil, find); other != 0 {
			l.learn(other)
		}
	}
	return ref
}

// explore tries every rule, and the id without what may be a prefix.
func (l *Learner) explore(id []byte, calm, learn bool, find Find) uint64 {
	ref, sure := l.try(id, nil, find)
	from := 0
	if ref == 0 && sure && !l.set.Set {
		for i := 1; i < min(len(id), maxSplit) && ref == 0; i++ {
			if boundary(id[i-1]) {
				ref, _ = l.try(id[i:], nil, find)
				from = i
			}
		}
	}
	if ref == 0 {
		if l.open = !sure; sure {
			ref = l.plain(id, calm, learn, find)
		}
		return l.once(id, ref)
	}
	believed := l.credible(ref, !learn)
	if learn {
		if from > 0 && len(l.prefix) == 0 {
			l.prefix = append(l.prefix, id[:from]...)
			l.epoch++
		}
		if l.learn(ref); len(l.alive) > 0 {
			ref, _ = l.try(id[from:], l.alive, find)
			return ref
		}
	}
	if !believed || !calm && number(id[from:]) {
		l.open = true
		return 0
	}
	return l.once(id, ref)
}

// credible says that the rules which found ref in the last try have explained enough beside those which did not: a receipt
// that is repeated, or a stranger's, may fit a message by a rule that is not the carrier's. counted: it is among the hits
// itself, and does not speak for itself.
func (l *Learner) credible(ref uint64, counted bool) bool {
	mine, others := 0, 0
	for i, got := range l.refs {
		if got == ref {
			mine = max(mine, int(l.hits[i]))
		} else {
			others = max(others, int(l.hits[i]))
		}
	}
	if counted {
		mine--
	}
	return max(mine, 0)*minority >= others
}

// once lets a receipt find no other message than the one it found before.
func (l *Learner) once(id []byte, ref uint64) uint64 {
	before, repeated := l.seen[string(id)]
	switch {
	case repeated && ref != before:
		return 0
	case ref != 0 && !repeated:
		if len(l.seen) >= maxSeen {
			clear(l.seen)
		}
		l.seen[string(id)] = ref
	}
	return ref
}

// boundary says that a prefix may end with c: what no number contains.
func boundary(c byte) bool { return hexDigit(c) < 0 }

// plain is the answer's own id where the number does not speak for it: there is none in the receipt, or the id is no
// number, so that no other rule could read it otherwise, or this carrier's receipts bear other numbers always.
func (l *Learner) plain(id []byte, calm, learn bool, find Find) uint64 {
	if !l.set.allows(rules[0]) {
		return 0
	}
	ref, fit := find(id)
	if ref == 0 || fit == Untold && l.rivals(id, ref, find) {
		return 0
	}
	if learn && l.n == 0 {
		if l.odd++; l.odd == enough {
			l.firm = true
			l.epoch++
		}
	}
	if !number(id) || fit == Untold && calm || l.firm {
		return ref
	}
	l.open = true
	return 0
}

// rivals says that another rule reads the id of another live message, if of no told number.
func (l *Learner) rivals(id []byte, ref uint64, find Find) bool {
	for _, r := range rules[1:] {
		a, ok := r.Answer(l.text[:0], id)
		if !ok {
			continue
		}
		if other, fit := find(a); other != 0 && other != ref && fit != Unequal {
			return true
		}
	}
	return false
}

// bare takes the prefixes off that are known.
func (l *Learner) bare(id []byte) []byte {
	for _, p := range [...]string{l.set.ReceiptPrefix, string(l.prefix)} {
		if p != "" && len(id) > len(p) && string(id[:len(p)]) == p {
			return id[len(p):]
		}
	}
	return id
}

// try looks with each rule of which (nil: all that are allowed) and keeps in refs what each found. It returns the one
// message that they found; sure is false when they found several.
func (l *Learner) try(id []byte, which []uint16, find Find) (ref uint64, sure bool) {
	clear(l.refs)
	n := len(which)
	if which == nil {
		n = len(rules)
	}
	t := trial{l: l, id: id, find: find}
	sure = true
	for k := range n {
		i := k
		if which != nil {
			i = int(which[k])
		}
		got := t.rule(rules[i])
		l.refs[i] = got
		switch {
		case got == 0 || got == ref:
		case ref == 0:
			ref = got
		default:
			sure = false
		}
	}
	if !sure {
		return 0, false
	}
	return ref, true
}

// trial is one id under many rules. Rules that differ in width alone stand side by side: they share the work, and up to
// the number's own length also the result.
type trial struct {
	l        *Learner
	id       []byte
	find     Find
	last     Rule
	any      bool
	core     []byte
	ok       bool
	bare     uint64 // found without zeros in front
	haveBare bool
}

func (t *trial) rule(r Rule) uint64 {
	l := t.l
	if !l.set.allows(r) {
		return 0
	}
	if o := t.last; !t.any || r.From != o.From || r.To != o.To || r.Case != o.Case || (r.Width == asIs) != (o.Width == asIs) {
		t.core, t.ok = r.core(l.core[:0], t.id)
		t.haveBare = false
	}
	t.last, t.any = r, true
	short := int(r.Width) <= len(t.core)
	switch {
	case !t.ok:
		return 0
	case short && t.haveBare:
		return t.bare
	}
	got, fit := t.find(pad(append(l.text[:0], l.set.AnswerPrefix...), t.core, r.Width))
	if fit != Equal && !(fit == Untold && l.set.Set) {
		got = 0
	}
	if short {
		t.bare, t.haveBare = got, true
	}
	return got
}

// learn counts which rules found ref, as refs holds from the last try, and draws the conclusion.
func (l *Learner) learn(ref uint64) {
	l.n++
	for i, got := range l.refs {
		if got == ref {
			l.hits[i]++
		}
	}
	if l.n >= memory {
		l.n /= 2
		for i := range l.hits {
			l.hits[i] /= 2
		}
	}
	if l.n < enough {
		return
	}
	was, firm := len(l.alive), l.firm
	l.alive = l.alive[:0]
	other := false
	for i, h := range l.hits {
		if int(h)*16 >= int(l.n)*15 {
			l.alive = append(l.alive, uint16(i))
			other = other || rules[i].From != rules[i].To
		}
	}
	l.firm = len(l.alive) > 0 && l.alive[0] == 0 && !other && l.set.AnswerPrefix == ""
	if len(l.alive) > 0 {
		clear(l.seen)
	}
	if was != len(l.alive) || firm != l.firm {
		l.epoch++
	}
}
