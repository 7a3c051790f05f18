// Package catalog reads what operators declare: clients and carriers in YAML, networks, rates, routes and
// the owners of inbound numbers in tables.
//
// A catalog is a folder of six files. networks.csv and mo.yaml may be absent; the others must be there.
//
//	clients.yaml    who binds to us            carriers.yaml   whom we bind to
//	rates.csv       sell and buy prices        routes.csv      which carriers serve a plan
//	networks.csv    prefix to MCC and MNC      mo.yaml         inbound numbers and their clients
//
// Parse is all or nothing: it returns a Catalog that is consistent in itself, or every problem of every
// file at once with its file and line. It reads no disk: Read collects the files before, so that a version
// can travel in a CATALOG record and be parsed again by any replica with the same result.
//
// A Catalog is never changed after Parse; any number of goroutines may read it. Prices are millionths of a
// currency unit per message part, instants are unix nanoseconds, dates are days in UTC.
package catalog
