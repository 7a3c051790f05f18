package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"smsplane/ledger/catalog/document"
)

// Read collects the tables of a catalog folder and the files that password_file and tls name in them, relative
// to the folder. Keys are names relative to the folder, such files as they are written. What is missing is
// left out: Parse says so, with the line that asks for it.
func Read(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read catalog: %w", err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if !e.IsDir() && tableLike(e.Name()) {
			if err := readInto(files, dir, e.Name()); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range namedFiles(files) {
		if err := readInto(files, dir, name); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func readInto(files map[string][]byte, dir, name string) error {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, filepath.FromSlash(name))
	}
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("read catalog: %w", err)
	}
	files[name] = b
	return nil
}

// namedFiles lists what password_file and a link's tls name. Mistakes are Parse's to report.
func namedFiles(files map[string][]byte) []string {
	var ignored document.Report
	var names []string
	take := func(m *document.Map, keys ...string) {
		for _, key := range keys {
			if s, ok := m.Text(key); ok {
				names = append(names, s)
			}
		}
	}
	if top := document.Open(ClientsFile, files[ClientsFile], &ignored); top != nil {
		for _, m := range top.Maps("clients") {
			take(m, "password_file")
			if o := m.Map("outbind"); o != nil {
				take(o, "password_file")
				if t := o.Map("tls"); t != nil {
					take(t, tlsFiles...)
				}
			}
		}
	}
	if top := document.Open(CarriersFile, files[CarriersFile], &ignored); top != nil {
		for _, m := range top.Maps("carriers") {
			for _, l := range m.Maps("links") {
				take(l, "password_file")
				if o := l.Map("outbind"); o != nil {
					take(o, "password_file")
				}
				if t := l.Map("tls"); t != nil {
					take(t, tlsFiles...)
				}
			}
		}
	}
	return names
}
