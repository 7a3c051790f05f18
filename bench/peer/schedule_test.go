package peer

import "testing"

// A firm schedule offers its rate and no more, whoever comes again; a loose one offers repeats besides.
func TestFirmScheduleCountsRepeats(t *testing.T) {
	for _, firm := range []bool{true, false} {
		const ms = int64(1e6)
		s := &schedule{start: 1, count: 1 << 20, gap: 1e6, firm: firm} // one a millisecond
		sent, again := 0, 0
		for i := range int64(1000) {
			now := 1 + i*ms
			for _, d := range s.take(now, batch, nil) {
				if sent++; d.at > now {
					t.Fatalf("firm %v: message %d goes out %d ns before it is due", firm, d.index, d.at-now)
				}
				if sent%2 == 0 { // half is throttled
					again++
					s.retry([]uint32{d.index}, now+10*ms)
				}
			}
		}
		if firm && sent != 1000 {
			t.Errorf("firm: %d sent in 1000 ms", sent)
		}
		if !firm && (sent <= 1500 || s.next.Load() != 1000) {
			t.Errorf("loose: %d sent, %d of them new", sent, s.next.Load())
		}
	}
}
