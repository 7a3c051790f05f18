// Package config reads the node file: what one appliance is called, where it listens, where it keeps its
// data and how many workers it runs. Load fills every default, resolves paths against the file, and reports
// all mistakes at once with file, line and the line's text. Nothing in a Node reloads live; what changes
// while running is in the catalog.
package config
