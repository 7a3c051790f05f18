//go:build !linux

package dataplane

import (
	"errors"
	"os"
)

// makeBallast writes the file: zeros are blocks, too.
func makeBallast(file string, size int64) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < size && err == nil; at += int64(len(zeros)) {
		_, err = f.Write(zeros[:min(size-at, int64(len(zeros)))])
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return nil
}
