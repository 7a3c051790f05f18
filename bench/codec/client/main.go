package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/linxGnu/gosmpp"
	"github.com/linxGnu/gosmpp/data"
	"github.com/linxGnu/gosmpp/pdu"
)

// form is one message of the file.
type form struct {
	Coding  byte
	Text    string
	Times   int
	UDH     string
	Octets  int
	Payload bool
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	b, err := os.ReadFile(args[4])
	if err != nil {
		return err
	}
	var forms []form
	if err := json.Unmarshal(b, &forms); err != nil {
		return err
	}
	answers, receipts := make(chan pdu.PDU, 1000), make(chan string, 1000)
	auth := gosmpp.Auth{SMSC: args[0], SystemID: args[1], Password: args[2]}
	s, err := gosmpp.NewSession(gosmpp.TRXConnector(gosmpp.NonTLSDialer, auth), gosmpp.Settings{
		ReadTimeout: time.Minute,
		OnPDU: func(p pdu.PDU, _ bool) {
			switch m := p.(type) {
			case *pdu.SubmitSMResp:
				answers <- m
			case *pdu.DeliverSM:
				text, _ := m.Message.GetMessage()
				receipts <- text
			}
		},
	}, -1)
	if err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	defer s.Close()
	to := map[int32]string{}
	for i, f := range forms {
		parts, err := f.parts(fmt.Sprintf("%s%07d", args[3], i))
		if err != nil {
			return err
		}
		for _, p := range parts {
			p.AssignSequenceNumber() // Split leaves every part the same
			to[p.GetSequenceNumber()] = p.DestAddr.Address()
			if err := s.Transceiver().Submit(p); err != nil {
				return err
			}
		}
	}
	return await(to, answers, receipts)
}

var receiptText = regexp.MustCompile(`^id:(\S+) .*stat:(\S+) `)

func await(to map[int32]string, answers chan pdu.PDU, receipts chan string) error {
	timeout := time.After(time.Minute)
	for unanswered, unreceived := len(to), len(to); unanswered > 0 || unreceived > 0; {
		select {
		case p := <-answers:
			r := p.(*pdu.SubmitSMResp)
			if r.CommandStatus != data.ESME_ROK {
				return fmt.Errorf("submit_sm to %s: %v", to[r.SequenceNumber], r.CommandStatus)
			}
			fmt.Println("accepted", to[r.SequenceNumber], r.MessageID)
			unanswered--
		case text := <-receipts:
			f := receiptText.FindStringSubmatch(text)
			if f == nil {
				return fmt.Errorf("not a receipt: %q", text)
			}
			fmt.Println("receipt", f[1], f[2])
			unreceived--
		case <-timeout:
			return fmt.Errorf("timeout: %d unanswered, %d receipts missing", unanswered, unreceived)
		}
	}
	return nil
}

// parts makes the submit_sm of a form.
func (f form) parts(to string) ([]*pdu.SubmitSM, error) {
	m := pdu.NewSubmitSM().(*pdu.SubmitSM)
	m.SourceAddr.SetTon(5)
	m.DestAddr.SetTon(1)
	m.DestAddr.SetNpi(1)
	if err := m.SourceAddr.SetAddress("gosmpp"); err != nil {
		return nil, err
	}
	if err := m.DestAddr.SetAddress(to); err != nil {
		return nil, err
	}
	m.RegisteredDelivery = 1
	octets := make([]byte, f.Octets)
	for i := range octets {
		octets[i] = byte(i * 7)
	}
	switch {
	case f.Payload:
		m.RegisterOptionalParam(pdu.Field{Tag: pdu.TagMessagePayload, Data: octets})
		return []*pdu.SubmitSM{m}, m.Message.SetMessageDataWithEncoding(nil, data.BINARY8BIT2)
	case f.UDH != "":
		header, err := hex.DecodeString(f.UDH)
		if err != nil {
			return nil, err
		}
		var udh pdu.UDH
		if _, err := udh.UnmarshalBinary(header); err != nil {
			return nil, err
		}
		m.EsmClass |= data.SM_UDH_GSM
		m.Message.SetUDH(udh)
		return []*pdu.SubmitSM{m}, m.Message.SetMessageDataWithEncoding(octets, data.BINARY8BIT2)
	}
	encoding := data.Encoding(data.GSM7BIT)
	if f.Coding == 8 {
		encoding = data.UCS2
	}
	if err := m.Message.SetLongMessageWithEnc(strings.Repeat(f.Text, max(f.Times, 1)), encoding); err != nil {
		return nil, err
	}
	return m.Split()
}
