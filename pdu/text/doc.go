// Package text knows the alphabets of short messages and counts the parts a message takes on the air.
//
// It covers the GSM 7-bit default alphabet with its extension (3GPP TS 23.038 §6.2.1), UCS-2 read as UTF-16, Latin-1, ASCII and
// UTF-8; Charset has them in the forms that peers write them in. Septets stand one to an octet, as SMPP carries them; only
// Packed is otherwise.
//
// National shift tables (TS 23.038 Annex A) are not among them: text behind a header that names one is not transcoded here or
// anywhere. It can be counted and cut, as its units are septets and its escapes stand where those of the default alphabet do;
// who cuts keeps the header in front of every part.
//
// Everything is a pure function of its arguments and may be called from any goroutine. Encoders and decoders append to
// dst; nothing keeps its input. Decoders never fail: what cannot be read becomes U+FFFD.
package text
