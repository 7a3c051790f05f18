package catalog

import (
	"fmt"
	"strconv"
	"strings"

	"smsplane/ledger"
	"smsplane/pdu"
)

// The words of the files, in the order of the constants they stand for.
var (
	chargeWords  = []string{"sent", "delivered"}
	modeWords    = []string{"prepaid", "postpaid"}
	receiptWords = []string{"always", "asked"}

	partReceiptWords = []string{"each", "first", "last"}
	overRateWords    = []string{"throttle", "pace"}
	kindWords        = []string{"sell", "buy"}
	classWords       = []string{"bulk", "transactional", "otp"}
	policyWords      = []string{"resend", "hold", "expire"}
	bindWords        = []string{"transmitter", "receiver", "transceiver"}
	bindCommands     = []pdu.Command{pdu.BindTransmitter, pdu.BindReceiver, pdu.BindTransceiver}
	versionWords     = []string{"3.3", "3.4", "5.0"}
	versionOctets    = []uint8{0x33, 0x34, 0x50}
)

const unlimited = "unlimited"

func (c Charge) String() string   { return word(chargeWords, int(c)) }
func (m Mode) String() string     { return word(modeWords, int(m)) }
func (r Receipts) String() string { return word(receiptWords, int(r)) }
func (o OverRate) String() string { return word(overRateWords, int(o)) }
func (k RateKind) String() string { return word(kindWords, int(k)) }

func word(words []string, i int) string {
	if i < 1 || i > len(words) {
		return ""
	}
	return words[i-1]
}

// String writes "mcc 262 mnc 01", "mcc 262", "prefix 49" or "any number".
func (m Match) String() string {
	switch {
	case m.MNC != "":
		return "mcc " + m.MCC + " mnc " + m.MNC
	case m.MCC != "":
		return "mcc " + m.MCC
	case m.Prefix != "":
		return "prefix " + m.Prefix
	}
	return "any number"
}

// ClassText is the class as the file writes it; empty is every class.
func (r *Route) ClassText() string {
	if r.AnyClass {
		return ""
	}
	return r.Class.String()
}

// AsText is the class that the row gives to messages, empty for none.
func (r *Route) AsText() string {
	if !r.Lowers {
		return ""
	}
	return r.As.String()
}

// Serves reports whether the row is for messages of class c.
func (r *Route) Serves(c ledger.Class) bool { return r.AnyClass || r.Class == c }

func tpsText(n int) string {
	if n == 0 {
		return unlimited
	}
	return strconv.Itoa(n)
}

// statusOf reads a command_status by its ESME_ name or as a number, 69 or 0x45.
func statusOf(s string) (pdu.Status, error) {
	if strings.HasPrefix(s, "ESME_") {
		for st := pdu.Status(0); st < 0x500; st++ {
			if st.String() == s {
				return checkedStatus(st)
			}
		}
		return 0, fmt.Errorf("%q is not the name of a command_status", s)
	}
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is neither an ESME_ name nor a number", s)
	}
	return checkedStatus(pdu.Status(n))
}

func checkedStatus(st pdu.Status) (pdu.Status, error) {
	if st == pdu.ROK {
		return 0, fmt.Errorf("status 0 would say that the message is accepted")
	}
	return st, nil
}

// modesText writes the modes of esm_class that a client may ask for.
func modesText(c *Client) string {
	var s []string
	if c.Datagram {
		s = append(s, "datagram")
	}
	if c.Transaction {
		s = append(s, "transaction")
	}
	return strings.Join(s, " ")
}
