// Package router decides which carriers a message is offered to, in which order, and at what price.
//
// Compile turns a catalog into a Table that is never changed again: the owner swaps one pointer, a plan
// says which version made it. Any goroutine may read a Table; lookups allocate nothing. Recent is the
// other half: what each carrier lately did with the numbers of a prefix. It belongs to one goroutine and
// is handed in, so that planning stays a function of table, message, time and one random number.
//
// Which rows serve a number: of those whose class fits, the ones with the most exact match (MCC and MNC,
// then MCC, then the longest prefix, then none) and among these the ones that name the class before those
// that name none. Less exact rows are not a fallback. The rows chosen are ordered by tier, by weight
// inside a tier, and targets that only fail lately stand behind all the others.
package router
