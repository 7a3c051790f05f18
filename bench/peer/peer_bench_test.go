package peer

import (
	"context"
	"fmt"
	"testing"
)

// What the peers themselves cost, client and carrier in one process with nothing between: the ceiling of every figure
// measured with them. One operation is one message with its receipt.
func BenchmarkOneToOne(b *testing.B)  { benchmarkDirect(b, 1) }
func BenchmarkFourToOne(b *testing.B) { benchmarkDirect(b, 4) }

func benchmarkDirect(b *testing.B, connections int) {
	b.ReportAllocs()
	digest, err := direct(b.Context(), connections, int64(b.N))
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d messages, digest %s", b.N, digest)
}

func direct(ctx context.Context, connections int, n int64) (digest string, err error) {
	carrier, err := StartCarrier(CarrierOptions{Listen: "127.0.0.1:0", Behaviour: Behaviour{Receipts: "asked"}})
	if err != nil {
		return "", err
	}
	defer carrier.Close()
	c, err := Dial(ctx, ClientOptions{Address: carrier.Addr(), SystemID: "bench", Connections: connections, Window: 1000})
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.Run(ctx, Load{Count: n, Receipts: true}); err != nil {
		return "", err
	}
	c.AwaitReceipts(ctx)
	r, a := c.Report(), c.Account(carrier.Tally())
	if p := Problems(&r, &a); p != nil {
		return "", fmt.Errorf("%v", p)
	}
	return a.Digest, nil
}

// The benchmarks at a tiny size, so that they cannot rot. The same work has the same digest over any number of binds.
func TestBenchmarksWork(t *testing.T) {
	one, err := direct(within(t), 1, 500)
	if err != nil {
		t.Fatal(err)
	}
	four, err := direct(within(t), 4, 500)
	if err != nil {
		t.Fatal(err)
	}
	fewer, err := direct(within(t), 1, 499)
	if err != nil {
		t.Fatal(err)
	}
	if one != four || one == fewer {
		t.Errorf("digests: %s over one bind, %s over four, %s of one message fewer", one, four, fewer)
	}
}
