package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
)

func sampleBlock() []byte {
	b, n := OpenBlock(nil), 0
	for _, s := range samples() {
		b = s.append(b, 1, anyID, 5)
		n++
	}
	return SealBlock(b, 3, n, 77)
}

func TestBlockHeader(t *testing.T) {
	b := sampleBlock()
	if err := CheckBlock(b); err != nil {
		t.Fatal(err)
	}
	if BlockLane(b) != 3 || BlockRecords(b) != len(samples()) {
		t.Errorf("lane %d, %d records", BlockLane(b), BlockRecords(b))
	}
	empty := SealBlock(OpenBlock(nil), 65535, 0, -1)
	if err := CheckBlock(empty); err != nil || len(empty) != BlockHeader || BlockLane(empty) != 65535 {
		t.Errorf("empty block: %v", err)
	}
	if err := Walk(empty, func(*Record) error { return errors.New("a record") }); err != nil {
		t.Error(err)
	}
	buf := make([]byte, 100, 1000)
	if again := OpenBlock(buf); len(again) != BlockHeader || &again[0] != &buf[0] {
		t.Error("OpenBlock does not reuse the buffer")
	}
}

// One flipped bit anywhere, one octet less or more: found before anything is folded.
func TestDamagedBlockIsFound(t *testing.T) {
	b := sampleBlock()
	for bit := range len(b) * 8 {
		b[bit/8] ^= 1 << (bit % 8)
		if err := CheckBlock(b); !errors.Is(err, ErrBlock) {
			t.Fatalf("bit %d flipped: %v", bit, err)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
	for n := range len(b) {
		if err := CheckBlock(b[:n]); !errors.Is(err, ErrBlock) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	if err := CheckBlock(append(bytes.Clone(b), 0)); !errors.Is(err, ErrBlock) {
		t.Errorf("an octet too much: %v", err)
	}
}

func TestWalkRefuses(t *testing.T) {
	one := AppendReturn(nil, 0, anyID, 1, &Return{})
	block := func(n int, edit func(rec []byte), tail ...byte) []byte {
		rec := bytes.Clone(one)
		edit(rec)
		return SealBlock(append(append(OpenBlock(nil), rec...), tail...), 0, n, 0)
	}
	keep := func([]byte) {}
	for text, b := range map[string][]byte{
		"records missing":               block(2, keep),
		"octets behind the last record": block(1, keep, 0),
		"record of 0 octets":            block(1, func(r []byte) { le.PutUint32(r, 0) }),
		"record of 23 octets":           block(1, func(r []byte) { le.PutUint32(r, recordHeader-1) }),
		"record of 4294967295 octets":   block(1, func(r []byte) { le.PutUint32(r, 1<<32-1) }),
		"record of 33 octets":           block(1, func(r []byte) { le.PutUint32(r, 33) }),
		"record kind 0":                 block(1, func(r []byte) { r[4] = 0 }),
		"record kind 255":               block(1, func(r []byte) { r[4] = 255 }),
		"version 2 is not known":        block(1, func(r []byte) { r[5] = 2 }),
	} {
		if err := CheckBlock(b); err != nil {
			t.Fatalf("%s: the test's block is damaged: %v", text, err)
		}
		err := Walk(b, func(*Record) error { return nil })
		if !errors.Is(err, ErrBlock) || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %q", err, text)
		}
	}
	if err := Walk(one[:20], nil); !errors.Is(err, ErrBlock) {
		t.Errorf("shorter than a header: %v", err)
	}
	boom := errors.New("boom")
	if err := Walk(block(1, keep), func(*Record) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("%v", err)
	}
}

func TestFilesComeBack(t *testing.T) {
	for _, files := range []map[string][]byte{
		{},
		{"a": {}},
		{"clients.yaml": []byte("x: 1\n"), "rates.csv": bytes.Repeat([]byte("1,2,3\n"), 5000), "": []byte("nameless")},
		{strings.Repeat("d/", 200) + "1": []byte("one"), strings.Repeat("d/", 200) + "2": []byte("two")},
	} {
		b := EncodeFiles(files)
		got, err := DecodeFiles(b)
		if err != nil || !maps.EqualFunc(got, files, bytes.Equal) {
			t.Errorf("%d files came back as %d (%v)", len(files), len(got), err)
		}
		if again := EncodeFiles(got); !bytes.Equal(again, b) {
			t.Error("the same files, other bytes")
		}
	}
	b := EncodeFiles(map[string][]byte{"name": []byte("content")})
	for n := 1; n < len(b); n++ {
		if _, err := DecodeFiles(b[:n]); !errors.Is(err, ErrBlock) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
}

// Walk must take any bytes: it either fails or hands out records that tile the block exactly; and no
// decoder may read beyond the body it is given.
func FuzzWalk(f *testing.F) {
	f.Add(sampleBlock())
	f.Add(SealBlock(OpenBlock(nil), 0, 0, 0))
	f.Add([]byte("SBK1"))
	for _, s := range samples() {
		f.Add(SealBlock(s.append(OpenBlock(nil), 1, anyID, 5), 1, 1, 5))
	}
	cut := sampleBlock()
	f.Add(cut[:len(cut)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = CheckBlock(b)
		at, n := BlockHeader, 0
		err := Walk(b, func(r *Record) error {
			if int(r.Off) != at+recordHeader || cap(r.Body) != len(r.Body) {
				return fmt.Errorf("record %d stands at %d, want %d", n, r.Off, at+recordHeader)
			}
			at, n = int(r.Off)+len(r.Body), n+1
			decodeAny(r)
			return nil
		})
		if err == nil && (at != len(b) || n != BlockRecords(b)) {
			t.Fatalf("%d records end at %d of %d", n, at, len(b))
		}
		if err != nil && !errors.Is(err, ErrBlock) {
			t.Fatal(err)
		}
	})
}

// decodeAny tries every decoder on r, of its kind or not.
func decodeAny(r *Record) {
	r.Accept(new(Accept))
	r.Route(new(Route))
	r.Dispatch(new(Dispatch))
	r.Answer(new(Answer))
	r.Receipt(new(Receipt))
	r.Final(new(Final))
	r.Return(new(Return))
	r.Doubt()
	r.Account(new(Account))
	var c Catalog
	r.Catalog(&c)
	_, _ = DecodeFiles(c.Files)
	r.Orphan()
	r.MO(new(MO))
}
