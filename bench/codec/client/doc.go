// Command client is an ESME on the Go library gosmpp that does what bench/e2e/doc.go lists: it sends the messages of
// forms.json, long ones in the parts that the library makes of them, one to several destinations at once, changes one and
// takes one back, and prints what it is told.
//
//	client HOST:PORT SYSTEM_ID PASSWORD PREFIX forms.json [tls]
package main
