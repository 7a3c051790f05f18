// Package text knows the alphabets of short messages and counts the parts a message takes on the air.
package text
