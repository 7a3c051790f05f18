package dataplane

import (
	"fmt"

	"smsplane/ledger/journal"
)

// formed refuses a node file whose lane count is not the one that the store was formed with: accounts and ids name
// their lane for ever. A store is formed once lane 0 has been folded; every lane has been led by then.
func (n *Node) formed() error {
	lanes, err := n.db.Lanes()
	if err != nil {
		return err
	}
	fold, err := n.db.Get(journal.Key(journal.Fold, 0))
	if err != nil {
		return err
	}
	if fold != nil && len(lanes) != n.cfg.Lanes {
		return fmt.Errorf("%s: lanes: %d, but the store in %s was formed with %d; the number is fixed, set it back", n.cfg.File, n.cfg.Lanes, n.cfg.Data, len(lanes))
	}
	return nil
}
