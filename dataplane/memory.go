package dataplane

import (
	"fmt"
	"os"
	"time"

	"smsplane/dataplane/config"
	"smsplane/ledger/book"
	"smsplane/pdu"
)

// All messages in memory together have a bound, x.maxLive. What waits for a carrier leaves memory long before (spill.go); what a
// carrier has taken, and what waits for its client to take it, cannot. Both last for days when a carrier sends no receipts or a
// client keeps no receiver bind, so both end where the bound is:
//
//	|- wait for their client: a quarter -|--------- all else: with carriers, and the heads of queues ---------|
//
// Nobody may have more of either than is left of it for all, so one who uses up all he can leaves half to the others. Above
// that a client's new messages are refused with ESME_RMSGQFUL; the oldest receipt that waits for it is given up for each that comes,
// by record, before receipt_keep; and messages from carriers for it are refused with ESME_RMSGQFUL. What was given up has its EDR,
// and can be given again (replay.go). At the bound itself queues on disk stay there.

// parkedShare is the part of maxLive that may wait for clients.
const parkedShare = 4

// mostMemory is how many octets messages in memory may take: what the node file says, or half of the host's memory, and at least
// twice what queues may.
func mostMemory(cfg *config.Node, host int64) int64 {
	if cfg.MemoryMax > 0 {
		return cfg.MemoryMax
	}
	return max(host/2, 2*cfg.Memory)
}

// hostMemory is the host's memory in octets; 4 GiB where the kernel does not tell (proc(5), MemTotal).
func hostMemory() int64 {
	var kib int64
	if f, err := os.ReadFile("/proc/meminfo"); err == nil {
		if _, err = fmt.Sscanf(string(f), "MemTotal: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	return 4 << 30
}

// parked is how many receipts and messages from carriers wait for their clients, over all lanes.
func (x *executor) parked() (n int) {
	for _, l := range x.lanes {
		n += l.book.Parked
	}
	return n
}

// waiting is how many of them stand in the client's lists.
func (r *returns) waiting() int { return r.fresh.Len() + r.backlog.Len() + r.aside.Len() }

// crowds says that as much waits for a client as there is room left for.
func (x *executor) crowds(r *returns) bool {
	n := r.waiting()
	return n > 0 && n+x.parked() > x.maxLive/parkedShare
}

// mayPark says whether a message from a carrier may wait for an account whose lane is led here.
func (l *lane) mayPark(account uint32) bool {
	r := l.returns[account]
	return r == nil || !l.x.crowds(r)
}

// makeRoom gives up the oldest receipt that waits for a client when too many do: what the client refused first, and m, that came
// last, when only messages from carriers are older.
func (l *lane) makeRoom(r *returns, m *book.Msg, now int64) {
	if !l.x.crowds(r) {
		return
	}
	for _, old := range [...]*book.Msg{l.book.Front(&r.aside), l.book.Front(&r.backlog), l.book.Front(&r.fresh), m} {
		if old == nil || fromPhone(old) || old.Phase != phaseAside && old.Phase != phaseBacklog && old.Phase != phaseReturning {
			continue
		}
		l.unlist(old)
		l.release(old, 0, pdu.RMsgQFul, now)
		l.x.counts.givenUp++
		if r.givenUp++; now >= r.tellAt {
			l.x.log.Warn("receipts are given up, the oldest first: too many wait for a client that does not take them", "client", l.x.clientName(r.account),
				"given_up", r.givenUp, "waiting", r.waiting())
			r.givenUp, r.tellAt = 0, now+int64(time.Minute)
		}
		return
	}
}

// fromPhone says that it is a message which nobody but us has any more, not a receipt or notification that we wrote.
func fromPhone(m *book.Msg) bool { return m.MO && !m.Notice && m.Carrier != 0 }

// countLive tells the loops how many messages are in memory.
func (x *executor) countLive() { x.live.Store(int64(x.hot())) }

// tally is what a sweep that has begun found with carriers, by account, and what the one before found.
type tally struct{ now, before map[uint32]int64 }

// count is called for each message that a carrier has taken and no receipt has ended.
func (t *tally) count(account uint32) {
	if t.now == nil {
		t.now = map[uint32]int64{}
	}
	t.now[account]++
}

// tellAwaited lets the loops know what the sweep that is through has found.
func (l *lane) tellAwaited() {
	t := &l.awaited
	for n := range t.before {
		if a := l.x.accounts[n]; a != nil && t.now[n] == 0 {
			a.Awaited.Store(0)
		}
	}
	for n, k := range t.now {
		if a := l.x.accounts[n]; a != nil {
			a.Awaited.Store(k)
		}
	}
	t.before, t.now = t.now, nil
}

// refuseMobile answers a message from a carrier for which there is no room; the carrier keeps it.
func (x *executor) refuseMobile(reply *ack) {
	x.counts.mobileRefused++
	x.acknowledge(reply, pdu.RMsgQFul)
}
