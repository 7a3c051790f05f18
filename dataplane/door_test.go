package dataplane

import (
	"context"
	"testing"
	"time"

	"smsplane/dataplane/config"
)

// Who was told to close the doors, and is overtaken by who was told later to open them, does not have the last word.
func TestDoorsAreAsWasSaidLast(t *testing.T) {
	n := newTestNode(t)
	d := &doors{cfg: &config.SMPP{Listen: []string{"127.0.0.1:0"}}, log: testLog, lobby: n.lobby, fail: func(err error) { t.Error(err) }}
	defer d.end()
	opened := make(chan error, 1)
	if _, err := d.heed(func() bool {
		later := make(chan struct{})
		go func() {
			_, err := d.heed(func() bool { return true })
			close(later)
			opened <- err
		}()
		long, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		select {
		case <-later:
		case <-long.Done(): // it waits for us
		}
		return false
	}); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	open := len(d.open)
	d.mu.Unlock()
	if open != 1 {
		t.Errorf("%d addresses are listened on, though that was said last", open)
	}
}
