package pdu

import "encoding/binary"

// PDU is any PDU taken apart by its field table. It owns nothing: its slices alias what Decode was given.
type PDU struct {
	Header
	Fields []Field // in the order of the table; none when a response came without a body
	Dests  []Dest  // submit_multi
	Failed []Unsuccess
	IDs    [][]byte // query_last_msgs_resp
	TLVs   []byte   // raw; FindTLV and Walk read them
	Tail   []byte   // what is neither field nor TLV: zero padding, or the unreadable body of an error response
}

// Field is one mandatory parameter: Number for an integer, Octets for a string, without its NUL.
type Field struct {
	Name   string
	Number uint8
	Octets []byte
}

// Dest is one dest_address of a submit_multi (3.4 §4.5.1.1): an address, or a distribution list when List says so.
type Dest struct {
	List     bool
	TON, NPI uint8
	Name     []byte // destination_addr or dl_name
}

// Unsuccess is one unsuccess_sme of a submit_multi_resp (3.4 §4.5.2.1).
type Unsuccess struct {
	TON, NPI uint8
	Addr     []byte
	Status   Status
}

// Values of dest_flag (3.4 §5.2.25).
const (
	destAddress = 1
	destList    = 2
)

// Field is the parameter with that name; its zero value when the PDU has none.
func (d *PDU) Field(name string) Field {
	for _, f := range d.Fields {
		if f.Name == name {
			return f
		}
	}
	return Field{}
}

// Decode takes the whole PDU p apart. It allocates, which is right for the rarer PDUs; the message PDUs have Message.
// The status is what p is to be answered with, and the header is valid with any of them. An unknown command is
// RInvCmdID. A response is never answered, so it is read as far as it makes sense: without a body at all, and with an
// unreadable one when it reports an error (3.4 §4.4.2 leaves the body out, senders do not).
func Decode(p []byte) (*PDU, Status) {
	d := &PDU{}
	if len(p) < HeaderLen || uint64(binary.BigEndian.Uint32(p)) != uint64(len(p)) {
		if len(p) >= HeaderLen {
			d.Header = ParseHeader(p)
		}
		return d, RInvCmdLen
	}
	d.Header = ParseHeader(p)
	l, ok := layouts[d.Command]
	if !ok {
		return d, RInvCmdID
	}
	if d.Command.IsResp() && len(p) == HeaderLen {
		return d, ROK
	}
	r := reader{p: p, at: HeaderLen}
	d.Fields = make([]Field, 0, len(l.fields))
	for i := range l.fields {
		d.read(&r, &l.fields[i])
	}
	if r.st != ROK && d.Command.IsResp() && d.Status != ROK {
		*d = PDU{Header: d.Header, Tail: p[HeaderLen:]}
		return d, ROK
	}
	if r.st != ROK {
		return d, r.st
	}
	return d, d.readTLVs(&l, r.rest())
}

// read takes one field.
func (d *PDU) read(r *reader, f *field) {
	v := Field{Name: f.name}
	switch f.kind {
	case octet:
		v.Number = r.u8()
	case cstring:
		v.Octets = r.str(f.limit, f.long)
	case counted:
		v.Number = r.u8()
		v.Octets = r.take(int(v.Number))
	case dests:
		v.Number = r.u8()
		d.readDests(r, int(v.Number), f.limit)
	case failures:
		v.Number = r.u8()
		for n := v.Number; n > 0 && r.st == ROK; n-- {
			d.Failed = append(d.Failed, Unsuccess{TON: r.u8(), NPI: r.u8(), Addr: r.str(f.limit, f.long), Status: Status(r.u32())})
		}
	case names:
		v.Number = r.u8()
		for n := v.Number; n > 0 && r.st == ROK; n-- {
			d.IDs = append(d.IDs, r.str(f.limit, f.long))
		}
	}
	if r.st == ROK {
		d.Fields = append(d.Fields, v)
	}
}

func (d *PDU) readDests(r *reader, n, limit int) {
	if n == 0 {
		r.fail(RInvNumDests)
	}
	for ; n > 0 && r.st == ROK; n-- {
		switch flag := r.u8(); {
		case r.st != ROK:
		case flag == destAddress:
			d.Dests = append(d.Dests, Dest{TON: r.u8(), NPI: r.u8(), Name: r.str(limit, RInvDstAdr)})
		case flag == destList:
			d.Dests = append(d.Dests, Dest{List: true, Name: r.str(limit, RInvDLName)})
		default:
			r.fail(RInvDestFlag)
		}
	}
}

// readTLVs takes what follows the fields. Only requests are held to the rules: a response has already happened.
func (d *PDU) readTLVs(l *layout, b []byte) Status {
	end, st := 0, ROK
	for rest := b; ; {
		t, v, next, ok := NextTLV(rest)
		if !ok {
			break
		}
		if !t.fits(len(v)) {
			st = RInvTLVLen
		}
		end, rest = len(b)-len(next), next
	}
	d.TLVs, d.Tail = b[:end:end], b[end:]
	switch {
	case l.bare && len(b) > 0:
		return RInvCmdLen
	case d.Command.IsResp():
		return ROK
	case !padding(d.Tail):
		return RInvTLVStream
	case st != ROK:
		return st
	}
	for _, t := range l.required {
		if _, ok := FindTLV(d.TLVs, t); !ok {
			return RMissingTLV
		}
	}
	return ROK
}

// Append writes d. Command and Fields must follow the command's table, as Decode leaves them or New builds them; what
// does not is our bug and panics. Counts are written from the lists, Length is ignored.
func (d *PDU) Append(dst []byte) []byte {
	at := len(dst)
	dst = AppendHeader(dst, d.Command, d.Status, d.Sequence)
	if len(d.Fields) > 0 {
		table := layouts[d.Command].fields
		if len(table) != len(d.Fields) {
			panic("pdu: " + d.Command.String() + " with other fields than its own")
		}
		for i, f := range d.Fields {
			dst = d.appendField(dst, &table[i], f)
		}
	}
	dst = append(dst, d.TLVs...)
	return Finish(append(dst, d.Tail...), at)
}

func (d *PDU) appendField(dst []byte, f *field, v Field) []byte {
	if v.Name != f.name {
		panic("pdu: " + d.Command.String() + " has " + v.Name + " where " + f.name + " belongs")
	}
	switch f.kind {
	case octet:
		return append(dst, v.Number)
	case cstring:
		return appendCString(dst, v.Octets)
	case counted:
		return append(append(dst, byte(len(v.Octets))), v.Octets...)
	case dests:
		dst = append(dst, byte(len(d.Dests)))
		for _, to := range d.Dests {
			if to.List {
				dst = append(dst, destList)
			} else {
				dst = append(dst, destAddress, to.TON, to.NPI)
			}
			dst = appendCString(dst, to.Name)
		}
		return dst
	case names:
		dst = append(dst, byte(len(d.IDs)))
		for _, id := range d.IDs {
			dst = appendCString(dst, id)
		}
		return dst
	}
	dst = append(dst, byte(len(d.Failed)))
	for _, u := range d.Failed {
		dst = appendCString(append(dst, u.TON, u.NPI), u.Addr)
		dst = binary.BigEndian.AppendUint32(dst, uint32(u.Status))
	}
	return dst
}

// New is a PDU with every field of its table empty, to be filled in with Set.
func New(c Command, st Status, seq uint32) *PDU {
	l, ok := layouts[c]
	if !ok {
		panic("pdu: New of unknown command " + c.String())
	}
	d := &PDU{Header: Header{Command: c, Status: st, Sequence: seq}, Fields: make([]Field, len(l.fields))}
	for i := range l.fields {
		d.Fields[i].Name = l.fields[i].name
	}
	return d
}

// Set fills a string in, SetNumber an integer. A name the table does not have is our bug and panics.
func (d *PDU) Set(name string, v []byte) *PDU {
	d.field(name).Octets = v
	return d
}

func (d *PDU) SetNumber(name string, v uint8) *PDU {
	d.field(name).Number = v
	return d
}

func (d *PDU) field(name string) *Field {
	for i := range d.Fields {
		if d.Fields[i].Name == name {
			return &d.Fields[i]
		}
	}
	panic("pdu: " + d.Command.String() + " has no " + name)
}
