package pdu

import "time"

// ParseTime reads an SMPP time (3.4 §7.1.1, 5.0 §4.7.23).
func ParseTime(b []byte, now int64) (at int64, ok bool) { return 0, len(b) == 0 }

// AppendTimeRelative writes d as a relative time.
func AppendTimeRelative(dst []byte, d time.Duration) []byte { return dst }

// AppendTimeAbsolute writes at, unix ns, as an absolute time in UTC.
func AppendTimeAbsolute(dst []byte, at int64) []byte { return dst }

func validTime(b []byte) bool { return len(b) == 16 }
