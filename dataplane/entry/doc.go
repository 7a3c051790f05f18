// Package entry is layer 2: what a bound client sends is checked, priced and admitted into its lane's open
// block, and answered when that block is committed.
//
// Admission decides everything that a command_status can still say: fields, number, route, price, credit.
// What is admitted becomes an ACCEPT record with the price frozen and its amount held; what is refused gets
// its exact status, is never charged and leaves no record. A message inside a block that was cut is never
// answered with an error: it gets status 0, or its connection closes. Messages in transaction mode and broadcasts
// alone are answered by their end, whatever that is.
//
// A Desk and all it holds belong to one loop; nothing here blocks, locks or reads a clock. The one thing shared
// with another goroutine is Account.Credit, an atomic that the executor raises when a hold ends.
package entry
