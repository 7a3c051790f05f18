package dataplane

import (
	"testing"

	"smsplane/dataplane/config"
	"smsplane/ledger/journal"
)

// What the process may open is dealt out whole, the store's part first; a client that is carried to another host takes two files.
func TestFilesAreDealtOut(t *testing.T) {
	for _, c := range []struct {
		limit, store, clients, relayed int
	}{
		{fewestOpen, 74, 118, 59},
		{1024, 256, 640, 320},
		{4096, 1000, 2584, 1292},
		{20_000, 1000, 17_976, 8_988},
		{1 << 20, 1000, 1<<20 - 2024, (1<<20 - 2024) / 2},
	} {
		store, clients, relayed := journal.OpenFiles(c.limit), connections(c.limit, nil), connections(c.limit, &config.Cluster{Relay: true})
		if store != c.store || clients != c.clients || relayed != c.relayed || connections(c.limit, &config.Cluster{}) != clients {
			t.Errorf("of %d files: %d for the store, %d for clients, %d where they are relayed; want %+v", c.limit, store, clients, relayed, c)
		}
	}
}
