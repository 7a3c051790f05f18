package codec

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"smsplane/pdu"
)

// npmSeen is what testdata/npm.js prints for one PDU.
type npmSeen struct {
	Command string
	Again   string            // written again, hex
	Fields  map[string]string // hex
	Error   string
}

// TestNpm: npm smpp decodes what we wrote, every field by its name, and writes the same octets.
func TestNpm(t *testing.T) {
	var all []sample
	var in strings.Builder
	for _, s := range samples(seed+2, perType) {
		all = append(all, s)
		in.WriteString(hex.EncodeToString(s.p) + "\n")
	}
	cmd := exec.Command("node", "testdata/npm.js", "../e2e/node/node_modules/smpp")
	cmd.Stdin = strings.NewReader(in.String())
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, errs.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(all) {
		t.Fatalf("%d lines for %d PDUs\n%s", len(lines), len(all), errs.String())
	}
	for i, s := range all {
		var seen npmSeen
		if err := json.Unmarshal([]byte(lines[i]), &seen); err != nil {
			t.Fatal(err)
		}
		if seen.Error != "" || seen.Command != s.d.Command.String() {
			t.Fatalf("%v: %+v", s, seen)
		}
		if s.d.Status == pdu.ROK && seen.Again != hex.EncodeToString(s.p) {
			t.Fatalf("npm smpp writes\n%s for\n%v", seen.Again, s)
		}
		for _, f := range s.d.Fields {
			if f.Name == "dest_address" || f.Name == "unsuccess_sme" || s.d.Status != pdu.ROK {
				continue // compared by what it writes again
			}
			if got := seen.Fields[f.Name]; got != hex.EncodeToString(plain(f)) {
				t.Fatalf("%v: %s is %s", s, f.Name, got)
			}
		}
	}
}
