package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/config"
	"smsplane/ledger/catalog"
	"smsplane/pdu"
)

// The test program is also the two programs that `smsbench run` starts, by the name it is called with: smsbench itself,
// and a stand-in for smsplane that passes octets on and keeps simple books. What is tested is the order of things.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "smsbench":
		main()
	case "smsplane":
		if err := standIn(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		os.Exit(m.Run())
	}
}

// Environment of the stand-in.
const (
	envSite  = "STAND_IN_SITE"  // folder that init copies
	envFault = "STAND_IN_FAULT" // "die" at the start, or "money" from nowhere
)

func standIn(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "init" && args[2] == "--demo":
		return os.CopyFS(args[1], os.DirFS(os.Getenv(envSite)))
	case len(args) == 3 && args[0] == "serve" && args[1] == "--config":
		return (&passer{}).serve(args[2])
	}
	return fmt.Errorf("stand-in called with %q", args)
}

// passer connects each client to a carrier in turn and counts what passes.
type passer struct {
	admin.Source
	links                       []catalog.Link
	turn                        atomic.Uint32
	accepted, delivered, failed atomic.Uint64
}

func (p *passer) serve(file string) error {
	if os.Getenv(envFault) == "die" {
		return fmt.Errorf("the stand-in was told to die")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	node, err := config.Load(file)
	if err != nil {
		return err
	}
	files, err := catalog.Read(node.Catalog)
	if err != nil {
		return err
	}
	c, err := catalog.Parse(files)
	if err != nil {
		return err
	}
	for _, carrier := range c.Carriers {
		p.links = append(p.links, carrier.Links...)
	}
	smpp, err := net.Listen("tcp", node.SMPP.Listen[0])
	if err != nil {
		return err
	}
	http, err := admin.Listen(node.Admin.Listen)
	if err != nil {
		return err
	}
	go admin.NewServer(p, "a").Serve(http)
	go func() {
		for {
			nc, err := smpp.Accept()
			if err != nil {
				return
			}
			go p.connect(nc)
		}
	}()
	<-ctx.Done()
	return nil
}

func (p *passer) connect(client net.Conn) {
	defer client.Close()
	link := p.links[int(p.turn.Add(1))%len(p.links)]
	carrier, err := net.Dial("tcp", link.Addresses[0])
	if err != nil {
		return
	}
	defer carrier.Close()
	bind := make([]byte, 4096)
	if _, err := client.Read(bind); err != nil {
		return
	}
	carrier.Write(pdu.AppendBind(nil, &pdu.Bind{Command: pdu.BindTransceiver, SystemID: link.SystemID, Password: link.Password, Version: pdu.Version34}, 1))
	go io.Copy(carrier, client)
	buf := make([]byte, 1<<20)
	for have := 0; ; {
		n, err := carrier.Read(buf[have:])
		if err != nil {
			return
		}
		have += n
		done := 0
		for {
			n, _ := pdu.Frame(buf[done:have], len(buf))
			if n == 0 {
				break
			}
			p.count(buf[done : done+n])
			done += n
		}
		client.Write(buf[:done])
		have = copy(buf, buf[done:have])
	}
}

func (p *passer) count(b []byte) {
	switch h := pdu.ParseHeader(b); {
	case h.Command == pdu.SubmitSMResp && h.Status == pdu.ROK:
		p.accepted.Add(1)
	case h.Command == pdu.DeliverSM && bytes.Contains(b, []byte("stat:DELIVRD")):
		p.delivered.Add(1)
	case h.Command == pdu.DeliverSM:
		p.failed.Add(1)
	}
}

func (p *passer) Ready() bool { return true }

func (p *passer) Status(context.Context) (admin.Status, error) {
	b := admin.Books{Accepted: p.accepted.Load(), Delivered: p.delivered.Load(), Failed: p.failed.Load()}
	b.ReceiptsReturned = b.Delivered + b.Failed
	b.InFlight = b.Accepted - b.ReceiptsReturned
	if os.Getenv(envFault) == "money" {
		b.LedgerSumMicro = 12
	}
	s := admin.Status{Node: "stand-in", Books: b}
	for i := range 8 {
		s.Layers = append(s.Layers, admin.LayerStatus{Name: fmt.Sprintf("layer %d", i+1), Workers: 1, Messages: b.Accepted, P50: 1, P99: 2})
	}
	return s, nil
}

// Links says bound of a carrier that can be reached.
func (p *passer) Links(context.Context) (all []admin.LinkInfo, err error) {
	for _, l := range p.links {
		state := "waiting"
		if nc, err := net.Dial("tcp", l.Addresses[0]); err == nil {
			state = admin.LinkBound
			nc.Close()
		}
		for i := range l.Sessions {
			all = append(all, admin.LinkInfo{Session: i, State: state})
		}
	}
	return all, nil
}

// folders makes a folder of programs and a site on free ports.
func folders(t *testing.T) (bin, site string, addresses []string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin, site = t.TempDir(), t.TempDir()
	for _, name := range []string{"smsbench", "smsplane"} {
		if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(site, os.DirFS("../../bench/testdata/site")); err != nil {
		t.Fatal(err)
	}
	var lns []net.Listener
	for file, ports := range map[string][]string{"smsplane.yaml": {"2775", "8080"}, "catalog/carriers.yaml": {"3775", "3776"}} {
		name := filepath.Join(site, file)
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, port := range ports {
			ln := listenLow(t)
			lns = append(lns, ln)
			addresses = append(addresses, ln.Addr().String())
			text = bytes.ReplaceAll(text, []byte("127.0.0.1:"+port), []byte(ln.Addr().String()))
		}
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, ln := range lns {
		ln.Close()
	}
	t.Setenv(envSite, site)
	return bin, site, addresses
}

// listenLow takes a free port below those that outgoing connections are given, so that none of them takes it between this
// listener's end and the next one's start.
func listenLow(t *testing.T) net.Listener {
	t.Helper()
	for range 100 {
		if ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(10000))); err == nil {
			return ln
		}
	}
	t.Fatal("a hundred ports below 30000 are taken")
	return nil
}

// nobodyLeft checks that everything that listened has ended.
func nobodyLeft(t *testing.T, addresses []string) {
	t.Helper()
	for _, a := range addresses {
		if nc, err := net.Dial("tcp", a); err == nil {
			nc.Close()
			t.Errorf("somebody still listens on %s", a)
		}
	}
}

func TestRunOnce(t *testing.T) {
	bin, _, addresses := folders(t)
	dir := filepath.Join(t.TempDir(), "demo")
	code, out, errs := do(t, "run", "--dir", dir, "--bin", bin, "--count", "1000", "--once")
	if code != exitOK {
		t.Fatalf("exit %d, %s\n%s", code, errs, out)
	}
	for _, want := range []string{"made " + dir, "layer 8", "ledger sum", "carrier south took", "everything adds up"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if strings.Contains(out, "another terminal") {
		t.Error("it shows commands for what has ended")
	}
	nobodyLeft(t, addresses)
}

func TestRunFindsBooksThatDoNotAddUp(t *testing.T) {
	bin, site, addresses := folders(t)
	t.Setenv(envFault, "money")
	code, out, errs := do(t, "run", "--dir", site, "--bin", bin, "--count", "100", "--once")
	if code != exitFinding || !strings.Contains(out, "ledger sum 12 is not zero") {
		t.Errorf("exit %d, %s\n%s", code, errs, out)
	}
	nobodyLeft(t, addresses)
}

func TestRunTellsWhoDied(t *testing.T) {
	bin, site, addresses := folders(t)
	t.Setenv(envFault, "die")
	code, _, errs := do(t, "run", "--dir", site, "--bin", bin, "--once")
	if code != exitFinding || !strings.Contains(errs, "smsplane serve ended with exit status 1") || !strings.Contains(errs, "told to die") {
		t.Errorf("exit %d, %s", code, errs)
	}
	nobodyLeft(t, addresses)
}

func TestRunStaysUntilStopped(t *testing.T) {
	bin, site, addresses := folders(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var errs strings.Builder
	r, w := io.Pipe()
	c := cli{out: w, err: &errs}
	code := make(chan int, 1)
	go func() {
		code <- c.run(ctx, []string{"run", "--dir", site, "--bin", bin, "--count", "100"})
		w.Close()
	}()
	var out strings.Builder
	buf := make([]byte, 4096)
	for stopped := false; ; {
		n, err := r.Read(buf)
		out.Write(buf[:n])
		if !stopped && strings.Contains(out.String(), "Ctrl-C ends everything") {
			stopped = true
			cancel()
		}
		if err != nil {
			break
		}
	}
	if got := <-code; got != exitOK {
		t.Errorf("exit %d, %s", got, errs.String())
	}
	for _, want := range []string{"system_id meter", "kill -9", "--dry-run", "the appliance drains"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	nobodyLeft(t, addresses)
}
