package ledger

import (
	"errors"
	"math/rand/v2"
	"testing"
)

func TestMsgID(t *testing.T) {
	for _, c := range []struct {
		lane uint16
		seq  uint64
		text string
	}{
		{0, 0, "0000000000000000"},
		{0, 1, "0000000000000001"},
		{3, 0xabcdef, "0003000000abcdef"},
		{65535, 1<<48 - 1, "ffffffffffffffff"},
	} {
		id := MakeMsgID(c.lane, c.seq)
		if id.String() != c.text || id.Lane() != c.lane || id.Seq() != c.seq {
			t.Errorf("lane %d seq %d is %s, lane %d seq %d", c.lane, c.seq, id, id.Lane(), id.Seq())
		}
		if string(id.Append([]byte("id:"))) != "id:"+c.text {
			t.Error("Append does not append")
		}
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		id := MsgID(rng.Uint64())
		got, err := ParseMsgID(id.Append(nil))
		if got != id || err != nil || MakeMsgID(id.Lane(), id.Seq()) != id {
			t.Fatalf("%x came back as %x (%v)", uint64(id), uint64(got), err)
		}
	}
	if id, err := ParseMsgID("0003000000ABCDEF"); id != MakeMsgID(3, 0xabcdef) || err != nil {
		t.Errorf("upper case: %s, %v", id, err)
	}
	for _, text := range []string{"", "1", "000300000000000g", "00030000000000001", "000300000000000", "0x03000000000000", "-000000000000001"} {
		if _, err := ParseMsgID(text); !errors.Is(err, ErrMsgID) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestMsgIDSequenceOverflowPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a sequence of 49 bits ran into the lane")
		}
	}()
	MakeMsgID(1, 1<<48)
}

func TestShortIDs(t *testing.T) {
	id := MakeMsgID(7, 0x1234_89ab_cdef)
	if got := string(id.AppendShort(nil)); got != "89abcdef" {
		t.Errorf("short form %q", got)
	}
	for in, want := range map[string]uint32{"89abcdef": 0x89abcdef, "89ABCDEF": 0x89abcdef, "1": 1, "0000002a": 42, "2A": 42} {
		if low, ok := ParseShortID([]byte(in)); !ok || low != want {
			t.Errorf("%q: %x %v", in, low, ok)
		}
	}
	for _, in := range []string{"", "123456789", "12g4", "-1", " 1"} {
		if _, ok := ParseShortID([]byte(in)); ok {
			t.Errorf("%q passed for a short id", in)
		}
	}
}
