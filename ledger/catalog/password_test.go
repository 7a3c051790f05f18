package catalog

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"smsplane/ledger"
)

func TestPasswords(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("meter"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	filed := with(t, ClientsFile, "password: meter", "password_file: secrets/meter")
	filed["secrets/meter"] = []byte("meter\r\n")
	for name, files := range map[string]map[string][]byte{
		"plain": contract(t), "file": filed, "hash": with(t, ClientsFile, "password: meter", "password_hash: "+string(hash)),
	} {
		c := parse(t, files).Clients[0]
		for _, p := range []string{"", "mete", "meter1", "METER", "meter\n", string(hash)} {
			if c.CheckPassword(p) {
				t.Errorf("%s: %q passes", name, p)
			}
		}
		if !c.CheckPassword("meter") {
			t.Errorf("%s: the password does not pass", name)
		}
	}
	one, same := parse(t, contract(t)).Clients[0], parse(t, contract(t)).Clients[0]
	other, hashed := parse(t, with(t, ClientsFile, "password: meter", "password: metre")).Clients[0], parse(t, with(t, ClientsFile, "password: meter",
		"password_hash: "+string(hash))).Clients[0]
	if !one.SameLogin(&same) || one.SameLogin(&other) || one.SameLogin(&hashed) {
		t.Error("SameLogin does not tell a password from another")
	}
	var nobody Client
	if nobody.CheckPassword("") {
		t.Error("a client without a password lets the empty one in")
	}
}

func TestPasswordFiles(t *testing.T) {
	dir := t.TempDir()
	for name, b := range with(t, ClientsFile, "password: meter", "password_file: secrets/meter") {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = Parse(files); err == nil || !strings.Contains(err.Error(), "clients.yaml:5: client \"meter\": password_file: there is no file secrets/meter") {
		t.Errorf("missing password file: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secrets/meter"), []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if files, err = Read(dir); err != nil {
		t.Fatal(err)
	}
	// What travels in a CATALOG record is enough to parse again.
	packed, err := ledger.DecodeFiles(ledger.EncodeFiles(files))
	if err != nil || !maps.EqualFunc(packed, files, func(a, b []byte) bool { return string(a) == string(b) }) {
		t.Fatalf("files changed on the way: %v", err)
	}
	if c := parse(t, packed).Clients[0]; !c.CheckPassword("from a file") {
		t.Error("the password of the file does not pass")
	}
}
