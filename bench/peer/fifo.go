package peer

// fifo is a queue in one slice; a popped value's place is reused. One owner at a time.
type fifo[T any] struct {
	q    []T
	head int
}

func (f *fifo[T]) len() int { return len(f.q) - f.head }

func (f *fifo[T]) push(v T) {
	if f.head > 256 && f.head*2 > len(f.q) {
		f.q = f.q[:copy(f.q, f.q[f.head:])]
		f.head = 0
	}
	f.q = append(f.q, v)
}

// first is the oldest value; it is valid until the next call.
func (f *fifo[T]) first() *T { return &f.q[f.head] }

// at is the value behind i others.
func (f *fifo[T]) at(i int) *T { return &f.q[f.head+i] }

func (f *fifo[T]) drop() {
	if f.head++; f.head == len(f.q) {
		f.q, f.head = f.q[:0], 0
	}
}
