package dataplane

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// makeBallast takes blocks of the file system without writing them.
func makeBallast(file string, size int64) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(unix.Fallocate(int(f.Fd()), 0, 0, size), f.Close()); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return nil
}
