package bench

import (
	"fmt"
	"os"
	"testing"
)

var productDir string // where product builds

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "smsbench-product-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	productDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}
