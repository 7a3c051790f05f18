// Package pdu is the SMPP codec: versions 3.3, 3.4 and 5.0, every PDU, every TLV, every status.
//
// There are two ways to read a PDU. Message is the hot one: a view over submit_sm, deliver_sm and data_sm that
// remembers offsets, allocates nothing and copies nothing. Decode is the cold one: it follows the field tables of
// layout.go, works for every PDU, and allocates what it returns. Writing is append-style everywhere: a function takes
// dst and returns it longer, and the caller owns the buffer.
//
// Invariants:
//   - Nothing here panics on input from a peer, and nothing reads beyond the slice it was given.
//   - Malformed input comes back as the command_status to answer with. The header can always be read, so there is
//     always something to answer.
//   - TLVs we do not know are kept octet for octet and in order.
//   - No I/O, no clock, no goroutine, no state between calls. Any goroutine may call any function; a Message
//     belongs to one goroutine at a time.
//
// Slices returned by views alias the PDU they were parsed from and live exactly as long as it does. On a session that
// means until the handler returns; what must outlive it is copied by the caller.
//
// Section numbers in comments are those of SMPP v3.4 issue 1.2 ("3.4 §5.2.12") and SMPP v5.0 ("5.0 §4.7.12").
package pdu
