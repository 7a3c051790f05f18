package catalog

import (
	"bytes"
	"strings"
	"testing"
)

// withBroadcast is the contract's catalog with a broadcast key of client meter, and of carrier north's link a version.
func withBroadcast(t *testing.T, number, version string) (*Catalog, error) {
	t.Helper()
	files := contract(t)
	files[ClientsFile] = bytes.Replace(files[ClientsFile], []byte("    billing:"), []byte("    broadcast: "+number+"\n    billing:"), 1)
	files[CarriersFile] = bytes.Replace(files[CarriersFile], []byte("        system_id: smsplane\n"), []byte("        system_id: smsplane\n"+version), 1)
	return Parse(files)
}

func TestBroadcast(t *testing.T) {
	const five = "        version: \"5.0\"\n"
	c, err := withBroadcast(t, `"9990001"`, five)
	if err != nil {
		t.Fatal(err)
	}
	if have := c.Clients[0].Broadcast; have != "9990001" {
		t.Errorf("broadcasts as %q", have)
	}
	plain, _ := Parse(contract(t))
	var told strings.Builder
	for _, v := range Diff(plain, c) {
		told.WriteString(v.String() + "\n")
	}
	if !strings.Contains(told.String(), "client meter: broadcast none → 9990001") {
		t.Errorf("the difference is\n%s", told.String())
	}
	for _, bad := range [][2]string{{`"999"`, five}, {`"0990001"`, five}, {`"everywhere"`, five}, {`"9990001999000199"`, five}, {`""`, five}} {
		if _, err := withBroadcast(t, bad[0], bad[1]); err == nil || !strings.Contains(err.Error(), ClientsFile+":") || !strings.Contains(err.Error(), "broadcast") {
			t.Errorf("%s: %v", bad[0], err)
		}
	}
	for _, v := range []string{"", "        version: \"5.0\"\n        bind: receiver\n"} {
		if _, err := withBroadcast(t, `"9990001"`, v); err == nil || !strings.Contains(err.Error(), ClientsFile+":") || !strings.Contains(err.Error(), "version 5.0 that sends") {
			t.Errorf("link %q: %v", v, err)
		}
	}
}
