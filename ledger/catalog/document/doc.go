// Package document reads YAML strictly: what the reader did not ask for is a mistake, and all mistakes of
// a document are reported at once, each with its file, its line and the line's text.
//
// The caller opens a document, takes the keys it knows from each mapping by name, and closes the mapping,
// which reports the keys that nobody took. A value that cannot be read is reported and left at its default,
// so that reading goes on to the next mistake. Values of keys that hold secrets never get into a problem.
//
// It is the only room that knows the YAML library. Nothing here is kept after reading; a document belongs
// to one goroutine.
package document
