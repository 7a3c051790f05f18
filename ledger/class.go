package ledger

import "fmt"

// Class orders traffic on a carrier's links: a higher class is served first.
type Class uint8

const (
	ClassBulk Class = iota
	ClassTransactional
	ClassOTP
	Classes = int(ClassOTP) + 1
)

var classNames = [Classes]string{"bulk", "transactional", "otp"}

func (c Class) String() string {
	if int(c) < Classes {
		return classNames[c]
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// ParseClass reads bulk, transactional or otp.
func ParseClass(s string) (Class, error) {
	for i, n := range classNames {
		if n == s {
			return Class(i), nil
		}
	}
	return 0, fmt.Errorf("%q is not a class: bulk, transactional or otp", s)
}
