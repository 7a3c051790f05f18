package main

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"text/template"

	"github.com/spf13/cobra"
)

// The folders that init writes: own for one's own client and carrier, demo for `make run`.
//
//go:embed scaffold
var scaffold embed.FS

// passwordLen is the longest password SMPP 3.4 §5.2.2 has room for.
const passwordLen = 8

func (c *cli) initCommand() *cobra.Command {
	var demo bool
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Write an annotated node file and catalog for one's own client and carrier",
		Args:  cobra.ExactArgs(1),
		RunE: c.does(func(_ context.Context, args []string) error {
			dir, kind := args[0], "own"
			if demo {
				kind = "demo"
			}
			if err := writeFolder(dir, kind); err != nil {
				return fmt.Errorf("init %s: %w", dir, err)
			}
			config := filepath.Join(dir, "smsplane.yaml")
			fmt.Fprintf(c.out, "wrote %s and %s\nnext: smsplane check --config %s, then smsplane serve --config %s\n",
				config, filepath.Join(dir, "catalog"), config, config)
			return nil
		}),
	}
	cmd.Flags().BoolVar(&demo, "demo", false, "the folder of `make run`: client demo, two simulated carriers")
	return cmd
}

// writeFolder writes a scaffold into dir, which must not hold a node file or a catalog yet.
func writeFolder(dir, kind string) error {
	for _, name := range []string{"smsplane.yaml", "catalog"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("%s is already there, and nothing is overwritten", name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	root, err := fs.Sub(scaffold, "scaffold/"+kind)
	if err != nil {
		return err
	}
	values := struct{ Password string }{rand.Text()[:passwordLen]}
	return fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(name))
		if d.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		t, err := template.ParseFS(root, name)
		if err != nil {
			return err
		}
		// Only the owner: the catalog holds passwords.
		f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		return errors.Join(t.Execute(f, values), f.Close())
	})
}
