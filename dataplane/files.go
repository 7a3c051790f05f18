package dataplane

import (
	"fmt"

	"smsplane/dataplane/config"
	"smsplane/ledger/journal"
)

// Clients must not take the last files that the process may open: a store that cannot begin another log ends it, and whoever may
// connect could see to that. So what may be open is dealt out at the start, and the gate lets in no more than there is for it.
//
//	|--- store: a quarter ---|- an eighth: links, listeners, other hosts, operators -|------- clients -------|

// fewestOpen is with how few files a node starts at all.
const fewestOpen = 256

// Bounds of what is kept for links, listeners, other hosts and operators.
const (
	fewestOthers = 64
	mostOthers   = 1024
)

// openFiles is how many files the process may have open.
func openFiles() (int, error) {
	limit, err := journal.FileLimit()
	if err == nil && limit < fewestOpen {
		err = fmt.Errorf("the process may open %d files (ulimit -n, LimitNOFILE), and needs %d at least, one more for each bind", limit, fewestOpen)
	}
	return limit, err
}

// connections is how many connections of clients there are files for. One that is carried to another host takes two.
func connections(limit int, c *config.Cluster) int {
	left := limit - journal.OpenFiles(limit) - min(max(limit/8, fewestOthers), mostOthers)
	if c != nil && c.Relay {
		left /= 2
	}
	return left
}

// maxConnections is what the node file says, or as many as there are files for.
func (n *Node) maxConnections() (int, error) {
	limit, err := openFiles()
	if err != nil {
		return 0, err
	}
	want, there := n.cfg.SMPP.MaxConnections, connections(limit, n.cfg.Cluster)
	if want > there {
		n.log.Warn("fewer connections are let in than the node file says: the process may open too few files (ulimit -n, LimitNOFILE)",
			"max_connections", want, "let_in", there, "files", limit)
	}
	return min(want, there), nil
}
