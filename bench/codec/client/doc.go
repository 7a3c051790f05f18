// Command client is an ESME on the Go library gosmpp that sends the messages of forms.json, long ones in the parts that the
// library makes of them. It prints "accepted TO ID" and "receipt ID STAT" lines and exits 0 once all receipts are there.
//
//	client HOST:PORT SYSTEM_ID PASSWORD PREFIX forms.json
package main
