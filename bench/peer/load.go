package peer

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"smsplane/pdu"
)

// Load is what a client sends in its run.
type Load struct {
	Count      int64         `json:"count"`          // messages, at most 67,108,864
	Rate       float64       `json:"rate"`           // submit_sm per second over all binds; 0 = as the windows allow
	Firm       bool          `json:"firm"`           // what is sent again counts in Rate: never more than Rate is offered
	Duration   time.Duration `json:"duration_ns"`    // no new message after it; 0 = no limit
	Receipts   bool          `json:"receipts"`       // ask for them
	From       string        `json:"from"`           // sender; "smsbench" when empty
	To         string        `json:"to"`             // beginning of the destinations, digits; 8 digits of the index follow. "491510" when empty
	TextLen    int           `json:"text_len"`       // octets, 18 to 160; 0 = 60
	RetryAfter time.Duration `json:"retry_after_ns"` // before a throttled message is sent again; 0 = 100 ms
	Drain      time.Duration `json:"drain_ns"`       // how long to wait for answers after the last progress; 0 = 30 s
}

const indexDigits = 8

func (l *Load) fill() {
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&l.From, "smsbench")
	def(&l.To, "491510")
	if l.TextLen == 0 {
		l.TextLen = 60
	}
	if l.RetryAfter == 0 {
		l.RetryAfter = 100 * time.Millisecond
	}
	if l.Drain == 0 {
		l.Drain = 30 * time.Second
	}
}

// Validate says what cannot be sent.
func (l Load) Validate() error {
	l.fill()
	switch {
	case l.Count < 1 || l.Count > maxIndex:
		return fmt.Errorf("count %d is not between 1 and %d", l.Count, maxIndex)
	case strings.Trim(l.To, "0123456789") != "" || len(l.To)+indexDigits > 15:
		return fmt.Errorf("destination %q is not at most %d digits", l.To, 15-indexDigits)
	case len(l.From) > 20:
		return fmt.Errorf("sender %q is longer than 20 octets", l.From)
	case l.TextLen < tagLen || l.TextLen > 160:
		return fmt.Errorf("text length %d is not between %d and 160", l.TextLen, tagLen)
	case l.Rate < 0 || l.Duration < 0 || l.RetryAfter < 0 || l.Drain < 0:
		return fmt.Errorf("rate and times cannot be negative")
	}
	return nil
}

// senderTON is alphanumeric for a name and international for a number.
func senderTON(from string) (ton, npi uint8) {
	if strings.Trim(from, "0123456789") == "" {
		return 1, 1
	}
	return 5, 0
}

// template is a submit_sm with holes for destination and tag.
type template struct {
	p        []byte
	dst, tag int // offsets of the index digits and the tag
	run      uint32
}

const filler = "every message has a number of its own and is counted once where it leaves, once where it arrives, and once more when word of it returns to the one who asked. "

func newTemplate(l *Load, run uint32) *template {
	hole := strings.Repeat("x", indexDigits)
	text := bytes.Repeat([]byte("y"), tagLen)
	s := pdu.Submit{Src: []byte(l.From), DstTON: 1, DstNPI: 1, Dst: []byte(l.To + hole)}
	s.SrcTON, s.SrcNPI = senderTON(l.From)
	s.Text = append(text, filler[:l.TextLen-tagLen]...)
	if l.Receipts {
		s.Registered = 1
	}
	t := &template{p: s.Append(nil, 0), run: run}
	t.tag = bytes.Index(t.p, text[:tagLen])
	t.dst = bytes.Index(t.p, []byte(l.To+hole+"\x00")) + len(l.To)
	return t
}

// put appends message i under a sequence number.
func (t *template) put(dst []byte, i, seq uint32) []byte {
	at := len(dst)
	dst = append(dst, t.p...)
	p := dst[at:]
	pdu.SetSequence(p, seq)
	for k, v := t.dst+indexDigits-1, i; k >= t.dst; k-- {
		p[k] = '0' + byte(v%10)
		v /= 10
	}
	putTag(p[t.tag:], t.run, i)
	return dst
}

// indexOf reads the index an address ends in; no index is below it for an address that is none of ours.
func indexOf(addr []byte) uint32 {
	if len(addr) < indexDigits {
		return noIndex
	}
	var v uint32
	for _, c := range addr[len(addr)-indexDigits:] {
		if c < '0' || c > '9' {
			return noIndex
		}
		v = v*10 + uint32(c-'0')
	}
	return v
}

const noIndex = ^uint32(0)
