package ledger

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"
)

// sample is one record kind: append writes value, decode reads it back from r.
type sample struct {
	kind   Kind
	flags  uint8
	value  any
	append func(b []byte, worker uint8, id MsgID, at int64) []byte
	decode func(r *Record) (any, bool)
}

const anyID = MsgID(0x0003_0000_0000_0042)

func route(n uint8) *Route {
	p := &Route{CommittedAt: 10, RoutedAt: -20, Router: 7, Catalog: 9, N: n}
	for i := range n {
		p.Targets[i] = PlanTarget{Carrier: 100 + uint16(i), Tier: i, Weight: 65535, Buy: -5, Row: 1 << 31}
	}
	return p
}

// samples holds every kind at least once, with extremes.
func samples() []sample {
	long := bytes.Repeat([]byte("x"), 255)
	pdu := bytes.Repeat([]byte{0, 1, 2, 255}, 40)
	var all []sample
	add := func(s sample) { all = append(all, s) }
	for _, v := range []*Accept{{PDU: []byte{}}, {Account: 1, Session: 2, Row: 3, Catalog: 4, Class: ClassOTP, Parts: 255, Registered: 0x1D, Behind: 253, Price: -1 << 63, Number: 1<<64 - 1, ValidUntil: 1<<63 - 1, Due: -1, PDU: pdu}} {
		add(sample{KindAccept, flagAsked, v, func(b []byte, w uint8, id MsgID, at int64) []byte { return AppendAccept(b, w, id, at, v) },
			func(r *Record) (any, bool) { p := new(Accept); ok := r.Accept(p); return p, ok }})
	}
	for n := range uint8(MaxTargets + 1) {
		v := route(n)
		add(sample{KindRoute, 0, v, func(b []byte, w uint8, id MsgID, at int64) []byte { return AppendRoute(b, w, id, at, v) },
			func(r *Record) (any, bool) { p := new(Route); ok := r.Route(p); return p, ok }})
	}
	dispatch := &Dispatch{Carrier: 1, Target: 2, Attempt: 255, Session: 1 << 31, Buy: 1 << 40}
	add(sample{KindDispatch, FlagResend, dispatch, func(b []byte, w uint8, id MsgID, at int64) []byte {
		return AppendDispatch(b, w, FlagResend, id, at, dispatch)
	}, func(r *Record) (any, bool) { p := new(Dispatch); ok := r.Dispatch(p); return p, ok }})
	shaped := &Dispatch{Carrier: 1, Shape: Shape{Of: 255, Part: 254, Joined: 3, Coding: 8, Charset: 6, Ref: 0xFFFE}}
	add(sample{KindDispatch, flagParted, shaped, func(b []byte, w uint8, id MsgID, at int64) []byte { return AppendDispatch(b, w, 0, id, at, shaped) },
		func(r *Record) (any, bool) { p := new(Dispatch); ok := r.Dispatch(p); return p, ok }})
	parted := &Answer{Outcome: Taken, CarrierID: []byte("a"), Parted: true, Part: 7, More: true}
	add(sample{KindAnswer, 1 | flagParted, parted, func(b []byte, w uint8, id MsgID, at int64) []byte { return AppendAnswer(b, w, id, at, parted) },
		func(r *Record) (any, bool) { p := new(Answer); ok := r.Answer(p); return p, ok }})
	for o := Taken; o <= Moved; o++ {
		v := &Answer{Status: 0x58, Outcome: o, Target: 3, Due: -1, Cost: 12, CarrierID: long[:int(o)*40]}
		add(sample{KindAnswer, 0, v, func(b []byte, w uint8, id MsgID, at int64) []byte { return AppendAnswer(b, w, id, at, v) },
			func(r *Record) (any, bool) { p := new(Answer); ok := r.Answer(p); return p, ok }})
	}
	for _, v := range []*Receipt{{Err: []byte{}, ID: []byte{}}, {State: 2, Inferred: true, Done: -3, Cost: 4, Err: []byte("000"), ID: long},
		{State: 5, Repeated: true, Err: []byte("1"), ID: []byte("z")}, {State: 2, Err: []byte{}, ID: []byte("z"), Parted: true, Part: 254}} {
		var flags uint8
		if v.Inferred {
			flags = 1
		}
		if v.Repeated {
			flags = FlagRepeated
		}
		if v.Parted {
			flags = flagParted
		}
		add(sample{KindReceipt, flags, v, func(b []byte, w uint8, id MsgID, at int64) []byte { return AppendReceipt(b, w, id, at, v) },
			func(r *Record) (any, bool) { p := new(Receipt); ok := r.Receipt(p); return p, ok }})
	}
	for e := EndDelivered; int(e) < Ends; e++ {
		v := &Final{End: e, Reason: ReasonOperator, Detail: 9, Status: 8, Hold: 7, Charge: -6, Return: e%2 == 0}
		var flags uint8
		if v.Return {
			flags = 1
		}
		add(sample{KindFinal, flags, v, func(b []byte, w uint8, id MsgID, at int64) []byte { return AppendFinal(b, w, id, at, v) },
			func(r *Record) (any, bool) { p := new(Final); ok := r.Final(p); return p, ok }})
	}
	both := &Accept{ShortID: true, Replace: true, Part: true, Once: true, Transact: true, Broadcast: true, PDU: pdu}
	add(sample{KindAccept, flagShortID | flagReplace | flagAsked | flagConcat | flagOnce | flagTransact | flagBroadcast, both, func(b []byte, w uint8, id MsgID, at int64) []byte { return AppendAccept(b, w, id, at, both) },
		func(r *Record) (any, bool) { p := new(Accept); ok := r.Accept(p); return p, ok }})
	other := &Replace{Parts: 2, Registered: 1, Price: 9, ValidUntil: -1, Due: 1 << 62, PDU: pdu}
	add(sample{KindReplace, 0, other, func(b []byte, w uint8, id MsgID, at int64) []byte { return AppendReplace(b, w, id, at, other) },
		func(r *Record) (any, bool) { p := new(Replace); ok := r.Replace(p); return p, ok }})
	notice := &MO{Account: 4, Carrier: 5, Notice: true, PDU: pdu}
	add(sample{KindMO, 1, notice, func(b []byte, w uint8, id MsgID, at int64) []byte { return AppendMO(b, w, id, at, notice) },
		func(r *Record) (any, bool) { p := new(MO); ok := r.MO(p); return p, ok }})
	back := &Return{Session: 1, Status: 1<<32 - 1}
	add(sample{KindReturn, 0, back, func(b []byte, w uint8, id MsgID, at int64) []byte { return AppendReturn(b, w, id, at, back) },
		func(r *Record) (any, bool) { p := new(Return); ok := r.Return(p); return p, ok }})
	for p := PolicyResend; p <= PolicyExpire; p++ {
		add(sample{KindDoubt, 0, [2]uint8{uint8(p), 3}, func(b []byte, w uint8, id MsgID, at int64) []byte { return AppendDoubt(b, w, id, at, p, 3) },
			func(r *Record) (any, bool) { p, target, ok := r.Doubt(); return [2]uint8{uint8(p), target}, ok }})
	}
	account := &Account{Party: PartyCarrier, Number: 77, Lane: 65535, Name: []byte("carrier-a")}
	add(sample{KindAccount, 0, account, func(b []byte, _ uint8, _ MsgID, at int64) []byte { return AppendAccount(b, at, account) },
		func(r *Record) (any, bool) { p := new(Account); ok := r.Account(p); return p, ok }})
	catalog := &Catalog{Version: 5, Author: []byte("ops"), Files: EncodeFiles(map[string][]byte{"a.yaml": pdu})}
	add(sample{KindCatalog, 0, catalog, func(b []byte, _ uint8, _ MsgID, at int64) []byte { return AppendCatalog(b, at, catalog) },
		func(r *Record) (any, bool) { p := new(Catalog); ok := r.Catalog(p); return p, ok }})
	add(sample{KindOrphan, 0, string(pdu), func(b []byte, _ uint8, _ MsgID, at int64) []byte { return AppendOrphan(b, at, 6, pdu) },
		func(r *Record) (any, bool) { carrier, p, ok := r.Orphan(); return string(p), ok && carrier == 6 }})
	mo := &MO{Account: 4, Carrier: 5, PDU: pdu}
	add(sample{KindMO, 0, mo, func(b []byte, w uint8, id MsgID, at int64) []byte { return AppendMO(b, w, id, at, mo) },
		func(r *Record) (any, bool) { p := new(MO); ok := r.MO(p); return p, ok }})
	move := &Move{Run: 8, Order: 1 << 31, Queue: RunInternal, Carrier: 65535, Class: ClassOTP, IDs: AppendID(AppendID(nil, anyID), 1)}
	add(sample{KindMove, 0, move, func(b []byte, _ uint8, _ MsgID, at int64) []byte { return AppendMove(b, at, move) },
		func(r *Record) (any, bool) { p := new(Move); ok := r.Move(p); return p, ok }})
	add(sample{KindLoad, 0, uint32(9), func(b []byte, _ uint8, _ MsgID, at int64) []byte { return AppendLoad(b, at, 9) },
		func(r *Record) (any, bool) { run, ok := r.Load(); return run, ok }})
	deed := &Operator{Action: ActionReroute, Author: []byte("ops"), Reason: long, IDs: []MsgID{1, 1<<64 - 1, 7}}
	add(sample{KindOperator, 0, deed, func(b []byte, _ uint8, _ MsgID, at int64) []byte { return AppendOperator(b, at, deed) },
		func(r *Record) (any, bool) { p := new(Operator); ok := r.Operator(p); return p, ok }})
	order := &Order{Verb: OrderDrop, Carrier: 65535, Link: 3, Author: long}
	add(sample{KindOrder, 0, order, func(b []byte, w uint8, id MsgID, at int64) []byte { return AppendOrder(b, w, id, at, order) },
		func(r *Record) (any, bool) { p := new(Order); ok := r.Order(p); return p, ok }})
	return all
}

// An order is about a link or about a message, and its record says which.
func TestOrdersFitWhatTheyAreAbout(t *testing.T) {
	for v := OrderPause; v < orderEnd; v++ {
		for _, id := range []MsgID{0, anyID} {
			b := AppendOrder(nil, 0, id, 1, &Order{Verb: v, Author: []byte("me")})
			r := Record{ID: id, Body: b[recordHeader:]}
			var o Order
			if ok := r.Order(&o); ok != (v.OfLink() == (id == 0)) {
				t.Errorf("%v about message %v: read %v", v, id, ok)
			}
		}
		if ParseVerb(v.String()) != v {
			t.Errorf("%v does not come back from its name", v)
		}
	}
	if ParseVerb("") != 0 || ParseVerb("kill") != 0 {
		t.Error("a verb out of nothing")
	}
}

// system kinds carry neither a worker nor a message id.
func system(k Kind) bool {
	return k == KindAccount || k == KindCatalog || k == KindOrphan || k == KindMove || k == KindLoad || k == KindOperator
}

func TestEveryKindComesBack(t *testing.T) {
	seen := map[Kind]bool{}
	all := samples()
	b := OpenBlock(nil)
	for i, s := range all {
		seen[s.kind] = true
		b = s.append(b, uint8(i), anyID+MsgID(i), int64(i)-3)
	}
	for k := Kind(1); k < kindEnd; k++ {
		if !seen[k] {
			t.Errorf("no sample of %s", k)
		}
	}
	b = SealBlock(b, 3, len(all), 99)
	i := 0
	err := Walk(b, func(r *Record) error {
		s := all[i]
		worker, id := uint8(i), anyID+MsgID(i)
		if system(s.kind) {
			worker, id = 0, 0
		}
		if r.Kind != s.kind || r.Flags != s.flags || r.At != int64(i)-3 || r.Worker != worker || r.ID != id {
			t.Errorf("record %d: %s flags %d at %d worker %d id %s", i, r.Kind, r.Flags, r.At, r.Worker, r.ID)
		}
		if got, ok := s.decode(r); !ok || !reflect.DeepEqual(got, s.value) {
			t.Errorf("record %d: %s came back as %+v (%v), want %+v", i, s.kind, got, ok, s.value)
		}
		if !bytes.Equal(b[r.Off:int(r.Off)+len(r.Body)], r.Body) || len(r.Body) > 0 && &b[r.Off] != &r.Body[0] {
			t.Errorf("record %d: the body does not stand at its offset", i)
		}
		i++
		return nil
	})
	if err != nil || i != len(all) {
		t.Fatalf("%d of %d records: %v", i, len(all), err)
	}
}

// A body cut anywhere in its fixed part is refused, and never read beyond its end.
func TestShortBodiesAreRefused(t *testing.T) {
	rest := map[Kind]int{KindAccept: AcceptPDUOffset, KindMO: MOPDUOffset, KindReplace: ReplacePDUOffset, KindOrphan: 2, KindCatalog: 4 + 1 + 3}
	for _, s := range samples() {
		rec := s.append(nil, 1, anyID, 1)
		body := rec[recordHeader:]
		fixed := len(body)
		if n, ok := rest[s.kind]; ok { // what follows is "all the rest"
			fixed = n
		}
		for n := range fixed {
			r := Record{Kind: s.kind, Flags: s.flags, Body: body[:n:n]}
			if got, ok := s.decode(&r); ok {
				t.Fatalf("%s of %d octets, %d cut away, came back as %+v", s.kind, n, len(body)-n, got)
			}
		}
	}
}

func TestImpossibleValuesAreRefused(t *testing.T) {
	body := func(b []byte) Record { return Record{Body: b[recordHeader:]} }
	r := body(AppendAnswer(nil, 0, 1, 1, &Answer{Outcome: Moved + 1}))
	if r.Answer(new(Answer)) {
		t.Error("an unknown outcome")
	}
	r = body(AppendAnswer(nil, 0, 1, 1, &Answer{}))
	if r.Answer(new(Answer)) {
		t.Error("no outcome")
	}
	for _, e := range []End{EndNone, End(Ends)} {
		if r = body(AppendFinal(nil, 0, 1, 1, &Final{End: e})); r.Final(new(Final)) {
			t.Errorf("end %d", e)
		}
	}
	for _, p := range []Policy{0, PolicyExpire + 1} {
		r = body(AppendDoubt(nil, 0, 1, 1, p, 0))
		if _, _, ok := r.Doubt(); ok {
			t.Errorf("policy %d", p)
		}
	}
	b := AppendRoute(nil, 0, 1, 1, route(MaxTargets))
	b[recordHeader+8+8+4+1] = MaxTargets + 1
	if r = body(append(b, make([]byte, 17)...)); r.Route(new(Route)) {
		t.Error("more targets than a plan holds")
	}
}

func TestPDUStandsAtItsOffset(t *testing.T) {
	pdu := []byte("the pdu")
	b := AppendAccept(nil, 0, 1, 1, &Accept{PDU: pdu})
	if got := b[recordHeader+AcceptPDUOffset:]; !bytes.Equal(got, pdu) {
		t.Errorf("ACCEPT: %q", got)
	}
	b = AppendMO(nil, 0, 1, 1, &MO{PDU: pdu})
	if got := b[recordHeader+MOPDUOffset:]; !bytes.Equal(got, pdu) {
		t.Errorf("MO: %q", got)
	}
}

// Carrier ids longer than the length octet can say are cut, and what follows stays readable.
func TestLongBytesAreCut(t *testing.T) {
	b := AppendReceipt(nil, 0, 1, 1, &Receipt{Err: make([]byte, 300), ID: []byte("id")})
	r, p := Record{Body: b[recordHeader:]}, Receipt{}
	if !r.Receipt(&p) || len(p.Err) != 255 || string(p.ID) != "id" {
		t.Errorf("%d octets of error, id %q", len(p.Err), p.ID)
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		KindAccept.String(): "ACCEPT", KindMO.String(): "MO", Kind(0).String(): "kind?", kindEnd.String(): "kind?",
		Taken.String(): "taken", Refused.String(): "refused", Outcome(200).String(): "outcome?",
		EndUnknown.String(): "unknown", End(200).String(): "end?",
		ReasonUnresolved.String(): "in_doubt_unresolved", ReasonReplaced.String(): "replaced", Reason(200).String(): "reason?",
		PolicyExpire.String(): "expire", Policy(200).String(): "policy?",
		ClassOTP.String(): "otp", Class(200).String(): "class(200)",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for k := Kind(1); k < kindEnd; k++ {
		if k.String() == "" {
			t.Errorf("kind %d has no name", k)
		}
	}
	for r := ReasonReceipt; r < reasonEnd; r++ {
		if r.String() == "" {
			t.Errorf("reason %d has no name", r)
		}
	}
	for c := range Classes {
		if got, err := ParseClass(Class(c).String()); got != Class(c) || err != nil {
			t.Errorf("class %d: %d, %v", c, got, err)
		}
	}
	if _, err := ParseClass("OTP"); err == nil {
		t.Error("a class of another case")
	}
}

// Decoding into a used value leaves nothing of the old one where the new one speaks.
func TestDecodeIntoUsed(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var used Answer
	for range 200 {
		want := Answer{Status: rng.Uint32(), Outcome: Taken + Outcome(rng.IntN(5)), Target: uint8(rng.Uint32()),
			Due: rng.Int64(), Cost: Micro(rng.Int64()), CarrierID: make([]byte, rng.IntN(66))}
		r := Record{Body: AppendAnswer(nil, 0, 1, 1, &want)[recordHeader:]}
		if !r.Answer(&used) || !reflect.DeepEqual(used, want) {
			t.Fatalf("%+v, want %+v", used, want)
		}
	}
}

// Every kind is told in words of its own, and damage is told as such.
func TestRecordsInWords(t *testing.T) {
	for i, s := range samples() {
		rec := s.append(nil, 1, anyID, 1)
		r := Record{Kind: s.kind, Flags: s.flags, ID: anyID, Body: rec[recordHeader:]}
		if text := r.Describe(); text == "" || text == "cannot be read" || text == (&Record{Kind: kindEnd, Body: r.Body}).Describe() {
			t.Errorf("sample %d, %v: %q", i, s.kind, text)
		}
		r.Body = nil
		if text := r.Describe(); text != "cannot be read" {
			t.Errorf("empty %v: %q", s.kind, text)
		}
		if r.Body = rec[recordHeader:]; s.kind != KindOperator && s.kind != KindMove && !r.Concerns(anyID) || r.Concerns(anyID+1) {
			t.Errorf("%v concerns the wrong message", s.kind)
		}
	}
	r := Record{Kind: KindOperator, Body: AppendOperator(nil, 1, &Operator{Action: ActionHold, IDs: []MsgID{5, 6}})[recordHeader:]}
	if !r.Concerns(6) || r.Concerns(7) {
		t.Error("OPERATOR concerns the wrong messages")
	}
}
