package peer

import (
	"sync"
	"time"
)

// delivery is a receipt or an MO message still to be sent or answered. It holds no pointers, so a million of them cost
// the collector nothing.
type delivery struct {
	due            int64  // not before, unix ns
	id             uint64 // of the message a receipt is for
	taken          int64  // unix ns
	src, dst       [21]byte
	text           [maxMOText]byte
	srcLen, dstLen uint8
	textLen        uint8
	srcTON, srcNPI uint8
	dstTON, dstNPI uint8
	mo, failing    bool
	form           idForm
}

// maxMOText is the longest MO text a carrier sends, in octets; a receipt quotes the first 20 of its message.
const maxMOText = 64

// mailbox holds what is to be delivered to one system_id. Any of its receiver binds may carry it: a client must not
// assume the bind that submitted. With one delay for all, the head is always due first.
type mailbox struct {
	mu    sync.Mutex
	q     fifo[delivery]
	conns []*carrierConn // bound as receiver or transceiver
	turn  int
	room  int // deliveries it may hold
}

// put queues all of ds and returns how many found no room.
func (m *mailbox) put(ds []delivery) (dropped int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range ds {
		if m.q.len() >= m.room {
			return len(ds) - i
		}
		m.q.push(ds[i])
	}
	return 0
}

// take moves up to n due deliveries to out; next is when the first one left is due, 0 when none is left.
func (m *mailbox) take(now int64, n int, out []delivery) (ds []delivery, next int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for ; n > 0 && m.q.len() > 0 && m.q.first().due <= now; n-- {
		out = append(out, *m.q.first())
		m.q.drop()
	}
	if m.q.len() > 0 {
		next = m.q.first().due
	}
	return out, next
}

func (m *mailbox) join(c *carrierConn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns = append(m.conns, c)
}

func (m *mailbox) leave(c *carrierConn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, o := range m.conns {
		if o == c {
			m.conns = append(m.conns[:i], m.conns[i+1:]...)
			return
		}
	}
}

// poke gives the next receiver a turn soon, for deliveries that the connection at hand cannot carry.
func (m *mailbox) poke(at int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.conns) > 0 && m.q.len() > 0 {
		m.turn++
		m.conns[m.turn%len(m.conns)].timer.Reset(time.Duration(max(at-clock(), 0)))
	}
}

func (m *mailbox) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.q.len()
}
