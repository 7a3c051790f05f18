package dataplane

// post runs f on the executor, soon. call waits until it has run; it reports false when the executor is gone.
func (x *executor) post(f func()) {
	x.mu.Lock()
	x.calls = append(x.calls, f)
	x.queued.Store(int32(len(x.calls)))
	x.mu.Unlock()
	x.bell.Ring()
}

func (x *executor) call(f func()) bool {
	if x.stepped {
		f()
		return true
	}
	ran := make(chan struct{})
	x.post(func() { f(); close(ran) })
	select {
	case <-ran:
		return true
	case <-x.done:
		return false
	}
}

func (x *executor) runCalls() int {
	if x.queued.Load() == 0 {
		return 0
	}
	x.mu.Lock()
	calls := x.calls
	x.calls = nil
	x.queued.Store(0)
	x.mu.Unlock()
	for _, f := range calls {
		f()
	}
	return len(calls)
}
