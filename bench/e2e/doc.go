// Package e2e tests the built binaries from outside: the appliance as a process, real sockets, real
// kills, and on the other side software that is not ours (npm smpp, Perl's Net::SMPP, gosmpp,
// Kannel, openssl, tshark) or the few lines of SMPP in these files, which share no code with the appliance on purpose.
//
// Run by `make e2e` with the build tag e2e, after deps.sh has fetched what it needs. Every process is
// started by the test that needs it and ended by its id; every wait is bounded and says what it waited
// for. Tests run one after the other: some need the fixed ports of the sample folders.
//
// # Clients that are not ours
//
// TestClients has each of them do the same over TCP and over TLS, at one appliance with one carrier, and compares what the
// carrier has octet by octet, text code point by code point, and the receipts that come back:
//
//	                                        npm smpp 0.5   Net::SMPP 1.19   gosmpp 0.3   Kannel 1.4.5
//	text, GSM 7-bit with escapes            yes            yes              yes          yes
//	long GSM 7-bit, parts by UDH            yes            yes              yes          yes
//	long GSM 7-bit, parts by sar_* TLVs     yes            yes              yes          reads them only
//	UCS-2 with emoji, one part and long     yes            yes              yes          yes
//	long UCS-2 with emoji, by sar_* TLVs    yes            yes              yes          reads them only
//	binary with UDH                         yes            yes              yes          yes
//	message_payload of 20 KB, octets, text  yes            yes              yes          reads it only: divides what it sends
//	submit_multi, with two of four refused  yes            yes              yes          has no such PDU
//	query_sm of a message that waits        yes            yes              yes          has no such PDU
//	replace_sm, and the new text arrives    yes            yes              yes          has no such PDU
//	cancel_sm, twice; DELETED when asked    yes            yes              yes          has no such PDU
//	query_sm of an id nobody gave           yes            yes              ends itself  has no such PDU
//	receipts, one for each id               yes            yes              yes          asks for that of the first part
//	from a phone: GSM 7-bit, UCS-2, binary  yes            yes              yes          yes
//	TLS                                     yes            IO::Socket::SSL  yes          yes
//
// gosmpp reads a query_sm_resp without a body, as an error has it (5.0 §3.2), as the end of the stream.
//
// The clients in node/forms.js, perl/forms.pl and ../codec/client print what they are told, one line each:
//
//	accepted TO ID                     submit_sm_resp
//	receipt ID STAT FROM TO            deliver_sm
//	mobile FROM TO CODING HEX          deliver_sm of a phone: text as UTF-8, binary with its header
//	multi STATUS ID TO:STATUS,...      submit_multi_resp, with those refused
//	query STATUS [STATE], replace STATUS, cancel STATUS
package e2e
