package peer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// FreeAddress is one of the loopback that nobody listens on, below the ports that outgoing connections are given: none of
// those takes it before its owner listens. It may be told twice as long as its owner does not.
func FreeAddress() (string, error) {
	for range 1000 {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000)))
		if err == nil {
			defer ln.Close()
			return ln.Addr().String(), nil
		}
	}
	return "", errors.New("a thousand ports between 10000 and 30000 are taken")
}
