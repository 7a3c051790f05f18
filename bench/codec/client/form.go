package main

import (
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/linxGnu/gosmpp/data"
	"github.com/linxGnu/gosmpp/pdu"
)

// form is one message of the file.
type form struct {
	Coding       byte
	Text         string
	Times        int
	UDH          string
	Octets       int
	Payload, SAR bool
}

func source() pdu.Address { return address(5, 0, "gosmpp") }

func address(ton, npi byte, text string) pdu.Address {
	a := pdu.NewAddressWithTonNpi(ton, npi)
	_ = a.SetAddress(text) // fails on texts too long only
	return a
}

// message is an empty submit_sm to a number.
func message(to string) *pdu.SubmitSM {
	m := pdu.NewSubmitSM().(*pdu.SubmitSM)
	m.SourceAddr, m.DestAddr = source(), address(1, 1, to)
	return m
}

func (f form) text() string { return strings.Repeat(f.Text, max(f.Times, 1)) }

func (f form) encoding() data.Encoding {
	switch f.Coding {
	case 0:
		return data.GSM7BIT
	case 8:
		return data.UCS2
	}
	return data.BINARY8BIT2
}

func (f form) octets() ([]byte, error) {
	if f.Octets == 0 {
		return f.encoding().Encode(f.text())
	}
	b := make([]byte, f.Octets)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b, nil
}

// parts makes the submit_sm of a form.
func (f form) parts(to string) ([]*pdu.SubmitSM, error) {
	if !f.Payload && f.UDH == "" {
		return f.split(to)
	}
	octets, err := f.octets()
	if err != nil {
		return nil, err
	}
	m := message(to)
	if f.Payload {
		m.RegisterOptionalParam(pdu.Field{Tag: pdu.TagMessagePayload, Data: octets})
		return []*pdu.SubmitSM{m}, m.Message.SetMessageDataWithEncoding(nil, f.encoding())
	}
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
	return []*pdu.SubmitSM{m}, m.Message.SetMessageDataWithEncoding(octets, f.encoding())
}

// split lets the library divide a text, and says which part is which by its header or by sar_* TLVs.
func (f form) split(to string) ([]*pdu.SubmitSM, error) {
	m := message(to)
	if err := m.Message.SetLongMessageWithEnc(f.text(), f.encoding()); err != nil {
		return nil, err
	}
	parts, err := m.Split()
	if err != nil || !f.SAR {
		return parts, err
	}
	for i, p := range parts {
		octets, err := p.Message.GetMessageData()
		if err != nil {
			return nil, err
		}
		m := message(to) // Split leaves every part the same TLVs
		if err := m.Message.SetMessageDataWithEncoding(octets, f.encoding()); err != nil {
			return nil, err
		}
		m.RegisterOptionalParam(pdu.Field{Tag: pdu.TagSarMsgRefNum, Data: binary.BigEndian.AppendUint16(nil, 0x5A5A)})
		m.RegisterOptionalParam(pdu.Field{Tag: pdu.TagSarTotalSegments, Data: []byte{byte(len(parts))}})
		m.RegisterOptionalParam(pdu.Field{Tag: pdu.TagSarSegmentSeqnum, Data: []byte{byte(i + 1)}})
		parts[i] = m
	}
	return parts, nil
}
