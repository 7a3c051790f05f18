package session

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"smsplane/pdu"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts in testdata printed as what they must print")

// TestScripts runs testdata/*.txt. A script is a row of steps: command lines, a line ----, what must be
// printed, an empty line. testdata/README explains the commands to one who knows SMPP and no Go.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runScript(t, file) })
	}
}

func runScript(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var c scene
	var after strings.Builder
	for _, step := range strings.Split(strings.TrimRight(string(text), "\n"), "\n\n") {
		commands, want, ok := strings.Cut(step+"\n", "----\n")
		if !ok {
			fmt.Fprintf(&after, "%s\n\n", step)
			continue
		}
		for _, line := range strings.Split(strings.TrimSpace(commands), "\n") {
			if !strings.HasPrefix(line, "#") {
				c.run(strings.Fields(line))
			}
		}
		got := c.printed.String()
		c.printed.Reset()
		if got != want && !*rewrite {
			t.Errorf("%s\nprinted\n%sbut must print\n%s", commands, got, want)
		}
		fmt.Fprintf(&after, "%s----\n%s\n", commands, got)
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(strings.TrimRight(after.String(), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A scene is a session, its clock, and what it prints; it is its own Handler.
type scene struct {
	s       *Session
	now     int64
	state   State
	kept    []byte // octets of the peer that "keep" holds back
	keep    bool
	printed bytes.Buffer
}

func (c *scene) Request(_ *Session, _ int64, h pdu.Header, p []byte) {
	c.print("request   %v seq=%d%s", h.Command, h.Sequence, verdictOf(p))
}

func (c *scene) Response(_ *Session, _ int64, tag uint64, h pdu.Header, p []byte) {
	c.print("response  tag=%d %v %v%s", tag, h.Command, h.Status, idOf(p))
}

func (c *scene) Late(_ *Session, _ int64, tag uint64, h pdu.Header, p []byte) {
	c.print("late      tag=%d %v %v%s", tag, h.Command, h.Status, idOf(p))
}

func (c *scene) Lost(_ *Session, _ int64, tag uint64, why Lost) {
	c.print("lost      tag=%d %v", tag, why)
}

func (c *scene) print(format string, args ...any) {
	fmt.Fprintf(&c.printed, "%4ds  "+format+"\n", append([]any{c.now / int64(time.Second)}, args...)...)
}

// run does one command line and prints what it led to.
func (c *scene) run(f []string) {
	a := argsOf(f[1:])
	switch f[0] {
	case "session":
		c.begin(f[1], f[2], a)
	case "peer":
		c.peer(f[1:], a)
	case "keep":
		c.keep = true
	case "read":
		c.read(a.number("octets", len(c.kept)))
	case "reply":
		c.s.Reply(commandOf(f[1]), statusOf(a["status"]), uint32(a.number("seq", 0)), []byte(a["id"]))
	case "send":
		c.accepted(a, c.s.Send(c.now, request(commandOf(f[1]), 0), uint64(a.number("tag", 0))))
	case "forward":
		var m pdu.Message
		m.Parse(request(pdu.SubmitSM, 99))
		c.accepted(a, c.s.SendForward(c.now, &m, &pdu.Hop{Priority: 1}, uint64(a.number("tag", 0))))
	case "tell":
		if !c.s.Tell(request(commandOf(f[1]), 0)) {
			c.print("not told  %s", f[1])
		}
	case "wait":
		c.wait(f[1])
	case "stall":
		c.now += int64(mustDuration(f[1]))
		c.tick()
	case "unbind":
		c.s.Unbind(c.now)
	case "end":
		c.s.End(c.now)
	case "show":
		c.show()
	default:
		panic("unknown command " + f[0])
	}
	c.flush()
}

func (c *scene) begin(role, bind string, a args) {
	*c = scene{}
	config := Config{
		Role: map[string]Role{"server": Server, "client": Client}[role],
		Bind: map[string]pdu.Command{
			"rx": pdu.BindReceiver, "tx": pdu.BindTransmitter, "trx": pdu.BindTransceiver}[bind],
		Version: uint8(a.number("version", 0x34)), Window: a.number("window", 10), PeerWindow: a.number("peer_window", 10),
		MaxPDU: a.number("max_pdu", 0), FirstSequence: uint32(a.number("first", 1)), Name: "acme",
		EnquireEvery: a.duration("enquire"), ResponseTimeout: a.duration("response"),
		InactivityTimeout: a.duration("inactivity"), PDUTimeout: a.duration("rest"),
	}
	c.s = New(config, c, 0)
}

// peer lets the peer send a PDU, or octets in hex.
func (c *scene) peer(words []string, a args) {
	var p []byte
	if words[0] == "hex" {
		var err error
		if p, err = hex.DecodeString(words[1]); err != nil {
			panic(err)
		}
	} else {
		p = message(commandOf(words[0]), statusOf(a["status"]), uint32(a.number("seq", 0)), a)
	}
	c.kept = append(c.kept, p...)
	if !c.keep {
		c.read(len(c.kept))
	}
}

func (c *scene) read(n int) {
	b := c.kept[:n]
	c.kept, c.keep = append([]byte(nil), c.kept[n:]...), c.keep && n < len(c.kept)
	if err := c.s.Feed(c.now, b); err != nil {
		c.print("error     %v", err)
	}
}

// wait lets time pass with a tick each second, as a loop with nothing to read has it.
func (c *scene) wait(d string) {
	for end := c.now + int64(mustDuration(d)); c.now < end; {
		c.now += int64(time.Second)
		c.tick()
		c.flush()
		if c.s.Done() {
			c.now = end
		}
	}
}

func (c *scene) tick() {
	if err := c.s.Tick(c.now); err != nil {
		c.print("error     %v", err)
	}
}

func (c *scene) accepted(a args, ok bool) {
	if !ok {
		c.print("no room   tag=%s", a["tag"])
	}
}

// flush prints what goes to the peer, and a change of state.
func (c *scene) flush() {
	for b := c.s.Out(); len(b) > 0; {
		n, _ := pdu.Frame(b, 1<<20)
		h := pdu.ParseHeader(b)
		status := ""
		if h.Command.IsResp() {
			status = " " + h.Status.String()
		}
		c.print("to peer   %v seq=%d%s%s", h.Command, h.Sequence, status, idOf(b[:n]))
		b = b[n:]
	}
	c.s.ResetOut()
	if c.s.State() != c.state {
		c.state = c.s.State()
		c.print("session   %v", c.state)
	}
}

// show prints the windows and the counters that are not zero.
func (c *scene) show() {
	c.print("room %d, unanswered %d, peer %d", c.s.Room(), c.s.Unanswered(), c.s.Peer())
	var b strings.Builder
	n := c.s.Counters()
	for _, f := range strings.Fields(strings.Trim(fmt.Sprintf("%+v", n), "{}")) {
		if !strings.HasSuffix(f, ":0") {
			b.WriteString(" " + strings.Replace(f, ":", " ", 1) + ",")
		}
	}
	if b.Len() == 0 {
		b.WriteString(" nothing")
	}
	c.print("counted  %s", strings.TrimSuffix(b.String(), ","))
}

// message is a PDU as a peer might send it.
func message(c pdu.Command, st pdu.Status, seq uint32, a args) []byte {
	switch id, has := a["id"]; {
	case c.IsResp() && has:
		p := pdu.AppendMessageResp(nil, c, pdu.ROK, seq, []byte(id))
		pdu.SetStatus(p, st)
		return p
	case c.IsResp():
		return pdu.AppendPlain(nil, c, st, seq)
	case a["sm_length"] != "":
		p := request(c, seq)
		p[len(p)-len(text)-1] = byte(a.number("sm_length", 0))
		return p
	}
	return request(c, seq)
}

const text = "hello"

// request is a request of type c with a body where that is easy to make.
func request(c pdu.Command, seq uint32) []byte {
	switch c {
	case pdu.SubmitSM, pdu.DeliverSM, pdu.DataSM:
		m := pdu.Submit{Command: c, SrcTON: 5, Src: []byte("Brand"), DstTON: 1, DstNPI: 1, Dst: []byte("447700900123"),
			Text: []byte(text)}
		return m.Append(nil, seq)
	}
	return pdu.AppendPlain(nil, c, pdu.ROK, seq)
}

// verdictOf is what the codec says of a message with a fault in it.
func verdictOf(p []byte) string {
	var m pdu.Message
	if isMessage(pdu.ParseHeader(p).Command) && m.Parse(p) != pdu.ROK {
		return " malformed: " + m.Parse(p).String()
	}
	return ""
}

func idOf(p []byte) string {
	if c := pdu.ParseHeader(p).Command; !c.IsResp() {
		return ""
	}
	if id, ok := pdu.MessageID(p); ok {
		return fmt.Sprintf(" id=%s", id)
	}
	return ""
}

// args are the key=value words of a command line.
type args map[string]string

func argsOf(words []string) args {
	a := args{}
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		a[k] = v
	}
	return a
}

func (a args) number(key string, otherwise int) int {
	v, ok := a[key]
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseInt(v, 0, 64)
	if err != nil {
		panic(err)
	}
	return int(n)
}

func (a args) duration(key string) time.Duration {
	if a[key] == "" {
		return 0
	}
	return mustDuration(a[key])
}

func mustDuration(v string) time.Duration {
	d, err := time.ParseDuration(v)
	if err != nil {
		panic(err)
	}
	return d
}

func commandOf(name string) pdu.Command {
	for c := range pdu.Command(0x120) {
		if c != 0 && c.String() == name {
			return c
		}
		if c.Resp().String() == name {
			return c.Resp()
		}
	}
	n, err := strconv.ParseUint(name, 0, 32)
	if err != nil {
		panic("no command " + name)
	}
	return pdu.Command(n)
}

func statusOf(name string) pdu.Status {
	for st := range pdu.Status(0x120) {
		if st.String() == name || name == "" {
			return st
		}
	}
	n, err := strconv.ParseUint(name, 0, 32)
	if err != nil {
		panic("no status " + name)
	}
	return pdu.Status(n)
}
