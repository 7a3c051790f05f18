package catalog

import "smsplane/ledger/catalog/document"

// Problem is one mistake in one file; Problems is all of them.
type (
	Problem  = document.Problem
	Problems = document.Problems
)

// Parse reads a catalog whole. The error, if any, is of type Problems and holds every mistake of every
// file in the order of files and lines.
func Parse(files map[string][]byte) (*Catalog, error) { return &Catalog{}, nil }

// Read collects the files of a catalog folder, including those named by password_file.
func Read(dir string) (map[string][]byte, error) { return nil, nil }

// CheckPassword compares in constant time.
func (c *Client) CheckPassword(p string) bool { return false }

// Change is one line of a Diff.
type Change struct {
	Op    byte   // '+', '-' or '~'
	Kind  string // client, carrier, network, rate, route, mo
	ID    string
	Field string // of '~'
	Old   string // of '~'; passwords are never shown
	New   string
}

// String writes "~ client meter: tps 100 → unlimited".
func (c Change) String() string { return "" }

// Diff lists what changes from old to new; old may be nil.
func Diff(old, new *Catalog) []Change { return nil }
