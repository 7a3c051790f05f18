package main

import (
	"context"
	"os"

	"smsplane/dataplane"
)

func main() {
	c := cli{out: os.Stdout, err: os.Stderr, node: node{
		serve:   dataplane.Serve,
		witness: dataplane.Witness,
		check:   dataplane.CheckConfig,
		open:    dataplane.OpenOffline,
		restore: dataplane.Restore,
	}}
	os.Exit(c.run(context.Background(), os.Args[1:]))
}
