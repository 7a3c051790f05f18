package dataplane

import (
	"bytes"
	"strconv"
)

// parseUint and formatUint convert the ids of carriers that do not write them alike everywhere.

func parseUint(b []byte, base int) (uint64, bool) {
	v, err := strconv.ParseUint(string(b), base, 64)
	return v, err == nil
}

func formatUint(v uint64, base int, upper bool) []byte {
	b := strconv.AppendUint(nil, v, base)
	if upper {
		return bytes.ToUpper(b)
	}
	return b
}
