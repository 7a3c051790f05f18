package text

// Alphabet is what data_coding says the user data is made of.
type Alphabet uint8

const (
	GSM7   Alphabet = iota // septets, one to an octet
	Octets                 // binary, or several octets to a character
	UCS2
	Latin1
	Local // one octet to a character, not Latin: Cyrillic, Hebrew
)

// AlphabetOf reads data_coding (3.4 §5.2.19). 0 is whatever the SMSC likes and nearly always the GSM alphabet; 1 is IA5
// and mostly treated as GSM. From 0x10 on the value is a GSM data coding scheme (3GPP TS 23.038 §4).
func AlphabetOf(coding uint8) Alphabet {
	switch coding >> 4 {
	case 0:
		return codings[coding]
	case 1, 2, 3, 4, 5, 6, 7: // general data coding: bits 3 and 2
		return [4]Alphabet{GSM7, Octets, UCS2, Octets}[coding>>2&3]
	case 0xC, 0xD: // message waiting
		return GSM7
	case 0xE: // message waiting
		return UCS2
	case 0xF: // message class
		if coding&4 != 0 {
			return Octets
		}
		return GSM7
	}
	return Octets
}

// codings are the values SMPP itself defines; the rest of the sixteen are binary, multi-octet or reserved.
var codings = [16]Alphabet{0: GSM7, 1: GSM7, 2: Octets, 3: Latin1, 4: Octets, 5: Octets, 6: Local, 7: Local, 8: UCS2,
	9: Octets, 10: Octets, 11: Octets, 12: Octets, 13: Octets, 14: Octets, 15: Octets}

// Decode appends data as UTF-8 for people to read, by data_coding. Binary has no text, and reports false.
func Decode(dst []byte, coding uint8, data []byte) ([]byte, bool) {
	switch AlphabetOf(coding) {
	case GSM7:
		return DecodeGSM7(dst, data), true
	case UCS2:
		return DecodeUCS2(dst, data), true
	case Latin1:
		return DecodeLatin1(dst, data), true
	}
	return dst, false
}
