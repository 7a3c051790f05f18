//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// capture is a running tshark on the loopback interface.
type capture struct {
	proc *process
	file string
	ends []string // -d options: which ports speak SMPP
	mark int      // a UDP port whose datagrams are captured too
}

// startCapture returns once packets are seen to be written.
func startCapture(t *testing.T, ports ...int) *capture {
	t.Helper()
	c := &capture{file: filepath.Join(t.TempDir(), "smpp.pcapng"), mark: freePort(t)}
	filter := fmt.Sprintf("udp port %d", c.mark)
	for _, p := range ports {
		filter += fmt.Sprintf(" or tcp port %d", p)
		c.ends = append(c.ends, "-d", fmt.Sprintf("tcp.port==%d,smpp", p))
	}
	c.proc = start(t, "tshark", "-i", "lo", "-q", "-B", "64", "-f", filter, "-w", c.file)
	c.reach(t, "capture begins (tshark needs root, or the right to run dumpcap)")
	return c
}

// reach sends marked datagrams until one is in the file: all packets before it are there as well.
func (c *capture) reach(t *testing.T, marker string) {
	t.Helper()
	conn, err := net.Dial("udp", loopback(c.mark))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	eventually(t, 2*patience, marker, func() bool {
		if !c.proc.running() {
			t.Fatalf("tshark ended: %s", c.proc.stderr.String())
		}
		_, _ = conn.Write([]byte(marker)) // nobody listens there, which is told at the next write
		b, err := os.ReadFile(c.file)
		return err == nil && bytes.Contains(b, []byte(marker))
	})
}

// pdus stops the capture and counts what the dissector makes of it, by command_id.
func (c *capture) pdus(t *testing.T) (count map[string]int, malformed string) {
	t.Helper()
	c.reach(t, "capture ends")
	c.proc.signal(syscall.SIGINT)
	c.proc.exit(t, patience)
	read := func(filter string, fields ...string) string {
		args := append([]string{"-r", c.file, "-Y", filter, "-T", "fields"}, c.ends...)
		for _, f := range fields {
			args = append(args, "-e", f)
		}
		code, out, errs := run(t, time.Minute, "tshark", args...)
		if code != 0 {
			t.Fatalf("tshark -r: exit %d\n%s", code, errs)
		}
		return out
	}
	count = map[string]int{}
	for _, id := range strings.FieldsFunc(read("smpp", "smpp.command_id"), func(r rune) bool { return r == '\n' || r == ',' }) {
		count[strings.ToLower(id)]++
	}
	return count, read("_ws.malformed || (smpp && _ws.expert.severity == error)", "frame.number", "tcp.srcport", "_ws.expert.message")
}

// transcript is what one of the client scripts printed.
func transcript(t *testing.T, out string) (ids map[string]string, receipts map[string]string) {
	t.Helper()
	ids, receipts = map[string]string{}, map[string]string{}
	for line := range strings.Lines(out) {
		switch f := strings.Fields(line); {
		case len(f) == 3 && f[0] == "accepted":
			ids[f[1]] = f[2]
		case len(f) == 3 && f[0] == "receipt":
			if receipts[f[1]] != "" {
				t.Errorf("two receipts for %s", f[1])
			}
			receipts[f[1]] = f[2]
		default:
			t.Errorf("line %q", line)
		}
	}
	return ids, receipts
}

// TestThirdPartyPeers: software that is not ours on every side, and tshark reading along.
func TestThirdPartyPeers(t *testing.T) {
	const each = 100
	port := freePort(t)
	carrier := start(t, "node", "node/carrier.js", fmt.Sprint(port))
	eventually(t, patience, "the npm carrier listens", func() bool {
		return strings.Contains(carrier.stdout.String(), "listening")
	})
	n := newNode(t, port)
	host, smppPort, _ := strings.Cut(n.smpp, ":")
	var clientPort int
	if _, err := fmt.Sscan(smppPort, &clientPort); err != nil {
		t.Fatal(err)
	}
	tap := startCapture(t, clientPort, port)
	n.up().linked(linkSessions)

	for _, c := range []struct {
		name, prefix string
		command      []string
	}{
		{"npm", "49151", []string{"node", "node/client.js"}},
		{"perl", "49152", []string{"perl", "perl/client.pl"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append(c.command[1:], host, smppPort, "demo", "secret", c.prefix, fmt.Sprint(each))
			code, out, errs := run(t, time.Minute, c.command[0], args...)
			if code != 0 {
				t.Fatalf("exit %d: %s", code, errs)
			}
			ids, receipts := transcript(t, out)
			if len(ids) != each || len(receipts) != each {
				t.Fatalf("%d accepted, %d receipts; want %d", len(ids), len(receipts), each)
			}
			for to, id := range ids {
				if receipts[id] != "DELIVRD" {
					t.Errorf("%s to %s: receipt %q", id, to, receipts[id])
				}
			}
		})
	}

	taken := strings.Count(carrier.stdout.String(), "taken ")
	if taken != 2*each {
		t.Errorf("the npm carrier took %d; want %d", taken, 2*each)
	}
	for _, want := range []string{
		"taken 491510000001 Grüße Ω 1\n", "taken 491510000000 message 0 from npm\n",
		"taken 491510000002 first half of 2\n", "taken 491510000003 payload 3 payload 3 ", "taken 491520000007 message 7 from Perl\n",
	} {
		if !strings.Contains(carrier.stdout.String(), want) {
			t.Errorf("the npm carrier never printed %q", want)
		}
	}
	if s := carrier.stderr.String(); s != "" {
		t.Errorf("the npm carrier complained: %s", s)
	}
	n.proven()
	n.stop()

	count, malformed := tap.pdus(t)
	if malformed != "" {
		t.Errorf("tshark calls malformed (frame, source port, why):\n%s", malformed)
	}
	for _, w := range []struct {
		id, name string
		least    int
	}{
		{"0x00000009", "bind_transceiver", linkSessions + 2}, {"0x80000009", "bind_transceiver_resp", linkSessions + 2},
		{"0x00000004", "submit_sm", 4 * each}, {"0x80000004", "submit_sm_resp", 4 * each},
		{"0x00000005", "deliver_sm", 4 * each}, {"0x80000005", "deliver_sm_resp", 4 * each},
		{"0x00000006", "unbind", linkSessions + 2},
	} {
		if count[w.id] < w.least {
			t.Errorf("tshark saw %d %s, want at least %d: the capture missed traffic", count[w.id], w.name, w.least)
		}
	}
}
