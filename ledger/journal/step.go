package journal

// Step does the appender's work in a Stepped store: it commits at most n of the queued requests, unsynced,
// as one batch, and returns how many there were.
func (d *DB) Step(n int) int {
	items := d.queue.cut(n)
	d.writer.write(items)
	return len(items)
}

// Sync does the syncer's work in a Stepped store: one round for all that was committed. It returns how many
// Dones it ran.
func (d *DB) Sync() int {
	dones := d.pending.all()
	if len(dones) > 0 {
		d.acknowledge(dones)
	}
	return len(dones)
}

// Trim makes the disk of a Stepped store follow what the lanes dropped, as Close does.
func (d *DB) Trim() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.logs {
		l.flushDrop()
	}
}

// Abandon closes a Stepped store as a process that is killed does: what is queued is forgotten.
func (d *DB) Abandon() error {
	d.queue.close()
	d.closing.Store(true)
	return d.p.Close()
}

func (d *DB) stepAll() {
	for d.Step(1<<30)+d.Sync() > 0 {
	}
}

// cut takes the oldest n requests without waiting for any.
func (q *queue) cut(n int) []request {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = min(n, len(q.items))
	items := append([]request(nil), q.items[:n]...)
	for i := range items {
		q.bytes -= items[i].size
	}
	q.items = append(q.items[:0], q.items[n:]...)
	return items
}

// all takes every Done that waits for a sync.
func (p *pending) all() []func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	dones := p.dones
	p.dones = nil
	return dones
}
