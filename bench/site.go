package bench

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"syscall"

	"github.com/goccy/go-yaml"

	"smsplane/dataplane/config"
	"smsplane/ledger/catalog"
)

// site is what the demo must know of the folder it runs: read from the files, so that they may be edited.
type site struct {
	dir, config, catalog string
	smpp, admin          string // addresses
	clientID             string
	client               login
	window               int // the client's, per bind
	carriers             []carrierSite
	sessions             int // binds the appliance keeps to all of them
}

type login struct{ systemID, password string }

// carrierSite is one address to play a carrier at.
type carrierSite struct {
	id, address string
	login       login
}

// readSite reads node file and catalog of dir. The first client whose password is in plain text is the one to play.
func readSite(dir string) (*site, error) {
	s := &site{dir: dir, config: filepath.Join(dir, "smsplane.yaml")}
	node, err := config.Load(s.config)
	if err != nil {
		return nil, err
	}
	s.smpp, s.admin, s.catalog = node.SMPP.Listen[0], node.Admin.Listen, node.Catalog
	files, err := catalog.Read(node.Catalog)
	if err != nil {
		return nil, err
	}
	c, err := catalog.Parse(files)
	if err != nil {
		return nil, err
	}
	if err := s.chooseClient(c, files[catalog.ClientsFile]); err != nil {
		return nil, err
	}
	for i := range c.Carriers {
		for _, l := range c.Carriers[i].Links {
			s.sessions += l.Sessions
			for _, a := range l.Addresses {
				s.carriers = append(s.carriers, carrierSite{c.Carriers[i].ID, a, login{l.SystemID, l.Password}})
			}
		}
	}
	return s, nil
}

// chooseClient needs the password as written, which a Catalog does not give away.
func (s *site) chooseClient(c *catalog.Catalog, file []byte) error {
	var said struct {
		Clients []struct {
			ID       string `yaml:"id"`
			Password string `yaml:"password"`
		} `yaml:"clients"`
	}
	if err := yaml.Unmarshal(file, &said); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(s.catalog, catalog.ClientsFile), err)
	}
	for i, y := range said.Clients {
		if y.Password != "" && i < len(c.Clients) && c.Clients[i].ID == y.ID {
			s.clientID, s.client, s.window = y.ID, login{c.Clients[i].SystemID, y.Password}, c.Clients[i].Window
			return nil
		}
	}
	return fmt.Errorf("%s: no client has a plain password, so the demo cannot bind as one", filepath.Join(s.catalog, catalog.ClientsFile))
}

// free checks that every address the demo needs can be listened on.
func (s *site) free() error {
	var taken []error
	check := func(what, address string) {
		ln, err := net.Listen("tcp", address)
		if errors.Is(err, syscall.EADDRINUSE) {
			err = errors.New("another process listens there; stop it, or change the address in " + s.dir)
		}
		if err != nil {
			taken = append(taken, fmt.Errorf("%s at %s: %w", what, address, err))
			return
		}
		ln.Close()
	}
	check("clients are to bind", s.smpp)
	check("the operator is to ask", s.admin)
	for _, c := range s.carriers {
		check("carrier "+c.id, c.address)
	}
	return errors.Join(taken...)
}
