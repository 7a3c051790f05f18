//go:build power

package power

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"smsplane/bench/peer"
	"smsplane/dataplane/admin"
)

const diskSize = 2 << 30

// rig is the disk, what is mounted of it, the appliance on it, and the carriers beside it.
type rig struct {
	t        *testing.T
	dir      string
	options  string // of the mount
	disk     *disk
	served   *served
	loop     string // device
	mounted  bool
	program  string
	smpp     string
	admin    string
	carriers []*peer.Carrier
	process  *exec.Cmd
	words    lockedBuffer // of the process
	exited   chan error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// take returns what was written since the last call.
func (b *lockedBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.b.Reset()
	return b.b.String()
}

func free(t *testing.T) string {
	t.Helper()
	a, err := peer.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// newRig makes the disk and a file system on it, and starts the carriers. options are those of the mount.
func newRig(t *testing.T, seed uint64, options string, drain int) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), options: options, smpp: free(t), admin: free(t)}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	r.program = filepath.Join(r.dir, "smsplane")
	must(command("go", "build", "-o", r.program, "smsplane/cmd/smsplane"))
	var err error
	r.disk, err = newDisk(diskSize, seed)
	must(err)
	must(os.MkdirAll(r.path("fuse"), 0o700))
	must(os.MkdirAll(r.path("fs"), 0o700))
	r.served, err = serve(r.path("fuse"), r.disk)
	must(err)
	t.Cleanup(r.end)
	must(command("mkfs.ext4", "-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", r.path("fuse/disk")))
	r.disk.flush()
	r.disk.drain = drain
	for i := range 2 {
		c, err := peer.StartCarrier(peer.CarrierOptions{Listen: "127.0.0.1:0", Seed: uint64(i),
			Behaviour: peer.Behaviour{Receipts: "asked", ReceiptDelay: 300 * time.Millisecond, Latency: 5 * time.Millisecond}})
		must(err)
		t.Cleanup(func() { c.Close() })
		r.carriers = append(r.carriers, c)
	}
	r.files()
	return r
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

func (r *rig) files() {
	var carriers, routes strings.Builder
	rates := "kind,party,prefix,mcc,mnc,price,currency,effective_from,effective_to\nsell,acme,,,,0.05,EUR,2020-01-01,\n"
	for i, c := range r.carriers {
		fmt.Fprintf(&carriers, "  - id: c%d\n    currency: EUR\n    cost: sent\n    in_doubt: {default: resend}\n    links:\n      - {address: %q, system_id: us, password: x, sessions: 1, window: 200, tps: unlimited}\n", i, c.Addr())
		fmt.Fprintf(&routes, "standard,,,,,1,1,c%d\n", i)
		rates += fmt.Sprintf("buy,c%d,,,,0.01,EUR,2020-01-01,\n", i)
	}
	for name, text := range map[string]string{
		"smsplane.yaml": fmt.Sprintf("node: p\ndata: %q\nlanes: 3\nmemory: 1MiB\nsmpp: {listen: [%q]}\nadmin: {listen: %q}\ncatalog: ./catalog\njournal: {reserve: 8MiB}\nretention: {edr: 1m, bodies: 20s}\ndrain_seconds: 1\n",
			r.path("fs/data"), r.smpp, r.admin),
		"catalog/clients.yaml":  "clients:\n  - {id: acme, system_id: acme, password: x, plan: standard, class: transactional, window: 5000, deliver_window: 1000, tps: unlimited, billing: {mode: postpaid, currency: EUR, credit_limit: 1000000, charge: sent}}\n",
		"catalog/carriers.yaml": "carriers:\n" + carriers.String(),
		"catalog/rates.csv":     rates,
		"catalog/routes.csv":    "plan,prefix,mcc,mnc,class,tier,weight,carrier\n" + routes.String(),
	} {
		if err := os.MkdirAll(filepath.Dir(r.path(name)), 0o700); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(r.path(name), []byte(text), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
}

// command runs a program for at most five minutes: a build beside other work takes its time.
func command(name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// mount puts a loop device on the disk and the file system on it, which replays its own journal.
func (r *rig) mount() error {
	out, err := exec.Command("losetup", "-f", "--show", r.path("fuse/disk")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("losetup: %w: %s", err, out)
	}
	r.loop = strings.TrimSpace(string(out))
	if err := command("mount", "-t", "ext4", "-o", "noatime"+r.options, r.loop, r.path("fs")); err != nil {
		return err
	}
	r.mounted = true
	return nil
}

// unmount takes everything off the disk, with or without power.
func (r *rig) unmount() {
	r.t.Helper()
	if r.mounted {
		if err := command("umount", r.path("fs")); err != nil {
			r.t.Fatal(err)
		}
		r.mounted = false
	}
	if r.loop != "" {
		if err := command("losetup", "-d", r.loop); err != nil {
			r.t.Fatal(err)
		}
		r.loop = ""
	}
}

func (r *rig) start() error {
	r.process = exec.Command(r.program, "serve", "--config", r.path("smsplane.yaml"))
	r.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	r.process.Stdout, r.process.Stderr = &r.words, &r.words
	if err := r.process.Start(); err != nil {
		return err
	}
	p, exited := r.process, make(chan error, 1)
	r.exited = exited
	go func() { exited <- p.Wait() }()
	return nil
}

var errNoPower = errors.New("the power is off")

// ready waits until the appliance serves; errNoPower when the disk lost power before.
func (r *rig) ready() (*admin.Client, error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for {
		if c, err := admin.Dial(context.Background(), r.admin); err == nil && c.Ready() {
			return c, nil
		}
		select {
		case <-r.disk.lostPower():
			return nil, errNoPower
		case err := <-r.exited:
			r.exited <- err
			select {
			case <-r.disk.lostPower():
				return nil, errNoPower
			default:
			}
			return nil, fmt.Errorf("the appliance ended: %v\n%s", err, r.words.take())
		case <-limit:
			return nil, fmt.Errorf("the appliance does not get ready\n%s", r.words.take())
		case <-tick.C:
		}
	}
}

// kill ends the appliance; the machine has no power either.
func (r *rig) kill() {
	if r.process == nil {
		return
	}
	_ = r.process.Process.Kill() // it may have ended by itself
	<-r.exited
	r.process = nil
}

func (r *rig) end() {
	r.kill()
	r.disk.powerOff()
	r.unmount()
	if err := r.served.close(); err != nil {
		r.t.Error(err)
	}
}
