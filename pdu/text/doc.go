// Package text knows the alphabets of short messages and counts the parts a message takes on the air.
//
// It covers the GSM 7-bit default alphabet with its extension (3GPP TS 23.038 §6.2.1), UCS-2 read as UTF-16 in big-endian
// order, and Latin-1. National shift tables are left out: such messages are passed on untouched, as all messages are.
// Septets stand one to an octet, as SMPP carries them; nothing here packs them.
//
// Everything is a pure function of its arguments and may be called from any goroutine. Encoders and decoders append to
// dst; nothing keeps its input. Decoders never fail: what cannot be read becomes U+FFFD.
package text
