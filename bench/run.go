package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"smsplane/bench/peer"
	"smsplane/dataplane/admin"
)

// Suite is what every suite's result can do.
type Suite interface {
	Print(w io.Writer)
	Wrong() []string // every promise broken; empty when none was
}

// run is one client's load on a stand, under way.
type run struct {
	s      *stand
	client *peer.Client
	load   peer.Load
	before admin.Books
	cancel context.CancelFunc
	done   chan error
	ended  bool // told to end early
}

// Work is the account of one run: what it did, and a digest of it.
type Work struct {
	Messages int64   `json:"messages"`
	Accepted int64   `json:"accepted"`
	Arrived  int64   `json:"arrived"`
	Lost     int64   `json:"lost"`
	Twice    int64   `json:"duplicated"`
	Receipts int64   `json:"receipts"`
	Seconds  float64 `json:"seconds"`
	TPS      float64 `json:"tps"`
	Digest   string  `json:"digest"`
}

// offer binds a client of account i and starts its load.
func (s *stand) offer(ctx context.Context, i, binds, window int, l peer.Load) (*run, error) {
	st, err := s.node.Status(ctx)
	if err != nil {
		return nil, err
	}
	c, err := s.client(ctx, i, binds, window)
	if err != nil {
		return nil, err
	}
	if l.To == "" {
		l.To = livePrefix + "10"
	}
	l.Receipts = s.o.Receipts
	ctx, cancel := context.WithCancel(ctx)
	r := &run{s: s, client: c, load: l, before: st.Books, cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- c.Run(ctx, l) }()
	return r, nil
}

// stop sends nothing new; what is unanswered then is waited for by account, on the carriers' side.
func (r *run) stop() {
	r.ended = true
	r.client.Halt()
}

// wait returns when the client's run is over.
func (r *run) wait(ctx context.Context) error {
	defer r.cancel()
	select {
	case err := <-r.done:
		return err
	case <-r.s.appliance.gone:
		return r.s.appliance.death()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// digestOf is the digest of several runs, in order.
func digestOf(runs []Work) string {
	h := xxhash.New()
	for i := range runs {
		h.WriteString(runs[i].Digest)
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

func (o *Origin) print(w io.Writer) {
	fmt.Fprintf(w, "%s   commit %s   %d × %s   %s\n", o.Suite, o.Commit, o.Machine.Cores, o.Machine.CPU, o.When.Format(time.DateTime))
}

func printWork(w io.Writer, runs []Work, digest string) {
	var sum Work
	for _, r := range runs {
		sum.Accepted, sum.Arrived = sum.Accepted+r.Accepted, sum.Arrived+r.Arrived
		sum.Lost, sum.Twice, sum.Receipts = sum.Lost+r.Lost, sum.Twice+r.Twice, sum.Receipts+r.Receipts
	}
	fmt.Fprintf(w, "  accepted %s   arrived %s   receipts %s   lost %s   duplicated %s   digest %s\n", number(sum.Accepted), number(sum.Arrived),
		number(sum.Receipts), number(sum.Lost), number(sum.Twice), digest)
}

func printFile(w io.Writer, file string) {
	if file != "" {
		fmt.Fprintf(w, "  written to %s\n", file)
	}
}

// saved writes a result when a folder is named.
func saved[T any](dir string, o Origin, result T) (string, error) {
	if dir == "" {
		return "", nil
	}
	return save(dir, o, result)
}

// savedWithPicture writes a picture beside the result.
func savedWithPicture[T any](dir string, o Origin, result T, draw func() []byte) (file, picture string, err error) {
	if file, err = saved(dir, o, result); err != nil || file == "" {
		return file, "", err
	}
	picture = strings.TrimSuffix(file, ".json") + ".svg"
	return file, picture, os.WriteFile(picture, draw(), 0o644)
}
