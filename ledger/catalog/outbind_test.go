package catalog

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
)

// withOutbind is the contract's catalog with an outbind of client meter and of carrier north's link.
func withOutbind(t *testing.T, client, link string) (*Catalog, error) {
	t.Helper()
	files := contract(t)
	files[ClientsFile] = bytes.Replace(files[ClientsFile], []byte("    billing:"), []byte(client+"    billing:"), 1)
	files[CarriersFile] = bytes.Replace(files[CarriersFile], []byte("        system_id: smsplane\n"), []byte("        system_id: smsplane\n"+link), 1)
	return Parse(files)
}

func TestOutbind(t *testing.T) {
	c, err := withOutbind(t, "    outbind: {address: [\"10.0.0.9:2775\", \"10.0.1.9:2775\"], password: ours}\n",
		"        outbind: {system_id: mc, password: theirs, allow: [10.1.0.0/16]}\n")
	if err != nil {
		t.Fatal(err)
	}
	call, called := c.Clients[0].Call, c.Carriers[0].Links[0].Called
	if call == nil || len(call.Addresses) != 2 || call.SystemID != "smsplane" || call.Password != "ours" {
		t.Errorf("%+v", call)
	}
	if called == nil || called.SystemID != "mc" || !called.CheckPassword("theirs") || called.CheckPassword("ours") ||
		!called.From(netip.MustParseAddr("10.1.2.3")) || called.From(netip.MustParseAddr("10.2.2.3")) {
		t.Errorf("%+v", called)
	}
	plain, _ := Parse(contract(t))
	var told strings.Builder
	for _, v := range Diff(plain, c) {
		told.WriteString(v.String() + "\n")
	}
	for _, want := range []string{"client meter: outbind.address none → 10.0.0.9:2775 10.0.1.9:2775", "outbind.password changed", "link 1 outbind.system_id none → mc", "link 1 outbind.allow none → 10.1.0.0/16"} {
		if !strings.Contains(told.String(), want) || strings.Contains(told.String(), "ours") || strings.Contains(told.String(), "theirs") {
			t.Errorf("the difference does not tell %q, or tells a secret:\n%s", want, told.String())
		}
	}
	for want, bad := range map[string][2]string{
		"address is missing":   {"    outbind: {password: ours}\n", ""},
		"password_hash":        {"    outbind: {address: \"10.0.0.9:2775\", password_hash: x}\n", ""},
		"system_id is missing": {"", "        outbind: {password: theirs}\n"},
		"is not a key here":    {"", "        outbind: {system_id: mc, password: theirs, address: \"10.0.0.9:2775\"}\n"},
	} {
		if _, err := withOutbind(t, bad[0], bad[1]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}
