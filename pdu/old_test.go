package pdu

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// old33 are the PDUs that only SMPP 3.3 has, written by hand after the tables, and their fields: no network analyser reads them.
var old33 = map[string]struct{ body, fields string }{
	"param_retrieve":       {"7365745f69647300", `param_name="set_ids"`},
	"param_retrieve_resp":  {"3135206f662031303000", `param_value="15 of 100"`},
	"query_last_msgs":      {"0101 34343737303000 05", `source_addr_ton=1 source_addr_npi=1 source_addr="447700" number_of_messages=5`},
	"query_last_msgs_resp": {"03 3141324200 3141324300 00", `message_ids=3 "1A2B" "1A2C" ""`},
	"query_msg_details":    {"3141324200 0101 34343737303000 a0", `message_id="1A2B" source_addr_ton=1 source_addr_npi=1 source_addr="447700" sm_length=160`},
	"query_msg_details_resp": {"564d4100 0500 4d7900 02 010101 34343737303000 02 6d696c7300 00 01 00 3030303030303030353030303030305200 01 00 02 4869" +
		" 3141324200 3236313132333132303130303030302b00 02 07",
		`service_type="VMA" source_addr_ton=5 source_addr_npi=0 source_addr="My" dest_address=2 1/1"447700" list"mils" protocol_id=0 priority_flag=1` +
			` schedule_delivery_time="" validity_period="000000005000000R" registered_delivery=1 data_coding=0 short_message="Hi" message_id="1A2B"` +
			` final_date="261123120100000+" message_state=2 error_code=7`},
}

func old33PDU(t testing.TB, name string) []byte {
	t.Helper()
	body, err := hex.DecodeString(strings.ReplaceAll(old33[name].body, " ", ""))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for c, n := range commandNames {
		if n == name {
			return Finish(append(AppendHeader(nil, c, ROK, 7), body...), 0)
		}
	}
	t.Fatalf("there is no %s", name)
	return nil
}

// What only 3.3 has is read field by field and written back octet for octet; cut anywhere it is refused, or has no body.
func TestCommandsOfOldVersion(t *testing.T) {
	for name, want := range old33 {
		p := old33PDU(t, name)
		d, st := Decode(p)
		if st != ROK || d.Command.Known() {
			t.Errorf("%s: %v, known %v", name, st, d.Command.Known())
		}
		var told []string
		for _, f := range d.Fields {
			switch {
			case f.Octets != nil:
				told = append(told, fmt.Sprintf("%s=%q", f.Name, f.Octets))
			default:
				told = append(told, fmt.Sprintf("%s=%d", f.Name, f.Number))
			}
			switch f.Name {
			case "message_ids":
				for _, id := range d.IDs {
					told = append(told, fmt.Sprintf("%q", id))
				}
			case "dest_address":
				for _, to := range d.Dests {
					if to.List {
						told = append(told, fmt.Sprintf("list%q", to.Name))
					} else {
						told = append(told, fmt.Sprintf("%d/%d%q", to.TON, to.NPI, to.Name))
					}
				}
			}
		}
		if got := strings.Join(told, " "); got != want.fields {
			t.Errorf("%s:\n%s, want\n%s", name, got, want.fields)
		}
		if back := d.Append(nil); !bytes.Equal(back, p) {
			t.Errorf("%s written back:\n%x, was\n%x", name, back, p)
		}
		for n := HeaderLen + 1; n < len(p); n++ {
			if _, st := Decode(Finish(bytes.Clone(p[:n]), 0)); st == ROK {
				t.Errorf("%s cut to %d octets is whole", name, n)
			}
		}
	}
}
