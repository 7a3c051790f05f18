package pdu

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// vector is one entry of testdata/vectors.json: octets from a public test suite and what they mean.
type vector struct {
	ID, Kind, Hex, Command, Text string
	FieldType                    string `json:"field_type"`
	Value                        string
	Strict                       string `json:"strict_decoder_says"`
	Error                        string `json:"expected_error"`
	Fields                       map[string]any
	TLVs                         []vectorTLV
}

type vectorTLV struct {
	Tag, Name string
	Value     string `json:"value_hex"`
}

func (v *vector) octets(t *testing.T) []byte {
	t.Helper()
	b, err := hex.DecodeString(v.Hex)
	if err != nil {
		t.Fatal(v.ID, err)
	}
	return b
}

const vectorFile = "testdata/vectors.json"

func vectors(t *testing.T, kind string) []vector {
	t.Helper()
	b, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Vectors []vector }
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	var out []vector
	for _, v := range all.Vectors {
		if v.Kind == kind {
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		t.Fatalf("no vectors of kind %s", kind)
	}
	return out
}

// The copy in testdata is the shared file, where that is at hand.
func TestVectorsAreTheSharedOnes(t *testing.T) {
	original, err := os.ReadFile(filepath.Join("..", "..", "shared", "smpp-vectors.json"))
	if err != nil {
		t.Logf("no shared folder here: %v", err)
		return
	}
	copied, err := os.ReadFile(vectorFile)
	if err != nil || !bytes.Equal(original, copied) {
		t.Errorf("%s differs from the shared file (%v)", vectorFile, err)
	}
}

// All vectors of the file are checked, each by one of these.
func TestVectors(t *testing.T) {
	checked := 0
	for _, kind := range []struct {
		name  string
		check func(t *testing.T) int
	}{
		{"whole PDUs", vectorPDUs}, {"PDUs that a strict decoder refuses", vectorDefects}, {"blocks of TLVs", vectorTLVBlocks},
		{"texts of receipts", vectorReceiptTexts}, {"fields", vectorFields},
	} {
		n := kind.check(t)
		checked += n
		t.Logf("%3d %s", n, kind.name)
	}
	alphabets := len(vectors(t, "alphabet"))
	t.Logf("%3d alphabets, by package text", alphabets)
	b, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Vectors []json.RawMessage }
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	if t.Logf("%d of the %d vectors in %s are checked", checked+alphabets, len(all.Vectors), vectorFile); checked+alphabets < len(all.Vectors) {
		t.Errorf("%d vectors are not checked", len(all.Vectors)-checked-alphabets)
	}
}

func vectorPDUs(t *testing.T) (checked int) {
	for _, v := range vectors(t, "pdu") {
		if v.Strict != "" {
			continue // vectorDefects
		}
		t.Run(v.ID, func(t *testing.T) { checkVectorPDU(t, &v) })
		checked++
	}
	return checked
}

func checkVectorPDU(t *testing.T, v *vector) {
	p := v.octets(t)
	if n, st := Frame(p, 1<<16); n != len(p) || st != ROK {
		t.Fatalf("Frame = %d %v, want %d", n, st, len(p))
	}
	d, st := Decode(p)
	if v.Command == "unknown" {
		if st != RInvCmdID || d.Command.Known() {
			t.Fatalf("unknown command: %v %v", d.Command, st)
		}
		checkHeader(t, v, d)
		return
	}
	if st != ROK {
		t.Fatalf("Decode: %v", st)
	}
	if d.Command.String() != v.Command || !d.Command.Known() {
		t.Errorf("command %v, want %s", d.Command, v.Command)
	}
	checkHeader(t, v, d)
	got := flatten(d)
	for name, want := range v.Fields {
		if have, ok := got[name]; ok && fmt.Sprint(have) != fmt.Sprint(want) {
			t.Errorf("%s = %v, want %v", name, have, want)
		} else if !ok && !headerField(name) {
			t.Errorf("%s is missing, want %v", name, want)
		}
	}
	for name := range got {
		if _, ok := v.Fields[name]; !ok {
			t.Errorf("%s = %v, and the vector has none", name, got[name])
		}
	}
	if back := d.Append(nil); !bytes.Equal(back, p) {
		t.Errorf("written back:\n%x, was\n%x", back, p)
	}
	if d.Command == SubmitSM || d.Command == DeliverSM || d.Command == DataSM {
		checkView(t, d, p, v.ID)
	}
}

func headerField(name string) bool {
	return strings.HasPrefix(name, "command") || name == "sequence_number"
}

func checkHeader(t *testing.T, v *vector, d *PDU) {
	t.Helper()
	want := fmt.Sprintf("%v %v %v %v", v.Fields["command_length"], v.Fields["command_id"], v.Fields["command_status"], v.Fields["sequence_number"])
	number := func(u uint32) any { return float64(u) }
	have := fmt.Sprintf("%v 0x%08x %v %v", number(d.Length), uint32(d.Command), number(uint32(d.Status)), number(d.Sequence))
	if have != want {
		t.Errorf("header %s, want %s", have, want)
	}
}

// flatten is d in the shape of a vector's fields.
func flatten(d *PDU) map[string]any {
	m := map[string]any{}
	for _, f := range d.Fields {
		switch f.Name {
		case "short_message":
			m["sm_length"], m["short_message_hex"] = float64(f.Number), hex.EncodeToString(f.Octets)
		case "dest_address":
			list := []any{}
			for _, to := range d.Dests {
				if to.List {
					list = append(list, map[string]any{"dl_name": string(to.Name)})
				} else {
					list = append(list, map[string]any{"ton": to.TON, "npi": to.NPI, "addr": string(to.Name)})
				}
			}
			m["dests"] = list
		case "unsuccess_sme":
			list := []any{}
			for _, u := range d.Failed {
				list = append(list, map[string]any{"ton": u.TON, "npi": u.NPI, "addr": string(u.Addr), "error": uint32(u.Status)})
			}
			m["unsuccess"] = list
		default:
			if f.Octets != nil {
				m[f.Name] = string(f.Octets)
			} else {
				m[f.Name] = f.Number
			}
		}
	}
	if len(d.TLVs) > 0 {
		m["tlvs"] = flattenTLVs(d.TLVs)
	}
	return m
}

func flattenTLVs(b []byte) []any {
	list := []any{}
	Walk(b, func(t Tag, v []byte) bool {
		e := map[string]any{"tag": fmt.Sprintf("0x%04x", uint16(t)), "name": "unknown", "value_hex": hex.EncodeToString(v)}
		if t.Known() {
			e["name"] = t.String()
		}
		list = append(list, e)
		return true
	})
	return list
}

// Values some suites made up that the specification rules out. The view is whole all the same.
var vectorValues = map[string]Status{"v044": RInvEsmClass, "v057": RInvEsmClass}

// checkView compares the lazy view with the field table.
func checkView(t *testing.T, d *PDU, p []byte, id string) {
	t.Helper()
	var m Message
	if st := m.Parse(p); st != vectorValues[id] {
		t.Errorf("Message.Parse: %v, want %v", st, vectorValues[id])
	}
	for name, have := range viewFields(&m) {
		want, f := "", d.Field(name)
		if want = strconv.Itoa(int(f.Number)); f.Octets != nil {
			want = string(f.Octets)
		}
		if f.Name != "" && have != want {
			t.Errorf("view: %s = %q, want %q", name, have, want)
		}
	}
	if !bytes.Equal(m.TLVs(), d.TLVs) {
		t.Errorf("view: TLVs %x, want %x", m.TLVs(), d.TLVs)
	}
}

func viewFields(m *Message) map[string]string {
	n := func(v uint8) string { return strconv.Itoa(int(v)) }
	return map[string]string{
		"service_type": string(m.ServiceType()), "source_addr": string(m.SrcAddr()), "destination_addr": string(m.DstAddr()),
		"source_addr_ton": n(m.SrcTON()), "source_addr_npi": n(m.SrcNPI()), "dest_addr_ton": n(m.DstTON()), "dest_addr_npi": n(m.DstNPI()),
		"esm_class": n(m.ESMClass()), "protocol_id": n(m.ProtocolID()), "priority_flag": n(m.Priority()),
		"schedule_delivery_time": string(m.Schedule()), "validity_period": string(m.Validity()),
		"registered_delivery": n(m.RegisteredDelivery()), "replace_if_present_flag": n(m.ReplaceIfPresent()),
		"data_coding": n(m.DataCoding()), "sm_default_msg_id": n(m.DefaultMsgID()), "short_message": string(m.ShortMessage()),
	}
}

// The vectors a strict decoder refuses, with what this one makes of each.
func vectorDefects(t *testing.T) (checked int) {
	type want struct {
		frame  int
		lost   bool // command_length is impossible
		decode Status
	}
	table := map[string]want{
		"v000": {},                                  // less than a header: wait
		"v003": {frame: 17, decode: RInvCmdID},      // an unknown command, then an enquire_link
		"v004": {lost: true},                        // 4 GB announced
		"v008": {frame: 16},                         // one PDU and most of another
		"v012": {frame: 17, decode: RInvMsgLen},     // message_id without NUL
		"v024": {frame: 164, decode: RInvTLVStream}, // a receipt whose last TLV is too long
		"v029": {frame: 57, decode: RInvMsgLen},     // deliver_sm that ends early
		"v050": {frame: 17},                         // an octet too many
		"v051": {frame: 17},                         // ten octets too many
		"v067": {lost: true},                        // command_length 15
		"v068": {frame: 17, decode: RInvCmdLen},     // unbind with a body
		"v069": {frame: 28},                         // bind response cut inside its TLV: still a bind
		"v088": {lost: true},                        // command_length 15
	}
	for _, v := range vectors(t, "pdu") {
		if v.Strict == "" {
			continue
		}
		w, ok := table[v.ID]
		if !ok {
			t.Errorf("%s (%s) is not in the table", v.ID, v.Strict)
			continue
		}
		delete(table, v.ID)
		checked++
		p := v.octets(t)
		n, st := Frame(p, 70000)
		if n != w.frame || (st != ROK) != w.lost {
			t.Errorf("%s: Frame = %d %v, want %+v", v.ID, n, st, w)
			continue
		}
		if n > 0 {
			if _, st := Decode(p[:n]); st != w.decode {
				t.Errorf("%s: Decode = %v, want %v", v.ID, st, w.decode)
			}
		}
	}
	if len(table) > 0 {
		t.Errorf("not among the vectors: %v", table)
	}
	return checked
}

// A receipt with a damaged tail must still count (v024).
func TestVectorDamagedReceipt(t *testing.T) {
	for _, v := range vectors(t, "pdu") {
		if v.ID != "v024" {
			continue
		}
		var m Message
		var r Receipt
		if st := m.Parse(v.octets(t)); st != ROK {
			t.Fatalf("Parse: %v", st)
		}
		if !m.IsReceipt() || !ParseReceipt(&m, &r) || string(r.ID) != "0000003005" || r.State != StateDelivered {
			t.Errorf("receipt %q %v", r.ID, r.State)
		}
	}
}

func vectorTLVBlocks(t *testing.T) (checked int) {
	for _, v := range vectors(t, "tlv_block") {
		checked++
		b, n := v.octets(t), 0
		Walk(b, func(tag Tag, value []byte) bool {
			w := v.TLVs[n]
			if fmt.Sprintf("0x%04x", uint16(tag)) != w.Tag || tag.String() != w.Name || hex.EncodeToString(value) != w.Value {
				t.Errorf("%s: TLV %d is %v %x, want %+v", v.ID, n, tag, value, w)
			}
			n++
			return true
		})
		if n != len(v.TLVs) {
			t.Errorf("%s: %d TLVs, want %d", v.ID, n, len(v.TLVs))
		}
	}
	return checked
}

func vectorReceiptTexts(t *testing.T) (checked int) {
	for _, v := range vectors(t, "receipt_text") {
		checked++
		var r Receipt
		whole := ParseReceiptText(v.octets(t), &r)
		if _, hasID := v.Fields["id"]; whole != hasID {
			t.Errorf("%s: a receipt: %v, want %v", v.ID, whole, hasID)
		}
		count := func(n int) string {
			if n < 0 {
				return ""
			}
			return fmt.Sprintf("%03d", n)
		}
		for name, have := range map[string]string{"id": string(r.ID), "sub": count(r.Sub), "dlvrd": count(r.Dlvrd),
			"stat": string(r.Stat), "err": string(r.Err), "text": string(r.Text)} {
			want, _ := v.Fields[name].(string)
			if have != want {
				t.Errorf("%s: %s = %q, want %q", v.ID, name, have, want)
			}
		}
		for name, have := range map[string]int64{"submit_date": r.SubmitDate, "done_date": r.DoneDate} {
			want, _ := v.Fields[name].(string)
			if want == "7001010000" {
				want = zeroDate // the epoch itself is "not told"
			}
			if s := string(appendReceiptDate(nil, have)); s != want {
				t.Errorf("%s: %s = %s, want %s", v.ID, name, s, want)
			}
		}
	}
	return checked
}
