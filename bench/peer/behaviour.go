package peer

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"smsplane/pdu"
)

// Behaviour is how a simulated carrier treats what it is sent. It can be changed while the carrier runs. The zero
// Behaviour takes everything at once and sends no receipts.
type Behaviour struct {
	IDForm  string        `json:"id_form"`    // form of message ids: "decimal" (default), "hex" or "uuid"
	Latency time.Duration `json:"latency_ns"` // from reading a submit_sm to answering it
	TPS     float64       `json:"tps"`        // submit_sm per second over all binds, beyond it ESME_RTHROTTLED; 0 = no limit
	Window  int           `json:"window"`     // unanswered submit_sm per bind, beyond it ESME_RTHROTTLED; 0 = 65536, the most

	ErrorPercent float64    `json:"error_percent"` // of submit_sm, refused with ErrorStatus
	ErrorStatus  pdu.Status `json:"error_status"`  // default ESME_RSYSERR
	Refuse       []Refusal  `json:"refuse"`        // by destination; the first that fits decides

	Receipts       string        `json:"receipts"`         // "off" (default), "asked" (registered_delivery says so) or "all"
	ReceiptDelay   time.Duration `json:"receipt_delay_ns"` // from taking the message to its receipt
	ReceiptEarly   bool          `json:"receipt_early"`    // receipt before the submit_sm_resp, delay and latency notwithstanding
	FailingPercent float64       `json:"failing_percent"`  // of receipts, UNDELIV in place of DELIVRD
	ReceiptWindow  int           `json:"receipt_window"`   // unanswered deliver_sm per bind; 0 = 1000

	Mischief Mischief `json:"mischief"`

	form idForm // of IDForm
}

// Refusal is a status for every destination with a prefix.
type Refusal struct {
	Prefix string     `json:"prefix"` // digits
	Status pdu.Status `json:"status"`
}

func (b *Behaviour) fill() {
	if b.IDForm == "" {
		b.IDForm = "decimal"
	}
	b.form = idForms[b.IDForm]
	if b.Receipts == "" {
		b.Receipts = "off"
	}
	if b.ErrorStatus == pdu.ROK {
		b.ErrorStatus = pdu.RSysErr
	}
	if b.Window <= 0 || b.Window > maxAnswers {
		b.Window = maxAnswers
	}
	if b.ReceiptWindow <= 0 {
		b.ReceiptWindow = 1000
	}
}

// Validate gives all reasons why b makes no sense, nil when there is none.
func (b *Behaviour) Validate() error {
	var bad []string
	oneOf := func(name, v string, of ...string) {
		for _, o := range of {
			if v == o {
				return
			}
		}
		bad = append(bad, fmt.Sprintf("%s %q is none of %s", name, v, strings.Join(of, ", ")))
	}
	percent := func(name string, v float64) {
		if v < 0 || v > 100 {
			bad = append(bad, fmt.Sprintf("%s %v is not between 0 and 100", name, v))
		}
	}
	oneOf("id form", b.IDForm, "", "decimal", "hex", "uuid")
	oneOf("receipts", b.Receipts, "", "off", "asked", "all")
	percent("error percent", b.ErrorPercent)
	percent("failing percent", b.FailingPercent)
	if b.TPS < 0 || b.Latency < 0 || b.ReceiptDelay < 0 {
		bad = append(bad, "tps, latency and receipt delay cannot be negative")
	}
	if err := b.Mischief.validate(); err != nil {
		bad = append(bad, err.Error())
	}
	if bad != nil {
		return fmt.Errorf("carrier behaviour: %s", strings.Join(bad, "; "))
	}
	return nil
}

// ParseRefusals reads "PREFIX=STATUS,…"; the status is decimal or 0x hex, as in 49151=8.
func ParseRefusals(s string) ([]Refusal, error) {
	var out []Refusal
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' }) {
		prefix, status, ok := strings.Cut(strings.TrimSpace(part), "=")
		st, err := strconv.ParseUint(status, 0, 32)
		if !ok || err != nil || st == 0 || strings.Trim(prefix, "0123456789") != "" {
			return nil, fmt.Errorf("refusal %q is not PREFIX=STATUS, such as 49151=8 or 49151=0x58", part)
		}
		out = append(out, Refusal{prefix, pdu.Status(st)})
	}
	return out, nil
}

// refusalOf is the status a destination is refused with, ROK if it is not.
func (b *Behaviour) refusalOf(dst []byte) pdu.Status {
	for i := range b.Refuse {
		if r := &b.Refuse[i]; len(dst) >= len(r.Prefix) && string(dst[:len(r.Prefix)]) == r.Prefix {
			return r.Status
		}
	}
	return pdu.ROK
}

// Loopback says whether address names this machine only.
func Loopback(address string) bool {
	if strings.HasPrefix(address, "localhost:") {
		return true
	}
	ap, err := netip.ParseAddrPort(address)
	return err == nil && ap.Addr().IsLoopback()
}
