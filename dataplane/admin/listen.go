package admin

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// CheckAddress says why addr cannot be the admin address. Until TLS and a token exist only loopback
// addresses are taken, or localhost.
func CheckAddress(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("admin address %q: want host:port: %w", addr, err)
	}
	if !localName(host) {
		return fmt.Errorf("admin address %q: only loopback addresses are taken, 127.0.0.1 or [::1]", addr)
	}
	return nil
}

// Listen opens the admin address.
func Listen(addr string) (net.Listener, error) {
	if err := CheckAddress(addr); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	// What localhost means is for the resolver to say, and it could say anything.
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("admin address %q is %s, which is not loopback", addr, l.Addr()), l.Close())
	}
	return l, nil
}

// Time and size of a request. Answers have their own bound, by endpoint.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 30 * time.Second
	idleTimeout    = time.Minute
	maxHeaderBytes = 16 << 10
)

// NewServer serves s, which is the node of that name. The owner calls Serve with what Listen gave, and Shutdown or Close at the end.
func NewServer(s Source, node string) *http.Server {
	h := Handler(s)
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(nodeHeader, node)
			h.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
	}
}

// nodeHeader tells in every answer whose it is: two nodes of one host may be told the same address, one after the other.
const nodeHeader = "Smsplane-Node"

// localHost says whether a Host header names a loopback address. A page from elsewhere whose name was
// rebound to 127.0.0.1 still sends its own name.
func localHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	if n := len(host); n > 2 && host[0] == '[' && host[n-1] == ']' {
		host = host[1 : n-1]
	}
	return localName(host)
}

func localName(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
