package pdu

import "time"

// timeLen is the size of a time without its NUL (3.4 §7.1.1, 5.0 §4.7.23):
//
//	YYMMDDhhmmss t nn p   t tenths, nn quarter hours, p + local time ahead of UTC, - behind, R relative to now
const timeLen = 16

// timeFields are the two-digit numbers a time or a date begins with: year, month, day, hour, minute, second.
type timeFields [6]int

// validTime reports whether b can be read by ParseTime.
func validTime(b []byte) bool {
	if len(b) != timeLen || !digits(b[:timeLen-1]) {
		return false
	}
	switch b[timeLen-1] {
	case 'R':
		return true
	case '+', '-':
		var f timeFields
		return f.read(b) && pair(b[13:]) <= 48
	}
	return false
}

func digits(b []byte) bool {
	for _, c := range b {
		if c-'0' > 9 {
			return false
		}
	}
	return true
}

func pair(b []byte) int { return int(b[0]-'0')*10 + int(b[1]-'0') }

// monthDays has room for leap days; 29 February of another year reads as 1 March.
var monthDays = [13]int{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// read takes YYMMDDhhmm[ss], digits already, and reports whether it is a date.
func (f *timeFields) read(b []byte) bool {
	for i := 0; i < len(f) && len(b) >= 2*i+2; i++ {
		f[i] = pair(b[2*i:])
	}
	return f[1] >= 1 && f[1] <= 12 && f[2] >= 1 && f[2] <= monthDays[f[1]] && f[3] < 24 && f[4] < 60 && f[5] < 60
}

// in is the instant in UTC, in the given century.
func (f *timeFields) in(century int) time.Time {
	return time.Date(century+f[0], time.Month(f[1]), f[2], f[3], f[4], f[5], 0, time.UTC)
}

// ParseTime reads a schedule_delivery_time or validity_period, without its NUL, into unix nanoseconds. An empty one is
// 0, true. A relative time counts from now in calendar years and months. A two-digit year is in the century that puts
// it nearest to now.
func ParseTime(b []byte, now int64) (at int64, ok bool) {
	if len(b) == 0 {
		return 0, true
	}
	if !validTime(b) {
		return 0, false
	}
	var f timeFields
	f.read(b)
	n := time.Unix(0, now).UTC()
	if b[timeLen-1] == 'R' {
		t := n.AddDate(f[0], f[1], f[2])
		return t.UnixNano() + int64(f[3])*int64(time.Hour) + int64(f[4])*int64(time.Minute) + int64(f[5])*int64(time.Second), true
	}
	return f.in(nearestCentury(f[0], n.Year())).UnixNano() + subSecond(b), true
}

// nearestCentury is the century in which the two-digit year yy is at most 50 years from year.
func nearestCentury(yy, year int) int {
	c := year - year%100
	switch d := c + yy - year; {
	case d > 50:
		return c - 100
	case d < -50:
		return c + 100
	}
	return c
}

// subSecond is what tenths and the quarter-hour offset add, in ns: UTC is local time less the offset when ahead.
func subSecond(b []byte) int64 {
	offset := int64(pair(b[13:])) * int64(15*time.Minute)
	if b[15] == '+' {
		offset = -offset
	}
	return int64(b[12]-'0')*int64(100*time.Millisecond) + offset
}

// maxRelative is the longest time AppendTimeRelative says: the two digits of the day field. Months and years are not
// used, since how long they are depends on the reader's calendar.
const maxRelative = 99*24*time.Hour + 24*time.Hour - time.Second

// AppendTimeRelative writes d as a relative time, in whole seconds, at least one and at most maxRelative.
func AppendTimeRelative(dst []byte, d time.Duration) []byte {
	s := int(min(max(d, time.Second), maxRelative) / time.Second)
	dst = append(dst, '0', '0', '0', '0')
	dst = appendPair(dst, s/86400)
	dst = appendPair(dst, s/3600%24)
	dst = appendPair(dst, s/60%60)
	dst = appendPair(dst, s%60)
	return append(dst, '0', '0', '0', 'R')
}

// AppendTimeAbsolute writes at, unix ns, as an absolute time in UTC with tenths of a second.
func AppendTimeAbsolute(dst []byte, at int64) []byte {
	t := time.Unix(0, at).UTC()
	dst = appendDate(dst, t)
	dst = appendPair(dst, t.Second())
	return append(dst, '0'+byte(t.Nanosecond()/int(100*time.Millisecond)), '0', '0', '+')
}

// appendDate writes YYMMDDhhmm, the form of a receipt's dates.
func appendDate(dst []byte, t time.Time) []byte {
	year, month, day := t.Date()
	dst = appendPair(dst, year%100)
	dst = appendPair(dst, int(month))
	dst = appendPair(dst, day)
	dst = appendPair(dst, t.Hour())
	return appendPair(dst, t.Minute())
}

func appendPair(dst []byte, n int) []byte { return append(dst, '0'+byte(n/10), '0'+byte(n%10)) }

// ParseDate reads a date an SMSC reports, in a receipt or as final_date, into unix nanoseconds; 0 when it is absent,
// all zeros or unreadable, because a bad date must not cost a receipt. Seen in the field: 10 digits YYMMDDhhmm
// (3.4 Appendix B), 12 with seconds, 14 with a four-digit year, 15 with milliseconds, and the full SMPP time. A time
// without an offset is read as UTC. Unix seconds are not guessed at: ten digits are always YYMMDDhhmm.
func ParseDate(b []byte) int64 {
	var f timeFields
	switch n := len(b); {
	case n == timeLen && validTime(b) && b[15] != 'R':
		f.read(b)
		return f.in(fixedCentury(f[0])).UnixNano() + subSecond(b)
	case n < 10 || n > 15 || !digits(b):
		return 0
	case n == 14 && f.read(b[2:]) && (b[0] == '1' && b[1] == '9' || b[0] == '2' && b[1] == '0'):
		return f.in(pair(b) * 100).UnixNano()
	case (n == 10 || n == 12) && f.read(b):
		return f.in(fixedCentury(f[0])).UnixNano()
	case n == 15 && f.read(b[:12]):
		ms := int64(b[12]-'0')*100 + int64(pair(b[13:]))
		return f.in(fixedCentury(f[0])).UnixNano() + ms*int64(time.Millisecond)
	}
	return 0
}

// fixedCentury follows 3.4 §7.1.1: 38 to 99 are 19xx.
func fixedCentury(yy int) int {
	if yy >= 38 {
		return 1900
	}
	return 2000
}
