package peer

import "time"

// Everything a peer may hold. A carrier with c connections holds at most
// c × maxUnsent + maxParties × maxDeliveries × 160 octets + maxRuns × maxIndex × 4 octets, the last only as far as indices were seen.
const (
	maxPDU        = 70 << 10  // octets, room for the longest message_payload; a longer command_length ends the connection
	readSize      = 128 << 10 // octets per read
	maxUnsent     = 32 << 20  // octets of output per connection; the connection is ended beyond
	maxAnswers    = 1 << 16   // delayed answers per connection; ESME_RTHROTTLED beyond
	maxDeliveries = 1 << 20   // receipts and MO messages kept for one party; counted as dropped beyond
	maxParties    = 100       // system_ids a carrier serves; ESME_RBINDFAIL beyond
	maxRuns       = 64        // runs a tally knows; untagged beyond
	maxIndex      = 1 << 26   // messages of one run
	writeTimeout  = 30 * time.Second
	bindTimeout   = 10 * time.Second
)
