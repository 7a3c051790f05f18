package catalog

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"smsplane/ledger/catalog/document"
	"smsplane/pdu"
	"smsplane/pdu/profile"
	"smsplane/pdu/text"
)

// The words of profiles, in the order of the constants they stand for.
var (
	baseWords      = []string{"text", "decimal", "hex"}
	caseWords      = []string{"lower", "upper"}
	dialectWords   = []string{"both", "text", "tlvs"}
	dcs0Words      = []string{"gsm7", "gsm7packed", "ascii", "latin1", "utf8"}
	ucs2Words      = []string{"be", "le", "bom"}
	longWords      = []string{"as_is", "payload", "short", "always_payload", "udh8", "udh16", "sar"}
	partsWords     = []string{"as_is", "udh8", "udh16", "sar"}
	linkPartsWords = append(partsWords[:len(partsWords):len(partsWords)], "payload")
	clientIDs      = []string{"hex", "decimal", "upper_hex"}
	clientIDBases  = []profile.Base{profile.Text, profile.Decimal, profile.Hex}
	stateWords     = map[string]pdu.State{"ENROUTE": pdu.StateEnroute, "DELIVRD": pdu.StateDelivered, "EXPIRED": pdu.StateExpired,
		"DELETED": pdu.StateDeleted, "UNDELIV": pdu.StateUndeliverable, "ACCEPTD": pdu.StateAccepted, "UNKNOWN": pdu.StateUnknown,
		"REJECTD": pdu.StateRejected}
)

// choose reads one of the words into a constant that counts from 0.
func choose[T ~uint8](m *document.Map, key string, v *T, words []string) {
	if i := m.OneOf(key, words...); i >= 0 {
		*v = T(i)
	}
}

// linkProfile reads what a link does differently; nil when it says nothing.
func linkProfile(m *document.Map) *profile.Link {
	sub := m.Map("profile")
	if sub == nil {
		return nil
	}
	p := &profile.Link{}
	profileIDs(sub, &p.IDs)
	if r := sub.Map("receipts"); r != nil {
		choose(r, "read", &p.Receipts.From, dialectWords)
		for _, it := range r.Texts("esm_class") {
			if n, ok := octet(r, "esm_class", it); ok {
				p.Receipts.Classes = append(p.Receipts.Classes, n)
			}
		}
		if s := r.Map("states"); s != nil {
			for _, it := range s.Items() {
				state, ok := stateWords[it.Text]
				if !ok {
					s.FailAt(it.Line, "%s: %q is not a state such as DELIVRD, UNDELIV, EXPIRED", it.Key, it.Text)
				}
				p.Receipts.States = append(p.Receipts.States, profile.Word{Word: it.Key, State: state})
			}
			s.Close()
		}
		r.Close()
	}
	charsets(sub, &p.Text)
	for _, it := range sub.Texts("codings") {
		n, ok := octet(sub, "codings", it)
		if ok && n != 0 && n != 1 && n != 3 && n != 8 {
			sub.FailAt(it.Line, "codings: %d is not one of 0, 1, 3, 8", n)
		}
		p.Codings = append(p.Codings, n)
	}
	choose(sub, "long", &p.Long, longWords)
	choose(sub, "parts", &p.Parts, linkPartsWords)
	if p.Parts == profile.PartsPayload && p.Long >= profile.LongShort && p.Long != profile.LongAlways {
		sub.Fail("parts", "payload joins what long: %s cuts", longWords[p.Long])
	}
	if s := sub.Map("source"); s != nil {
		profileAddress(s, "name", &p.Source.Name)
		profileAddress(s, "short", &p.Source.Short)
		profileAddress(s, "number", &p.Source.Number)
		s.Close()
	}
	profileDest(sub, &p.Dest)
	profileTLVs(sub, &p.TLVs)
	sub.Close()
	return p
}

// clientProfile reads what a client does differently; nil when it says nothing.
func clientProfile(m *document.Map) *profile.Client {
	sub := m.Map("profile")
	if sub == nil {
		return nil
	}
	p := &profile.Client{Receipts: profile.Writing{ESMClass: pdu.ESMReceipt}}
	charsets(sub, &p.Text)
	choose(sub, "parts", &p.Joined, partsWords)
	if i := sub.OneOf("long", partsWords...); i > 0 {
		p.Long = [...]profile.Long{profile.LongAsIs, profile.LongUDH8, profile.LongUDH16, profile.LongSAR}[i]
	}
	if r := sub.Map("receipts"); r != nil {
		choose(r, "write", &p.Receipts.What, dialectWords)
		if s, ok := r.Text("esm_class"); ok {
			if n, ok := octet(r, "esm_class", document.Item{Text: s, Line: r.Line("esm_class")}); ok {
				p.Receipts.ESMClass = n
			}
		}
		if i := r.OneOf("id", clientIDs...); i >= 0 {
			p.Receipts.ID = clientIDBases[i]
		}
		r.Close()
	}
	if s := sub.Map("statuses"); s != nil {
		for _, it := range s.Items() {
			from, err := statusOf(it.Key)
			to, err2 := statusOf(it.Text)
			if err != nil || err2 != nil {
				s.FailAt(it.Line, "%s: %s: both must be a command_status other than 0", it.Key, it.Text)
				continue
			}
			p.Statuses = append(p.Statuses, profile.Status{From: from, To: to})
		}
		s.Close()
	}
	sub.Close()
	return p
}

// profileIDs reads how answers and receipts name messages; absent: it is learned.
func profileIDs(m *document.Map, v *profile.IDs) {
	sub := m.Map("ids")
	if sub == nil {
		return
	}
	sub.Need("answer", "receipt")
	v.Set = true
	choose(sub, "answer", &v.Answer, baseWords)
	choose(sub, "receipt", &v.Receipt, baseWords)
	if v.Answer != v.Receipt && (v.Answer == profile.Text || v.Receipt == profile.Text) {
		sub.Fail("receipt", "text is no number that could be written in another way; say decimal or hex on both")
	}
	if i := sub.OneOf("case", caseWords...); i >= 0 {
		v.Case = profile.Case(i + 1)
	}
	sub.Int("digits", &v.Digits, 2, profile.MaxDigits)
	name(sub, "receipt_prefix", &v.ReceiptPrefix)
	name(sub, "answer_prefix", &v.AnswerPrefix)
	sub.Close()
}

func charsets(m *document.Map, v *profile.Charsets) {
	if i := m.OneOf("dcs0", dcs0Words...); i >= 0 {
		v.DCS0 = text.Charset(i)
	}
	if i := m.OneOf("ucs2", ucs2Words...); i >= 0 {
		v.UCS2 = text.UTF16BE + text.Charset(i)
	}
}

// profileAddress reads a TON and an NPI.
func profileAddress(m *document.Map, key string, v *profile.Address) {
	sub := m.Map(key)
	if sub == nil {
		return
	}
	sub.Need("ton", "npi")
	tonNPI(sub, v)
	sub.Close()
}

func tonNPI(m *document.Map, v *profile.Address) {
	ton, npi := 0, 0
	m.Int("ton", &ton, 0, 255)
	m.Int("npi", &npi, 0, 255)
	*v = profile.Address{Set: true, TON: uint8(ton), NPI: uint8(npi)}
}

func profileDest(m *document.Map, v *profile.Dest) {
	sub := m.Map("destination")
	if sub == nil {
		return
	}
	if sub.Has("ton") || sub.Has("npi") {
		sub.Need("ton", "npi")
		tonNPI(sub, &v.Address)
	}
	if s, ok := sub.Text("prefix"); ok {
		if s != "+" && s != "00" {
			sub.Fail("prefix", `%q is neither "+" nor "00"`, s)
		}
		v.Prefix = s
	}
	sub.Close()
}

func profileTLVs(m *document.Map, v *profile.TLVs) {
	for _, it := range m.Texts("tlvs") {
		if it.Text == "all" {
			v.AllVendor = true
			continue
		}
		if t, ok := tag(m, "tlvs", it.Text, it.Line); ok {
			if !t.Vendor() {
				m.FailAt(it.Line, "tlvs: %s passes anyway; list tags from 0x1400 to 0x3FFF, or all", it.Text)
			}
			v.Vendor = append(v.Vendor, t)
		}
	}
	for _, it := range m.Texts("drop_tlvs") {
		if t, ok := tag(m, "drop_tlvs", it.Text, it.Line); ok {
			v.Drop = append(v.Drop, t)
		}
	}
	if sub := m.Map("rename_tlvs"); sub != nil {
		for _, it := range sub.Items() {
			from, ok := tag(sub, "rename_tlvs", it.Key, it.Line)
			to, ok2 := tag(sub, "rename_tlvs", it.Text, it.Line)
			if ok && ok2 {
				v.Rename = append(v.Rename, profile.Renamed{From: from, To: to})
			}
		}
		sub.Close()
	}
	if sub := m.Map("add_tlvs"); sub != nil {
		for _, it := range sub.Items() {
			t, ok := tag(sub, "add_tlvs", it.Key, it.Line)
			value := []byte(it.Text)
			if digits, isHex := strings.CutPrefix(it.Text, "0x"); isHex {
				var err error
				if value, err = hex.DecodeString(digits); err != nil {
					sub.FailAt(it.Line, "%s: %q is not octets in hex", it.Key, it.Text)
				}
			}
			if ok && len(value) <= 255 {
				v.Add = pdu.AppendTLV(v.Add, t, value)
			} else if ok {
				sub.FailAt(it.Line, "%s: longer than 255 octets", it.Key)
			}
		}
		s := pdu.Submit{Src: []byte("1"), Dst: []byte("1"), TLVs: v.Add}
		var view pdu.Message
		if st := view.Parse(s.Append(nil, 1)); st != pdu.ROK {
			sub.FailAt(m.Line("add_tlvs"), "a message with these is malformed: %v", st)
		}
		sub.Close()
	}
}

// tag reads a TLV's number; message_payload is the text and not to be named here.
func tag(m *document.Map, key, s string, line int) (pdu.Tag, bool) {
	n, err := strconv.ParseUint(s, 0, 16)
	if err != nil || n == 0 || pdu.Tag(n) == pdu.TagMessagePayload {
		m.FailAt(line, "%s: %q is not the number of a TLV such as 0x1400", key, s)
		return 0, false
	}
	return pdu.Tag(n), true
}

func octet(m *document.Map, key string, it document.Item) (uint8, bool) {
	n, err := strconv.ParseUint(it.Text, 0, 8)
	if err != nil {
		m.FailAt(it.Line, "%s: %q is not a number from 0 to 255", key, it.Text)
	}
	return uint8(n), err == nil
}

// profileText writes a profile for comparisons; empty for none.
func profileText[T any](p *T) string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("%+v", *p)
}
