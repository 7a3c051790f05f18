package book

import (
	"bytes"
	options "flag" // flag is a word of this package
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"smsplane/ledger"
	"smsplane/ledger/journal"
	"smsplane/pdu"
)

var rewrite = options.Bool("rewrite", false, "write what the tests get over testdata")

// teller writes the records of a script: a word for each kind, what it is about, and fields with a value; those left out are
// as in an ordinary message. Time passes by a second a record.
//
//	accept ID  account price class parts valid due    route ID carriers=3,4    dispatch ID carrier target attempt buy resend
//	answer ID outcome status target due cost id        receipt ID state cost err id inferred repeated    final ID end reason hold charge return
//	return ID session    doubt ID policy target        replace ID price parts text    mo ID account carrier notice
//	move run queue carrier class ids    load run       operator action ids by why
//	order [ID] verb carrier link by     account party number lane name    catalog version by    orphan carrier text
type teller struct {
	kind ledger.Kind
	id   ledger.MsgID
	at   int64
	v    map[string]string
	err  error
}

func (c *teller) word(k, or string) string {
	v, ok := c.v[k]
	if delete(c.v, k); !ok {
		return or
	}
	return v
}

func (c *teller) num(k string, or int64) int64 {
	n, err := strconv.ParseInt(c.word(k, strconv.FormatInt(or, 10)), 10, 64)
	if err != nil {
		c.err = err
	}
	return n
}

// pick finds the value whose name is the field's.
func pick[T ~uint8](c *teller, k string, or T, name func(T) string) T {
	want := c.word(k, name(or))
	for v := T(0); v < 32; v++ {
		if name(v) == want {
			return v
		}
	}
	c.err = fmt.Errorf("no %s is called %q", k, want)
	return 0
}

func (c *teller) seconds(k string, or int64) int64 {
	n := c.num(k, or)
	if n == 0 {
		return 0
	}
	return c.at + n*second
}

func (c *teller) ids() (all []ledger.MsgID) {
	for _, s := range strings.Split(c.word("ids", ""), ",") {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			c.err = err
		}
		all = append(all, ledger.MakeMsgID(0, n))
	}
	return all
}

const second = int64(1_000_000_000)

func (c *teller) pdu() []byte {
	s := pdu.Submit{Command: pdu.SubmitSM, Src: []byte("shop"), DstTON: 1, DstNPI: 1, Dst: []byte("4915112345678"), Registered: 1, Text: []byte(c.word("text", "hello"))}
	return s.Append(nil, 1)
}

// parse reads one line; false is a word that names no kind.
func parse(line string, at int64) (c *teller, ok bool) {
	f := strings.Fields(line)
	c = &teller{at: at, v: map[string]string{}}
	for c.kind = 1; !strings.EqualFold(c.kind.String(), f[0]); c.kind++ {
		if c.kind > 64 {
			return nil, false
		}
	}
	for _, w := range f[1:] {
		k, v, is := strings.Cut(w, "=")
		if n, err := strconv.ParseUint(w, 10, 64); err == nil {
			c.id = ledger.MakeMsgID(0, n)
		} else if is {
			c.v[k] = strings.ReplaceAll(v, "+", " ")
		} else {
			c.v[k] = "1" // a flag
		}
	}
	return c, true
}

// record appends it.
func (c *teller) record(b []byte) []byte {
	amount := func(k string, or int64) ledger.Micro { return ledger.Micro(c.num(k, or)) }
	is := func(k string) bool { return c.word(k, "") != "" }
	switch c.kind {
	case ledger.KindAccept:
		return ledger.AppendAccept(b, 1, c.id, c.at, &ledger.Accept{Account: uint32(c.num("account", 7)), Session: 5, Row: 2, Catalog: 1, Parts: uint8(c.num("parts", 1)),
			Class: pick(c, "class", ledger.ClassTransactional, ledger.Class.String), Registered: 1, Price: amount("price", 45_000), Number: 4915112345678,
			ValidUntil: c.seconds("valid", 3600), Due: c.seconds("due", 0), PDU: c.pdu()})
	case ledger.KindRoute:
		r := ledger.Route{CommittedAt: c.at - second/2, RoutedAt: c.at, Router: 2, Catalog: 1}
		for _, s := range strings.Split(c.word("carriers", "3"), ",") {
			n, err := strconv.ParseUint(s, 10, 16)
			if err != nil || int(r.N) == len(r.Targets) {
				c.err = fmt.Errorf("carriers: %q", s)
				break
			}
			r.Targets[r.N] = ledger.PlanTarget{Carrier: uint16(n), Tier: r.N + 1, Weight: 1, Buy: 31_000, Row: uint32(n)}
			r.N++
		}
		return ledger.AppendRoute(b, 3, c.id, c.at, &r)
	case ledger.KindDispatch:
		var flags uint8
		if is("resend") {
			flags = ledger.FlagResend
		}
		return ledger.AppendDispatch(b, 4, flags, c.id, c.at, &ledger.Dispatch{Carrier: uint16(c.num("carrier", 3)), Target: uint8(c.num("target", 0)),
			Attempt: uint8(c.num("attempt", 1)), Session: 9, Buy: amount("buy", 31_000)})
	case ledger.KindAnswer:
		return ledger.AppendAnswer(b, 4, c.id, c.at, &ledger.Answer{Status: uint32(c.num("status", 0)), Outcome: pick(c, "outcome", ledger.Taken, ledger.Outcome.String),
			Target: uint8(c.num("target", 0)), Due: c.seconds("due", 0), Cost: amount("cost", 0), CarrierID: []byte(c.word("id", ""))})
	case ledger.KindReceipt:
		return ledger.AppendReceipt(b, 4, c.id, c.at, &ledger.Receipt{State: uint8(c.num("state", int64(pdu.StateDelivered))), Inferred: is("inferred"), Repeated: is("repeated"),
			Done: c.at, Cost: amount("cost", 0), Err: []byte(c.word("err", "000")), ID: []byte(c.word("id", ""))})
	case ledger.KindFinal:
		return ledger.AppendFinal(b, 6, c.id, c.at, &ledger.Final{End: pick(c, "end", ledger.EndDelivered, ledger.End.String),
			Reason: pick(c, "reason", ledger.ReasonReceipt, ledger.Reason.String), Hold: amount("hold", 45_000), Charge: amount("charge", 45_000), Return: is("return")})
	case ledger.KindReturn:
		return ledger.AppendReturn(b, 1, c.id, c.at, &ledger.Return{Session: uint32(c.num("session", 5))})
	case ledger.KindDoubt:
		return ledger.AppendDoubt(b, 4, c.id, c.at, pick(c, "policy", ledger.PolicyResend, ledger.Policy.String), uint8(c.num("target", 0)))
	case ledger.KindReplace:
		return ledger.AppendReplace(b, 1, c.id, c.at, &ledger.Replace{Parts: uint8(c.num("parts", 1)), Registered: 1, Price: amount("price", 45_000),
			ValidUntil: c.seconds("valid", 3600), Due: c.seconds("due", 0), PDU: c.pdu()})
	case ledger.KindMO:
		id := ledger.MakeMsgID(0, moSequence|c.id.Seq())
		return ledger.AppendMO(b, 4, id, c.at, &ledger.MO{Account: uint32(c.num("account", 7)), Carrier: uint16(c.num("carrier", 3)), Notice: is("notice"), PDU: c.pdu()})
	}
	return c.system(b)
}

// system covers the kinds that are about no single message.
func (c *teller) system(b []byte) []byte {
	switch by := []byte(c.word("by", "ops")); c.kind {
	case ledger.KindMove:
		m := ledger.Move{Run: uint32(c.num("run", 1)), Queue: ledger.RunInternal, Carrier: uint16(c.num("carrier", 3)), Class: pick(c, "class", ledger.ClassTransactional, ledger.Class.String)}
		if m.Order = m.Run; c.word("queue", "internal") == "external" {
			m.Queue = ledger.RunExternal
		}
		for _, id := range c.ids() {
			m.IDs = ledger.AppendID(m.IDs, id)
		}
		return ledger.AppendMove(b, c.at, &m)
	case ledger.KindLoad:
		return ledger.AppendLoad(b, c.at, uint32(c.num("run", 1)))
	case ledger.KindOperator:
		return ledger.AppendOperator(b, c.at, &ledger.Operator{Action: pick(c, "action", ledger.ActionHold, ledger.Action.String), Author: by, Reason: []byte(c.word("why", "asked for")), IDs: c.ids()})
	case ledger.KindOrder:
		return ledger.AppendOrder(b, 0, c.id, c.at, &ledger.Order{Verb: pick(c, "verb", ledger.OrderPause, ledger.Verb.String), Carrier: uint16(c.num("carrier", 0)),
			Link: uint16(c.num("link", 0)), Author: by})
	case ledger.KindAccount:
		a := ledger.Account{Party: ledger.PartyClient, Number: uint32(c.num("number", 7)), Lane: uint16(c.num("lane", 0)), Name: []byte(c.word("name", "shop"))}
		if c.word("party", "client") == "carrier" {
			a.Party = ledger.PartyCarrier
		}
		return ledger.AppendAccount(b, c.at, &a)
	case ledger.KindCatalog:
		return ledger.AppendCatalog(b, c.at, &ledger.Catalog{Version: uint32(c.num("version", 1)), Author: by, Files: []byte(c.word("files", "files"))})
	case ledger.KindOrphan:
		return ledger.AppendOrphan(b, c.at, uint16(c.num("carrier", 3)), c.pdu())
	}
	c.err = fmt.Errorf("no script knows %v", c.kind)
	return b
}

// view is all that the books say, a line for each thing.
func view(b *Book) map[string]string {
	v := map[string]string{}
	b.Each(0, b.Slots()+1, func(m *Msg) { v["message "+number(m)] = tell(b, m) })
	b.Clients(func(n uint32, c Client) {
		v[fmt.Sprint("client ", n)] = fmt.Sprintf("balance %v, held %v, revenue %v", c.Balance, c.Held, c.Revenue)
	})
	b.Carriers(func(n uint16, c Carrier) {
		v[fmt.Sprint("carrier ", n)] = fmt.Sprintf("payable %v, cost %v, of it open %v", c.Payable, c.Cost, c.Open)
	})
	for s, n := range b.Live {
		if n != 0 {
			v["live "+State(s).String()] = fmt.Sprint(n)
		}
	}
	c := &b.Counts
	for name, n := range map[string]uint64{"accepted": c.Accepted, "resent": c.Resent, "returned": c.Returned, "doubts": c.Doubts, "mo": c.MO, "mo taken": c.MOTaken,
		"orphans": c.Orphans, "submitted": c.Submitted, "repeated": c.Repeated, "parked": uint64(b.Parked), "spilled": uint64(b.Spilled())} {
		if n != 0 {
			v["count "+name] = fmt.Sprint(n)
		}
	}
	for e, n := range c.Ends {
		if n != 0 {
			v["count "+ledger.End(e).String()] = fmt.Sprint(n)
		}
	}
	for _, r := range b.runs.at {
		where := "on disk"
		if r.Loaded != 0 {
			where = fmt.Sprintf("loaded by block %d", r.Loaded)
		}
		v[fmt.Sprint("run ", r.ID)] = fmt.Sprintf("%d %v, carrier %d, class %v, %s", r.Count, r.State, r.Carrier, r.Class, where)
	}
	for _, a := range b.System.Accounts {
		v[fmt.Sprintf("account %s", a.Name)] = fmt.Sprintf("party %d, number %d, lane %d", a.Party, a.Number, a.Lane)
	}
	if b.System.Version != 0 {
		v["catalog"] = fmt.Sprintf("version %d by %s: %s", b.System.Version, b.System.Author, b.System.Files)
	}
	for n, o := range b.System.Orphans {
		v[fmt.Sprint("orphan ", n)] = fmt.Sprintf("of carrier %d", o.Carrier)
	}
	for n, h := range b.System.Held {
		v[fmt.Sprintf("link %d of carrier %d", n.Link, n.Carrier)] = fmt.Sprintf("%v by %s", h.Verb, h.Author)
	}
	return v
}

func number(m *Msg) string {
	if m.MO {
		return fmt.Sprint("mo ", m.ID.Seq()&^moSequence)
	}
	return fmt.Sprint(m.ID.Seq())
}

func tell(b *Book, m *Msg) string {
	s := m.State.String()
	add := func(when bool, f string, a ...any) {
		if when {
			s += fmt.Sprintf(", "+f, a...)
		}
	}
	add(!m.MO, "%v", m.Class)
	add(m.Hold != 0, "holds %v", m.Hold)
	add(m.N > 0, "target %d of %d", m.Target+1, m.N)
	add(m.Due != 0, "due at %d s", m.Due/second)
	add(m.Attempts > 0, "attempt %d with carrier %d", m.Attempts, m.Carrier)
	add(m.Resends > 0, "resent %d", m.Resends)
	add(m.Policy != 0, "policy %v", m.Policy)
	add(m.Status != 0, "status %#x", m.Status)
	add(m.WasTaken, "taken as %q", m.CarrierID())
	add(m.Cost != 0, "cost %v", m.Cost)
	add(m.ReceiptState != 0, "receipt %d %q", m.ReceiptState, m.Err())
	add(m.Inferred, "inferred")
	add(m.End != 0, "%v by %v, charged %v", m.End, m.Reason, m.Charge)
	add(m.Return, "to be returned")
	add(m.Notice, "a notice")
	add(m.Held, "held")
	add(m.moved, "under a key of its own")
	p, err := b.PDU(m)
	if err != nil {
		return err.Error()
	}
	var v pdu.Message
	if v.Parse(p) == pdu.ROK {
		s += fmt.Sprintf(", %q", v.ShortMessage())
	}
	return s
}

// changes tells what was before and is not, and what is and was not.
func changes(before, now map[string]string) (s string) {
	all := maps.Clone(before)
	maps.Copy(all, now)
	for _, k := range slices.Sorted(maps.Keys(all)) {
		was, had := before[k]
		is, has := now[k]
		switch {
		case had && !has:
			s += fmt.Sprintf("- %s\n", k)
		case !had || was != is:
			s += fmt.Sprintf("+ %s: %s\n", k, is)
		}
	}
	return s
}

// whole is a log that nothing leaves, and no store: what is folded from it is folded from the blocks alone.
type whole map[uint64][]byte

func (w whole) Block(i uint64) ([]byte, error)                    { return w[i], nil }
func (whole) Stragglers(uint16, uint64, func([]byte) error) error { return fmt.Errorf("no store") }
func (whole) Run(uint16, uint32, uint32) ([]byte, error)          { return nil, fmt.Errorf("no store") }

// Each fold is a pure function of the books and a record: a script of records leads to what its file says, folded again it
// leads to the same octets, and a process that dies after any of the records finds what was there.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	told := map[ledger.Kind]bool{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runScript(t, file, told) })
	}
	for k := ledger.Kind(1); k.String() != "kind?"; k++ {
		if !told[k] {
			t.Errorf("no script folds %v", k)
		}
	}
}

func runScript(t *testing.T, file string, told map[ledger.Kind]bool) {
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	db, err := journal.Open(journal.Options{Dir: "store", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := &shelf{t: t, db: db, blocks: map[uint64][]byte{}, low: 1}
	b, log, got := New(0, s, s), whole{}, ""
	for _, line := range strings.SplitAfter(string(want), "\n") {
		if !strings.HasPrefix(line, "> ") {
			if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" && line != "" {
				got += line
			}
			continue
		}
		i := b.Applied() + 1
		c, ok := parse(line[2:], int64(i)*second)
		if !ok {
			t.Fatalf("%s: %s names no kind", file, line)
		}
		blk := c.record(ledger.OpenBlock(nil))
		if c.err != nil || len(c.v) > 0 {
			t.Fatalf("%s: %s%v, unknown fields %v", file, line, c.err, c.v)
		}
		before, entries := view(b), b.Pending()
		log[i] = ledger.SealBlock(blk, 0, 1, c.at)
		s.blocks[i] = log[i]
		err := b.Apply(i, log[i])
		if got += line; err != nil { // the process would end here: go on as it would be after an update that knows better
			got += "refused: " + strings.TrimPrefix(err.Error(), fmt.Sprintf("block %d of lane 0: ", i)) + "\n"
			delete(log, i)
			delete(s.blocks, i)
			b = s.reload(i - 1)
			continue
		}
		told[c.kind] = true
		now, state := view(b), b.State()
		if got += changes(before, now); b.Pending() > entries {
			got += fmt.Sprintf("+ an entry of the past: %d\n", b.Pending()-entries)
		}
		s.flush(b)
		for _, err := range b.Check() {
			t.Errorf("%s: %s%v", file, line, err)
		}
		b = s.reload(i)
		if d := changes(now, view(b)); d != "" || !bytes.Equal(state, b.State()) {
			t.Errorf("%s: %sa restart changes\n%s", file, line, d)
		}
	}
	once, twice := refold(t, log), refold(t, log)
	if !bytes.Equal(once.State(), twice.State()) || !bytes.Equal(once.State(), b.State()) || changes(view(once), view(twice)) != "" {
		t.Errorf("%s: folded again from the blocks the books differ", file)
	}
	if *rewrite {
		err = os.WriteFile(file, []byte(got), 0o644)
	} else if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// refold folds blocks into empty books.
func refold(t *testing.T, log whole) *Book {
	b := New(0, log, log)
	for i := range uint64(len(log)) {
		if err := b.Apply(i+1, log[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	return b
}
