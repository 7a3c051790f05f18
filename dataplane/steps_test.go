package dataplane_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"smsplane/pdu"
)

// A receipt comes before the answer that names its message, over another session; it waits in lane 0, its message lives
// in another lane. The process is killed between any two steps, and starts again from what the disk held at that moment:
// the message is sent once, ends as delivered, and the client is told, whichever step was the last.
func TestReceiptBeforeAnswerAndACrash(t *testing.T) {
	steps := []string{"dispatched", "receipt kept", "answered", "told"}
	for last, name := range steps {
		t.Run("killed after "+name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, play{node: "drain_seconds: 1", carrier: "    in_doubt: {default: hold}\n", link: "        sessions: 2\n"})
			eventually(t, "both sessions are bound", func() bool { return s.carrier.bound() == 2 })
			s.carrier.mute = func(*pdu.Message) bool { return true }
			e := s.bind(login{"esme", "secret", pdu.BindTransmitter, 0x34})
			dst := s.number()
			id := e.submit(text(dst, "once"))
			if strings.HasPrefix(id, "0000") {
				t.Fatalf("message %s lives in lane 0: nothing is tested", id)
			}
			early := pdu.Receipt{ID: []byte("c-1"), State: pdu.StateDelivered, Err: []byte("000"), SubmitDate: time.Now().UnixNano(), DoneDate: time.Now().UnixNano(), Sub: 1, Dlvrd: 1}
			receipt := pdu.Submit{Command: pdu.DeliverSM, Src: []byte(dst), SrcTON: 1, SrcNPI: 1, Dst: []byte("sender"), ESMClass: pdu.ESMReceipt,
				Text: pdu.AppendReceiptText(nil, &early)}
			eventually(t, "the carrier has it", func() bool { return s.carrier.to(dst) != nil })
			if last >= 1 {
				s.carrier.sendApart(receipt.Append(nil, 77))
				eventually(t, "the receipt is kept", func() bool { return s.carrier.heard(77) })
			}
			if last >= 2 {
				s.carrier.answerFirst("c-1")
				eventually(t, "it is delivered", func() bool { return s.books().Delivered == 1 })
			}
			if last >= 3 {
				s.bind(rx).receipt(id, 1)
				eventually(t, "the client's answer is kept", func() bool { return s.books().ReceiptsReturned == 1 })
			}
			s.kill()
			eventually(t, "it is bound again", func() bool { return s.carrier.bound() == 2 })
			if last == 0 {
				s.carrier.send(receipt.Append(nil, 78))
			}
			if last < 3 {
				s.bind(rx).receipt(id, 1)
			}
			eventually(t, "the client's answer is kept", func() bool { return s.books().ReceiptsReturned == 1 })
			if b := s.books(); b != (books{Accepted: 1, Delivered: 1, ReceiptsReturned: 1}) {
				t.Errorf("books %+v", b)
			}
			s.carrier.to(dst) // twice is a fault
		})
	}
}

// files are those of the appliance's data.
func (s *stage) files() (names []string) {
	err := fs.WalkDir(os.DirFS(filepath.Join(s.dir, "data")), ".", func(name string, _ fs.DirEntry, err error) error {
		names = append(names, name)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatal(err)
	}
	return names
}

// kill goes on with what the disk holds now, as after kill -9: whatever the process does from here on is for nothing.
// Nothing must be on its way.
func (s *stage) kill() {
	s.t.Helper()
	image := filepath.Join(s.dir, "image")
	eventually(s.t, "no table of the store came or went while it was copied", func() bool {
		before := s.files()
		err := errors.Join(os.RemoveAll(image), os.CopyFS(image, os.DirFS(filepath.Join(s.dir, "data"))))
		return err == nil && slices.Equal(before, s.files())
	})
	s.stop()
	for _, step := range []func() error{
		func() error { return os.RemoveAll(filepath.Join(s.dir, "data")) },
		func() error { return os.Rename(image, filepath.Join(s.dir, "data")) },
	} {
		if err := step(); err != nil {
			s.t.Fatal(fmt.Errorf("going back to the image: %w", err))
		}
	}
	s.start()
}
