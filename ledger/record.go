package ledger

import "encoding/binary"

// Kind says what a record decides. Unknown kinds are fatal: a fold that skipped one would disagree with
// the replica that wrote it.
type Kind uint8

const (
	KindAccept   Kind = iota + 1 // a message entered: frozen price, number, class, and the PDU's bytes
	KindRoute                    // the plan, and that the verifier passed it
	KindDispatch                 // committed BEFORE the bytes go to a carrier's link
	KindAnswer                   // what the carrier said, and what follows from it
	KindReceipt                  // a carrier's delivery receipt that fits this message
	KindFinal                    // the message's one end, and the money that moved with it
	KindReturn                   // the client took its receipt (or gave it up)
	KindDoubt                    // dispatched, and the link or the process died before an answer
	KindAccount                  // a client or carrier got its number and lane
	KindCatalog                  // a catalog version was applied
	KindOrphan                   // a receipt that fits no message, kept and counted
	KindMO                       // a message from a carrier for one of our clients
	KindMove                     // messages left memory for a packed run
	KindLoad                     // the messages of a run are in memory again
	KindReplace                  // the client gave a waiting message another text and other times
	KindOperator                 // what an operator did to messages, by whom and why
	KindOrder                    // an operator's word on a link or on a message in doubt
	kindEnd
)

var kindNames = [kindEnd]string{"", "ACCEPT", "ROUTE", "DISPATCH", "ANSWER", "RECEIPT", "FINAL", "RETURN", "DOUBT", "ACCOUNT", "CATALOG", "ORPHAN", "MO", "MOVE", "LOAD",
	"REPLACE", "OPERATOR", "ORDER"}

func (k Kind) String() string {
	if k > 0 && k < kindEnd {
		return kindNames[k]
	}
	return "kind?"
}

// recordHeader is the fixed front of every record, little endian:
//
//	0 length u32 (header included)   4 kind u8   5 version u8   6 worker u8   7 flags u8
//	8 message id u64                16 decided at, unix ns i64
const (
	recordHeader  = 24
	recordVersion = 1
)

var le = binary.LittleEndian

// Record is a view of one decoded record; Body aliases the block.
type Record struct {
	Kind   Kind
	Worker uint8
	Flags  uint8
	ID     MsgID
	At     int64 // unix nanoseconds
	Body   []byte
	Off    uint32 // offset of Body in its block
}

// openRecord appends a header whose length sealRecord fills in.
func openRecord(b []byte, k Kind, worker, flags uint8, id MsgID, at int64) []byte {
	b = le.AppendUint32(b, 0)
	b = append(b, byte(k), recordVersion, worker, flags)
	b = le.AppendUint64(b, uint64(id))
	return le.AppendUint64(b, uint64(at))
}

func sealRecord(b []byte, at int) []byte {
	le.PutUint32(b[at:], uint32(len(b)-at))
	return b
}

// appendBytes writes a length octet and at most 255 octets.
func appendBytes(b, v []byte) []byte {
	if len(v) > 255 {
		v = v[:255]
	}
	b = append(b, byte(len(v)))
	return append(b, v...)
}

// reader walks a record body; a body that ends early turns bad and stays so.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.bad = true
		r.b = nil
		return make([]byte, n)
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}
func (r *reader) u8() uint8   { return r.take(1)[0] }
func (r *reader) u16() uint16 { return le.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return le.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return le.Uint64(r.take(8)) }
func (r *reader) i64() int64  { return int64(r.u64()) }
func (r *reader) bytes() []byte {
	return r.take(int(r.u8()))
}

// long reads bytes behind a u32 length, which is checked before anything of that size is made.
func (r *reader) long() []byte {
	n := r.u32()
	if uint64(n) > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	return r.take(int(n))
}

// Accept freezes everything that admission decided, and the PDU as the client sent it.
type Accept struct {
	Account    uint32 // number of the client in the account table
	Session    uint32 // the bind it came over
	Row        uint32 // line of the sell row in rates.csv
	Catalog    uint32 // version that the decision used
	Class      Class
	Parts      uint8
	Registered uint8  // registered_delivery as the client asked (SMPP 3.4 §5.2.17)
	Behind     uint8  // in a submit_multi: how many messages stand before it; the first one's id names them all
	ShortID    bool   // the client was told the id in eight digits: it bound as SMPP 3.3
	Part       bool   // of a text that the client split
	Once       bool   // datagram and transaction mode: one attempt, no receipt (SMPP 3.4 §2.10)
	Transact   bool   // its submit_sm_resp waits for its end
	Broadcast  bool   // PDU keeps a broadcast_sm (pdu.AppendBroadcastKept)
	Replace    bool   // takes the place of what waits between the same addresses (SMPP 3.4 §5.2.18)
	Price      Micro  // of all parts; held
	Number     uint64 // E.164 digits
	ValidUntil int64  // unix ns
	Due        int64  // schedule_delivery_time, unix ns; 0 is at once
	PDU        []byte
}

// AcceptPDUOffset is where the PDU stands behind the start of an ACCEPT body.
const AcceptPDUOffset = 4*4 + 4 + 4*8

// AppendAccept writes an ACCEPT record.
func AppendAccept(b []byte, worker uint8, id MsgID, at int64, a *Accept) []byte {
	start := len(b)
	flags := uint8(flagAsked)
	if a.ShortID {
		flags |= flagShortID
	}
	if a.Replace {
		flags |= flagReplace
	}
	if a.Part {
		flags |= flagConcat
	}
	if a.Once {
		flags |= flagOnce
	}
	if a.Transact {
		flags |= flagTransact
	}
	if a.Broadcast {
		flags |= flagBroadcast
	}
	b = openRecord(b, KindAccept, worker, flags, id, at)
	b = le.AppendUint32(b, a.Account)
	b = le.AppendUint32(b, a.Session)
	b = le.AppendUint32(b, a.Row)
	b = le.AppendUint32(b, a.Catalog)
	b = append(b, byte(a.Class), a.Parts, a.Registered, a.Behind)
	b = le.AppendUint64(b, uint64(a.Price))
	b = le.AppendUint64(b, a.Number)
	b = le.AppendUint64(b, uint64(a.ValidUntil))
	b = le.AppendUint64(b, uint64(a.Due))
	b = append(b, a.PDU...)
	return sealRecord(b, start)
}

// Accept decodes an ACCEPT body.
func (r *Record) Accept(a *Accept) bool {
	b := r.Body
	if len(b) < AcceptPDUOffset {
		return false
	}
	a.Account, a.Session, a.Row, a.Catalog = le.Uint32(b), le.Uint32(b[4:]), le.Uint32(b[8:]), le.Uint32(b[12:])
	a.Class, a.Parts, a.Registered, a.Behind = Class(b[16]), b[17], b[18], b[19]
	a.ShortID, a.Replace, a.Part = r.Flags&flagShortID != 0, r.Flags&flagReplace != 0, r.Flags&flagConcat != 0
	a.Once, a.Transact, a.Broadcast = r.Flags&flagOnce != 0, r.Flags&flagTransact != 0, r.Flags&flagBroadcast != 0
	a.Price, a.Number = Micro(le.Uint64(b[20:])), le.Uint64(b[28:])
	a.ValidUntil, a.Due = int64(le.Uint64(b[36:])), int64(le.Uint64(b[44:]))
	a.PDU = b[AcceptPDUOffset:]
	return true
}

// PlanTarget is one carrier of a plan, in the order it is tried.
type PlanTarget struct {
	Carrier uint16 // number in the account table
	Tier    uint8
	Weight  uint16
	Buy     Micro  // per part, at planning time
	Row     uint32 // line in routes.csv
}

// MaxTargets bounds a plan; more rows than this in one plan are left out and said so by route explain.
const MaxTargets = 4

// Route is the router's plan and the verifier's verdict on it.
type Route struct {
	CommittedAt int64 // when the ACCEPT was committed
	RoutedAt    int64
	Router      uint8
	Catalog     uint32
	N           uint8
	Targets     [MaxTargets]PlanTarget
}

// What a ROUTE body has before its targets, and for each, in octets.
const (
	routeFixed  = 8 + 8 + 4 + 1 + 1
	routeTarget = 2 + 1 + 2 + 8 + 4
)

// AppendRoute writes a ROUTE record; worker and at are the verifier's.
func AppendRoute(b []byte, worker uint8, id MsgID, at int64, p *Route) []byte {
	start := len(b)
	b = openRecord(b, KindRoute, worker, 0, id, at)
	b = le.AppendUint64(b, uint64(p.CommittedAt))
	b = le.AppendUint64(b, uint64(p.RoutedAt))
	b = le.AppendUint32(b, p.Catalog)
	b = append(b, p.Router, p.N)
	for _, t := range p.Targets[:p.N] {
		b = le.AppendUint16(b, t.Carrier)
		b = append(b, t.Tier)
		b = le.AppendUint16(b, t.Weight)
		b = le.AppendUint64(b, uint64(t.Buy))
		b = le.AppendUint32(b, t.Row)
	}
	return sealRecord(b, start)
}

// Route decodes a ROUTE body.
func (r *Record) Route(p *Route) bool {
	b := r.Body
	if len(b) < routeFixed || b[21] > MaxTargets || len(b) < routeFixed+int(b[21])*routeTarget {
		return false
	}
	p.CommittedAt, p.RoutedAt, p.Catalog = int64(le.Uint64(b)), int64(le.Uint64(b[8:])), le.Uint32(b[16:])
	p.Router, p.N = b[20], b[21]
	b = b[routeFixed:]
	for i := range p.Targets[:p.N] {
		v := b[i*routeTarget:][:routeTarget]
		p.Targets[i] = PlanTarget{Carrier: le.Uint16(v), Tier: v[2], Weight: le.Uint16(v[3:]), Buy: Micro(le.Uint64(v[5:])), Row: le.Uint32(v[13:])}
	}
	return true
}

// FlagResend marks a DISPATCH that may repeat one whose fate is unknown. Every duplicate that a carrier
// can see is one of these.
const FlagResend = 1

// Dispatch says which link is about to carry the message. Durable BEFORE the bytes are written.
type Dispatch struct {
	Carrier uint16
	Target  uint8 // index in the plan
	Attempt uint8
	Session uint32
	Buy     Micro // per part, at this attempt
	Shape   Shape
}

// dispatchFixed is the length of a DISPATCH body without a shape.
const dispatchFixed = 2 + 1 + 1 + 4 + 8

// AppendDispatch writes a DISPATCH record.
func AppendDispatch(b []byte, worker, flags uint8, id MsgID, at int64, p *Dispatch) []byte {
	start := len(b)
	if p.Shape.Of > 0 {
		flags |= flagParted
	}
	b = openRecord(b, KindDispatch, worker, flags, id, at)
	b = le.AppendUint16(b, p.Carrier)
	b = append(b, p.Target, p.Attempt)
	b = le.AppendUint32(b, p.Session)
	b = le.AppendUint64(b, uint64(p.Buy))
	b = p.Shape.append(b)
	return sealRecord(b, start)
}

// Dispatch decodes a DISPATCH body.
func (r *Record) Dispatch(p *Dispatch) bool {
	b := r.Body
	if len(b) < dispatchFixed {
		return false
	}
	p.Carrier, p.Target, p.Attempt, p.Session, p.Buy = le.Uint16(b), b[2], b[3], le.Uint32(b[4:]), Micro(le.Uint64(b[8:]))
	if p.Shape = (Shape{}); r.Flags&flagParted != 0 {
		d := reader{b: b[dispatchFixed:]}
		p.Shape.read(&d)
		return !d.bad
	}
	return true
}

// Outcome is what an ANSWER decided.
type Outcome uint8

const (
	Taken   Outcome = iota + 1 // the carrier has it; CarrierID is its name for it
	Retry                      // the same target again at Due
	Next                       // the plan's next target
	Unsent                     // committed for a link that closed before any byte was written
	Refused                    // no target is left; a FINAL follows in the same block
	Moved                      // never sent to this target, whose links are all down; the next one gets it
)

var outcomeNames = [...]string{"", "taken", "retry", "next target", "unsent", "refused", "moved"}

func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "outcome?"
}

// Answer is what a carrier said to a submit_sm.
type Answer struct {
	Status    uint32 // command_status as received; of Moved the carrier's number that it was taken from
	Outcome   Outcome
	Target    uint8 // that will be tried next
	Due       int64 // not before, unix ns; 0 is at once
	Cost      Micro // what we owe the carrier for this attempt
	CarrierID []byte
	Parted    bool // it is about one part of a message that we split
	Part      uint8
	More      bool // with Taken: of a part that is not the last; the next one follows
}

// answerFixed is what an ANSWER body has before the carrier's id.
const answerFixed = 4 + 1 + 1 + 8 + 8

// AppendAnswer writes an ANSWER record.
func AppendAnswer(b []byte, worker uint8, id MsgID, at int64, p *Answer) []byte {
	start := len(b)
	var flags uint8
	if p.More {
		flags = 1
	}
	if p.Parted {
		flags |= flagParted
	}
	b = openRecord(b, KindAnswer, worker, flags, id, at)
	b = le.AppendUint32(b, p.Status)
	b = append(b, byte(p.Outcome), p.Target)
	b = le.AppendUint64(b, uint64(p.Due))
	b = le.AppendUint64(b, uint64(p.Cost))
	b = appendBytes(b, p.CarrierID)
	if p.Parted {
		b = append(b, p.Part)
	}
	return sealRecord(b, start)
}

// Answer decodes an ANSWER body; CarrierID aliases the block.
func (r *Record) Answer(p *Answer) bool {
	b := r.Body
	if len(b) < answerFixed {
		return false
	}
	p.Status, p.Outcome, p.Target = le.Uint32(b), Outcome(b[4]), b[5]
	p.Due, p.Cost = int64(le.Uint64(b[6:])), Micro(le.Uint64(b[14:]))
	d := reader{b: b[answerFixed:]}
	p.CarrierID, p.More, p.Parted, p.Part = d.bytes(), r.Flags&1 != 0, r.Flags&flagParted != 0, 0
	if p.Parted {
		p.Part = d.u8()
	}
	return !d.bad && p.Outcome > 0 && p.Outcome <= Moved
}

// End is how a message ended. Each accepted message has exactly one.
type End uint8

const (
	EndNone      End = iota
	EndDelivered     // a receipt said so
	EndFailed        // refused, rejected or undeliverable
	EndExpired       // its validity passed
	EndSent          // taken, and no receipt is due
	EndUnknown       // taken, and the receipt never came within receipt_wait
	Ends         = int(EndUnknown) + 1
)

var endNames = [Ends]string{"", "delivered", "failed", "expired", "sent", "unknown"}

func (e End) String() string {
	if int(e) < len(endNames) {
		return endNames[e]
	}
	return "end?"
}

// Reason says why a message ended as it did, in one word that operators can filter by.
type Reason uint8

const (
	ReasonNone Reason = iota
	ReasonReceipt
	ReasonNoReceiptDue
	ReasonReceiptWait
	ReasonValidity
	ReasonRefused
	ReasonNoRoute
	ReasonVerifier
	ReasonOperator
	ReasonUnresolved
	ReasonCancelled // cancel_sm of the client
	ReasonReplaced  // a newer message of the client took its place
	ReasonDerived   // the carrier sends a receipt for one part of a text only, and this is another
	reasonEnd
)

var reasonNames = [reasonEnd]string{"", "receipt", "no_receipt_due", "receipt_wait", "validity", "carrier_refused", "no_route", "verifier", "operator", "in_doubt_unresolved",
	"cancelled", "replaced", "receipt_of_other_part"}

func (r Reason) String() string {
	if r < reasonEnd {
		return reasonNames[r]
	}
	return "reason?"
}

// Final ends a message. Hold goes back to zero: Charge of it is revenue, the rest returns to the client.
type Final struct {
	End    End
	Reason Reason
	Detail uint8 // the verifier's reason
	Status uint32
	Hold   Micro // what ACCEPT held
	Charge Micro // 0 voids the hold
	Return bool  // the client gets a receipt
}

// AppendFinal writes a FINAL record.
func AppendFinal(b []byte, worker uint8, id MsgID, at int64, p *Final) []byte {
	start := len(b)
	var flags uint8
	if p.Return {
		flags = 1
	}
	b = openRecord(b, KindFinal, worker, flags, id, at)
	b = append(b, byte(p.End), byte(p.Reason), p.Detail)
	b = le.AppendUint32(b, p.Status)
	b = le.AppendUint64(b, uint64(p.Hold))
	b = le.AppendUint64(b, uint64(p.Charge))
	return sealRecord(b, start)
}

// Final decodes a FINAL body.
func (r *Record) Final(p *Final) bool {
	d := reader{b: r.Body}
	p.Return = r.Flags&1 != 0
	p.End, p.Reason, p.Detail, p.Status = End(d.u8()), Reason(d.u8()), d.u8(), d.u32()
	p.Hold, p.Charge = Micro(d.i64()), Micro(d.i64())
	return !d.bad && p.End > 0 && int(p.End) < Ends
}

// Return says that the client answered the deliver_sm that carried its receipt, or that we stopped offering it.
type Return struct {
	Session uint32 // 0: nobody took it within the time that receipts are kept
	Status  uint32
}

// AppendReturn writes a RETURN record.
func AppendReturn(b []byte, worker uint8, id MsgID, at int64, p *Return) []byte {
	start := len(b)
	b = openRecord(b, KindReturn, worker, 0, id, at)
	b = le.AppendUint32(b, p.Session)
	b = le.AppendUint32(b, p.Status)
	return sealRecord(b, start)
}

// Return decodes a RETURN body.
func (r *Record) Return(p *Return) bool {
	d := reader{b: r.Body}
	p.Session, p.Status = d.u32(), d.u32()
	return !d.bad
}

// Policy is what is done with a message in doubt.
type Policy uint8

const (
	PolicyResend Policy = iota + 1 // once on the same carrier, then the next target
	PolicyHold                     // until an operator, a late answer or a receipt decides
	PolicyExpire                   // ends as unknown
)

var policyNames = [...]string{"", "resend", "hold", "expire"}

func (p Policy) String() string {
	if int(p) < len(policyNames) {
		return policyNames[p]
	}
	return "policy?"
}

// AppendDoubt writes a DOUBT record.
func AppendDoubt(b []byte, worker uint8, id MsgID, at int64, p Policy, target uint8) []byte {
	start := len(b)
	b = openRecord(b, KindDoubt, worker, 0, id, at)
	b = append(b, byte(p), target)
	return sealRecord(b, start)
}

// Doubt decodes a DOUBT body.
func (r *Record) Doubt() (p Policy, target uint8, ok bool) {
	d := reader{b: r.Body}
	p, target = Policy(d.u8()), d.u8()
	return p, target, !d.bad && p > 0 && p <= PolicyExpire
}

// Party tells the two sides of the account table apart.
type Party uint8

const (
	PartyClient Party = iota + 1
	PartyCarrier
)

// Account is one row of the account table, kept in lane 0.
type Account struct {
	Party  Party
	Number uint32
	Lane   uint16
	Name   []byte // the id in the catalog
}

// AppendAccount writes an ACCOUNT record.
func AppendAccount(b []byte, at int64, p *Account) []byte {
	start := len(b)
	b = openRecord(b, KindAccount, 0, 0, 0, at)
	b = append(b, byte(p.Party))
	b = le.AppendUint32(b, p.Number)
	b = le.AppendUint16(b, p.Lane)
	b = appendBytes(b, p.Name)
	return sealRecord(b, start)
}

// Account decodes an ACCOUNT body.
func (r *Record) Account(p *Account) bool {
	d := reader{b: r.Body}
	p.Party, p.Number, p.Lane = Party(d.u8()), d.u32(), d.u16()
	p.Name = d.bytes()
	return !d.bad
}

// Catalog carries one applied version whole: its files are what a replica compiles.
type Catalog struct {
	Version uint32
	Author  []byte
	Files   []byte // an opaque archive, see EncodeFiles
}

// AppendCatalog writes a CATALOG record.
func AppendCatalog(b []byte, at int64, p *Catalog) []byte {
	start := len(b)
	b = openRecord(b, KindCatalog, 0, 0, 0, at)
	b = le.AppendUint32(b, p.Version)
	b = appendBytes(b, p.Author)
	b = append(b, p.Files...)
	return sealRecord(b, start)
}

// Catalog decodes a CATALOG body.
func (r *Record) Catalog(p *Catalog) bool {
	d := reader{b: r.Body}
	p.Version, p.Author = d.u32(), d.bytes()
	p.Files = d.b
	return !d.bad
}

// AppendOrphan writes an ORPHAN record: a receipt of the carrier that fits no message, as received.
func AppendOrphan(b []byte, at int64, carrier uint16, pdu []byte) []byte {
	start := len(b)
	b = openRecord(b, KindOrphan, 0, 0, 0, at)
	b = le.AppendUint16(b, carrier)
	b = append(b, pdu...)
	return sealRecord(b, start)
}

// Orphan decodes an ORPHAN body.
func (r *Record) Orphan() (carrier uint16, pdu []byte, ok bool) {
	d := reader{b: r.Body}
	carrier = d.u16()
	return carrier, d.b, !d.bad
}
