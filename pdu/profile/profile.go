package profile

import (
	"smsplane/pdu"
	"smsplane/pdu/text"
)

// Link is one link to a carrier.
type Link struct {
	IDs      IDs
	Receipts Reading
	Text     Charsets
	Codings  []uint8 // values of data_coding that it takes for text, out of 0, 1, 3, 8; nil: all
	Long     Long    // how it takes text that is longer than one short message
	Parts    Parts   // how it takes the parts of a text that the client split
	Source   Source
	Dest     Dest
	TLVs     TLVs
}

// Client is one client.
type Client struct {
	Text     Charsets
	Joined   Parts // how it takes the parts of texts from carriers
	Long     Long  // how it takes texts from carriers that are longer than one short message: LongAsIs, or in parts
	Receipts Writing
	Statuses []Status // what it is told instead of an ESME_ value that it misunderstands
}

// Charsets is which charset a peer means by a data_coding.
type Charsets struct {
	DCS0 text.Charset // by 0: Unpacked unless it says otherwise
	UCS2 text.Charset // by 8: UTF16BE unless it says otherwise; see Charset
}

// charset is what a peer means by coding; false for what is not text, or nothing to be agreed on.
func (t *Charsets) charset(coding uint8) (text.Charset, bool) {
	switch coding {
	case 0:
		return t.DCS0, true
	case 1:
		return text.ASCII, true
	case 3:
		return text.ISO88591, true
	case 8:
		if t.UCS2 < text.UTF16BE {
			return text.UTF16BE, true
		}
		return t.UCS2, true
	}
	return 0, false
}

// Long is where a text goes that one PDU carries whole.
type Long uint8

const (
	LongAsIs    Long = iota // where the client put it
	LongPayload             // into message_payload if it takes several short messages, else into short_message
	LongShort               // into short_message as far as that holds it (254 octets)
	LongAlways              // into message_payload, however short
	LongUDH8                // into parts of one short message each, joined by a user data header of 8-bit references
	LongUDH16               // likewise, of 16-bit references
	LongSAR                 // likewise, by sar_* TLVs
)

// joined is how the parts say that they belong together; PartsAsIs where there are none.
func (l Long) joined() Parts {
	switch l {
	case LongUDH8:
		return PartsUDH8
	case LongUDH16:
		return PartsUDH16
	case LongSAR:
		return PartsSAR
	}
	return PartsAsIs
}

// Parts is how parts say that they belong together.
type Parts uint8

const (
	PartsAsIs    Parts = iota // as the client said it
	PartsUDH8                 // user data header, 8-bit reference
	PartsUDH16                // user data header, 16-bit reference
	PartsSAR                  // sar_msg_ref_num, sar_total_segments, sar_segment_seqnum
	PartsPayload              // not at all: all of them are one message_payload; what goes alone is as the client said it
)

// Address is a TON and NPI to write whatever the client wrote.
type Address struct {
	Set      bool
	TON, NPI uint8
}

// Source is TON and NPI by the kind of sender.
type Source struct{ Name, Short, Number Address }

// kind is the rule for a sender: letters are a name, up to eight digits a short code.
func (s *Source) kind(addr []byte) Address {
	for _, c := range addr {
		if (c < '0' || c > '9') && c != '+' {
			return s.Name
		}
	}
	if len(addr) <= 8 {
		return s.Short
	}
	return s.Number
}

// Dest is how a carrier wants destinations: always the E.164 digits, behind Prefix.
type Dest struct {
	Address
	Prefix string
}

// TLVs are what is added, left out and passed on.
type TLVs struct {
	AllVendor bool      // pass 0x1400 to 0x3FFF, which mean something only between peers who agreed
	Vendor    []pdu.Tag // pass these of them
	Drop      []pdu.Tag
	Rename    []Renamed
	Add       []byte // whole TLVs, added where the message has none of the tag
}

// Renamed is a tag that the carrier knows by another number.
type Renamed struct{ From, To pdu.Tag }

// Status is one command_status in place of another.
type Status struct{ From, To pdu.Status }

// Told is the status that the client is told.
func (c *Client) Told(st pdu.Status) pdu.Status {
	for _, s := range c.Statuses {
		if s.From == st {
			return s.To
		}
	}
	return st
}

// Reading is how a carrier's receipts are to be read.
type Reading struct {
	From    From
	Classes []uint8 // esm_class values that are receipts although they do not say so
	States  []Word  // words of stat that mean something else than is usual, or are unknown
}

// From is which part of a receipt is believed.
type From uint8

const (
	FromBoth From = iota // TLVs first, what they leave open from the text
	FromText
	FromTLVs
)

// Word is a vendor's word for a state.
type Word struct {
	Word  string
	State pdu.State
}

// Writing is how a client wants its receipts.
type Writing struct {
	What     From  // FromBoth writes text and TLVs
	ESMClass uint8 // 0x04, as the specification says, or what the client expects instead
	ID       Base  // Decimal: our id as a decimal number, Hex as 16 hex digits in capitals, Text as 16 in small ones
}
