package egress

import "time"

// Bucket paces to a rate. It is at most Depth deep, so no second ever sees more than rate + rate·Depth.
// The zero Bucket lets everything through.
type Bucket struct {
	rate   int64 // per second; 0 is unlimited
	every  int64 // ns a token takes
	burst  int64 // ns of credit at most
	credit int64 // ns
	last   int64
	dry    int64 // when the last token was taken
}

// NewBucket makes a bucket of rate tokens a second (0: unlimited) that is at most depth deep, and at least
// one token. It starts with one token.
func NewBucket(rate int, depth time.Duration) Bucket {
	if rate <= 0 {
		return Bucket{}
	}
	every := int64(time.Second) / int64(rate)
	return Bucket{rate: int64(rate), every: every, burst: max(int64(depth), every), credit: every}
}

// Take consumes a token if there is one.
func (b *Bucket) Take(now int64) bool {
	if b.rate == 0 {
		return true
	}
	b.fill(now)
	if b.credit < b.every {
		return false
	}
	b.spend(1, now)
	return true
}

func (b *Bucket) spend(n int, now int64) {
	if b.credit -= int64(n) * b.every; b.credit < b.every {
		b.dry = now
	}
}

// RanDry says that somebody took the last token less than d ago: the rate holds back whoever takes from the bucket.
func (b *Bucket) RanDry(now int64, d time.Duration) bool {
	return b.rate > 0 && b.dry != 0 && now-b.dry < int64(d)
}

// Owe consumes n tokens, whether they are there or not: there is none before those that were missing have come.
func (b *Bucket) Owe(n int, now int64) {
	if b.rate > 0 {
		b.fill(now)
		b.spend(n, now)
	}
}

func (b *Bucket) fill(now int64) {
	if b.last == 0 {
		b.last = now
	}
	if d := now - b.last; d > 0 {
		b.credit = min(b.credit+d, b.burst)
		b.last = now
	}
}

// Next is when the next token is due; now when there is one.
func (b *Bucket) Next(now int64) int64 {
	if b.rate == 0 {
		return now
	}
	b.fill(now)
	if b.credit >= b.every {
		return now
	}
	return now + b.every - b.credit
}

// NextAbove is when a token is due that leaves keep others in the bucket.
func (b *Bucket) NextAbove(keep int, now int64) int64 {
	if b.rate == 0 {
		return now
	}
	b.fill(now)
	return now + max(0, int64(keep+1)*b.every-b.credit)
}

// Whole is how many tokens are there; Depth how many there can be. A Bucket without a rate has no bound to either.
func (b *Bucket) Whole(now int64) int {
	if b.rate == 0 {
		return 1 << 30
	}
	b.fill(now)
	return int(b.credit / b.every)
}

// Depth is how many tokens the bucket holds when it is full.
func (b *Bucket) Depth() int {
	if b.rate == 0 {
		return 1 << 30
	}
	return int(b.burst / b.every)
}

// SetRate changes the rate from now on, keeping the time that was saved up; a fraction of a token per second counts.
func (b *Bucket) SetRate(rate float64, depth time.Duration, now int64) {
	if rate <= 0 {
		*b = Bucket{}
		return
	}
	if b.rate == 0 {
		b.credit, b.last = 0, now
	}
	b.fill(now)
	b.rate, b.every = max(1, int64(rate)), int64(float64(time.Second)/rate)
	b.burst = max(int64(depth), b.every)
	b.credit = min(b.credit, b.burst)
}

// Rate is the tokens per second, 0 for unlimited.
func (b *Bucket) Rate() int { return int(b.rate) }
