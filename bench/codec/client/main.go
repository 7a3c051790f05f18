package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/linxGnu/gosmpp"
	"github.com/linxGnu/gosmpp/data"
	"github.com/linxGnu/gosmpp/pdu"
)

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
	dial := gosmpp.NonTLSDialer
	if slices.Contains(args[5:], "tls") {
		dial = func(addr string) (net.Conn, error) {
			return tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		}
	}
	c := &client{prefix: args[3], told: make(chan pdu.PDU, 1000), then: map[int32]func(pdu.PDU) error{}, unheard: 3}
	auth := gosmpp.Auth{SMSC: args[0], SystemID: args[1], Password: args[2]}
	s, err := gosmpp.NewSession(gosmpp.TRXConnector(dial, auth), gosmpp.Settings{
		ReadTimeout: time.Minute,
		OnPDU:       func(p pdu.PDU, _ bool) { c.told <- p },
	}, -1)
	if err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	defer s.Close()
	c.send = s.Transceiver().Submit
	for i, f := range forms {
		parts, err := f.parts(c.number(i))
		if err != nil {
			return err
		}
		for _, p := range parts {
			if err := c.submit(p); err != nil {
				return err
			}
		}
	}
	for _, deed := range []func() error{c.call, c.multi, c.change, c.withdraw, c.listen} {
		if err := deed(); err != nil {
			return err
		}
	}
	return nil
}

// client is one session and what it waits for.
type client struct {
	prefix     string
	send       func(pdu.PDU) error
	told       chan pdu.PDU                  // by the library
	then       map[int32]func(pdu.PDU) error // what to do with an answer, by sequence
	unreceived int                           // receipts
	unheard    int                           // messages of phones
}

func (c *client) number(n int) string { return fmt.Sprintf("%s%07d", c.prefix, n) }

// ask sends a request and keeps what follows its answer.
func (c *client) ask(p pdu.PDU, then func(pdu.PDU) error) error {
	p.AssignSequenceNumber() // Split leaves every part the same
	c.then[p.GetSequenceNumber()] = then
	return c.send(p)
}

func (c *client) submit(m *pdu.SubmitSM) error {
	c.unreceived++
	m.RegisteredDelivery = 1
	return c.ask(m, func(p pdu.PDU) error {
		r := p.(*pdu.SubmitSMResp)
		if r.CommandStatus != data.ESME_ROK {
			return fmt.Errorf("submit_sm to %s: %v", m.DestAddr.Address(), r.CommandStatus)
		}
		fmt.Println("accepted", m.DestAddr.Address(), r.MessageID)
		return nil
	})
}

// call is the message that a phone replies to.
func (c *client) call() error {
	m := message(c.number(900))
	if err := m.Message.SetMessageWithEncoding("call me", data.GSM7BIT); err != nil {
		return err
	}
	return c.submit(m)
}

// multi sends to two numbers, one without a route and a distribution list.
func (c *client) multi() error {
	c.unreceived += 2
	m := pdu.NewSubmitMulti().(*pdu.SubmitMulti)
	m.SourceAddr = source()
	m.RegisteredDelivery = 1
	for _, to := range []string{c.number(1000), "4420123456", c.number(1001)} {
		d := pdu.NewDestinationAddress()
		d.SetAddress(address(1, 1, to))
		m.DestAddrs.Add(d)
	}
	list, err := pdu.NewDistributionList("friends")
	if err != nil {
		return err
	}
	d := pdu.NewDestinationAddress()
	d.SetDistributionList(list)
	m.DestAddrs.Add(d)
	if err := m.Message.SetMessageWithEncoding("to several", data.GSM7BIT); err != nil {
		return err
	}
	return c.ask(m, func(p pdu.PDU) error {
		r := p.(*pdu.SubmitMultiResp)
		var failed []string
		for _, u := range r.UnsuccessSMEs.Get() {
			failed = append(failed, fmt.Sprintf("%s:%d", u.Address.Address(), u.ErrorStatusCode()))
		}
		fmt.Println("multi", int(r.CommandStatus), r.MessageID, strings.Join(failed, ","))
		return nil
	})
}

const (
	inAnHour  = "000000010000000R"
	inASecond = "000000000001000R"
)

// hold submits a message for an hour from now and goes on with its id.
func (c *client) hold(to, text string, then func(id string) error) error {
	m := message(to)
	m.ScheduleDeliveryTime = inAnHour
	if err := m.Message.SetMessageWithEncoding(text, data.GSM7BIT); err != nil {
		return err
	}
	return c.ask(m, func(p pdu.PDU) error { return then(p.(*pdu.SubmitSMResp).MessageID) })
}

func (c *client) change() error {
	c.unreceived++
	return c.hold(c.number(2000), "later", func(id string) error {
		return c.query(id, func() error {
			r := pdu.NewReplaceSM().(*pdu.ReplaceSM)
			r.MessageID, r.SourceAddr = id, source()
			r.ScheduleDeliveryTime, r.RegisteredDelivery = inASecond, 1
			if err := r.Message.SetMessageWithEncoding("sooner", data.GSM7BIT); err != nil {
				return err
			}
			return c.ask(r, func(p pdu.PDU) error {
				fmt.Println("replace", int(p.(*pdu.ReplaceSMResp).CommandStatus))
				return nil
			})
		})
	})
}

func (c *client) withdraw() error {
	to := c.number(2001)
	return c.hold(to, "never", func(id string) error {
		return c.cancel(id, to, func() error {
			return c.cancel(id, to, func() error {
				return c.query(id, func() error { return nil })
			})
		})
	})
}

func (c *client) query(id string, then func() error) error {
	q := pdu.NewQuerySM().(*pdu.QuerySM)
	q.MessageID, q.SourceAddr = id, source()
	return c.ask(q, func(p pdu.PDU) error {
		r := p.(*pdu.QuerySMResp)
		fmt.Println("query", int(r.CommandStatus), r.MessageState)
		return then()
	})
}

func (c *client) cancel(id, to string, then func() error) error {
	m := pdu.NewCancelSM().(*pdu.CancelSM)
	m.MessageID, m.SourceAddr, m.DestAddr = id, source(), address(1, 1, to)
	return c.ask(m, func(p pdu.PDU) error {
		fmt.Println("cancel", int(p.(*pdu.CancelSMResp).CommandStatus))
		return then()
	})
}

var receiptText = regexp.MustCompile(`^id:(\S+) .*stat:(\S+) `)

// listen goes on until nothing is awaited any more.
func (c *client) listen() error {
	timeout := time.After(time.Minute)
	for len(c.then) > 0 || c.unreceived > 0 || c.unheard > 0 {
		select {
		case p := <-c.told:
			if m, ok := p.(*pdu.DeliverSM); ok {
				if err := c.delivered(m); err != nil {
					return err
				}
				continue
			}
			then, ok := c.then[p.GetSequenceNumber()]
			if !ok {
				return fmt.Errorf("answer to nothing: %T", p)
			}
			delete(c.then, p.GetSequenceNumber())
			if err := then(p); err != nil {
				return err
			}
		case <-timeout:
			return fmt.Errorf("timeout: %d unanswered, %d receipts and %d messages of phones missing", len(c.then), c.unreceived, c.unheard)
		}
	}
	return nil
}

func (c *client) delivered(m *pdu.DeliverSM) error {
	if m.EsmClass&0x3C != 4 {
		return c.heard(m)
	}
	text, err := m.Message.GetMessage()
	if err != nil {
		return err
	}
	f := receiptText.FindStringSubmatch(text)
	if f == nil {
		return fmt.Errorf("not a receipt: %q", text)
	}
	fmt.Println("receipt", f[1], f[2], m.SourceAddr.Address(), m.DestAddr.Address())
	c.unreceived--
	return nil
}

// heard prints a message of a phone: text as UTF-8, anything else as it is.
func (c *client) heard(m *pdu.DeliverSM) error {
	var body []byte
	if udh := m.Message.UDH(); len(udh) > 0 {
		header, err := udh.MarshalBinary()
		if err != nil {
			return err
		}
		octets, err := m.Message.GetMessageData()
		if err != nil {
			return err
		}
		body = append(header, octets...)
	} else {
		text, err := m.Message.GetMessage()
		if err != nil {
			return err
		}
		body = []byte(text)
	}
	fmt.Printf("mobile %s %s %d %x\n", m.SourceAddr.Address(), m.DestAddr.Address(), m.Message.Encoding().DataCoding(), body)
	c.unheard--
	return nil
}
