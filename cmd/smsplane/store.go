package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"smsplane/dataplane/admin"
	"smsplane/dataplane/config"
)

func (c *cli) storeCommands() *cobra.Command {
	return group("store", "The store of this host", c.storeCheckCommand(), c.storeStatCommand(), c.storeDumpCommand(), c.storeBackupCommand(),
		c.storeRestoreCommand())
}

func (c *cli) storeCheckCommand() *cobra.Command {
	cmd := c.reportCommand("check", "Read the whole store and verify checksums and invariants", nil)
	replay := cmd.Flags().Bool("replay", false, "fold the log from empty as well; needs journal: {retain: all}")
	cmd.RunE = c.asks(func(ctx context.Context, s admin.Source, _ []string) error {
		r, err := s.Check(ctx)
		if err == nil && *replay {
			var again admin.Report
			again, err = s.Refold(ctx)
			r.OK = r.OK && again.OK
			r.Lines = append(r.Lines, again.Lines...)
		}
		if err != nil {
			return err
		}
		return c.report("check", r)
	})
	return cmd
}

func (c *cli) storeStatCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stat",
		Short: "Tell what takes how much room, and where each lane's log begins",
		Args:  cobra.NoArgs,
		RunE: c.asks(func(ctx context.Context, s admin.Source, _ []string) error {
			st, err := s.Stat(ctx)
			if err != nil {
				return err
			}
			return show(c, st, func(t *table, st admin.StoreStat) {
				t.line(fmt.Sprintf("store %s, layout version %d: %d octets on disk, %d octets of blocks in memory", st.ID, st.Version, st.Disk, st.Resident))
				if st.Free > 0 {
					t.line(fmt.Sprintf("the file system has %d octets free; accepting stops at %d; stopped now: %s", st.Free, st.Reserve, yes(st.Full)))
				}
				t.line("")
				t.row("LANE", "LOG FROM", "TO", "APPLIED", "LIVE", "TABLE B", "RESIDENT B", "EDR PACKS")
				for _, l := range st.Lanes {
					t.row(count(l.Lane), count(l.First), count(l.Last), count(l.Applied), count(l.Live), count(l.Slots), count(l.Resident), count(l.Packs))
				}
				t.line("")
				t.row("KIND", "LANE", "KEYS", "OCTETS", "IN TABLES")
				for _, u := range st.Sizes {
					t.row(u.Kind, count(u.Lane), count(u.Keys), count(u.Bytes), count(u.Disk))
				}
			})
		}),
	}
}

func (c *cli) storeDumpCommand() *cobra.Command {
	var q admin.DumpQuery
	cmd := &cobra.Command{
		Use:   "dump",
		Short: "Print the log's records in words: a range of a lane, or one message",
		Args:  cobra.NoArgs,
		RunE: c.asks(func(ctx context.Context, s admin.Source, _ []string) error {
			lines, err := s.Dump(ctx, q)
			if err != nil {
				return err
			}
			return show(c, lines, func(t *table, lines []admin.DumpLine) {
				t.row("LANE", "INDEX", "TIME", "KIND", "MESSAGE", "DETAIL")
				for _, l := range lines {
					t.row(count(l.Lane), count(l.Index), clock(l.Time), l.Kind, l.ID, l.Detail)
				}
			})
		}),
	}
	f := cmd.Flags()
	f.Uint16Var(&q.Lane, "lane", 0, "lane")
	f.Uint64Var(&q.From, "from", 0, "first index; 0 is the beginning of the log")
	f.Uint64Var(&q.To, "to", 0, "last index; 0 is the end")
	f.StringVar(&q.ID, "id", "", "only what is about this message, in its own lane")
	f.IntVar(&q.Limit, "limit", admin.DefaultDump, "most records to print")
	return cmd
}

func (c *cli) storeBackupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup DIR",
		Short: "Write a consistent, verified copy of the store to a new folder, also while the node runs",
		Args:  cobra.ExactArgs(1),
		RunE: c.asks(func(ctx context.Context, s admin.Source, args []string) error {
			dir, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			r, err := s.Backup(ctx, dir)
			if err != nil {
				return err
			}
			return c.report("backup", r)
		}),
	}
}

func (c *cli) storeRestoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restore DIR",
		Short: "Verify a backup and put it in place of an empty data folder; the node must not run",
		Args:  cobra.ExactArgs(1),
		RunE: c.does(func(ctx context.Context, args []string) error {
			n, err := config.Load(c.config)
			if err != nil {
				return err
			}
			if _, err := admin.Dial(ctx, n.Admin.Listen); !errors.Is(err, admin.ErrNotRunning) {
				return errors.Join(fmt.Errorf("a node runs at %s; stop it first", n.Admin.Listen), err)
			}
			r, err := c.node.restore(ctx, c.config, args[0])
			if err != nil {
				return err
			}
			return c.report("restore", r)
		}),
	}
}

// report prints a report; one that is not OK is a finding.
func (c *cli) report(use string, r admin.Report) error {
	if err := show(c, r, func(t *table, r admin.Report) {
		for _, l := range r.Lines {
			t.line(l)
		}
		if r.OK {
			t.line(use + ": ok")
		} else {
			t.line(use + ": FAILED")
		}
	}); err != nil {
		return err
	}
	return orFinding(r.OK)
}

func (c *cli) deedCommand(action, short string) *cobra.Command {
	d := admin.Deed{Action: action}
	cmd := &cobra.Command{
		Use:   action,
		Short: short + "; without --yes it only counts",
		Args:  cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error {
			d.Author = author()
			return d.Valid()
		},
		RunE: c.asks(func(ctx context.Context, s admin.Source, _ []string) error {
			r, err := s.Deed(ctx, d)
			return c.deed(action, r, err)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&d.Carrier, "carrier", "", "that wait for this carrier")
	f.StringVar(&d.Client, "client", "", "of this client")
	f.StringVar(&d.Prefix, "prefix", "", "to numbers that begin so, in digits")
	f.StringVar(&d.Class, "class", "", "otp, transactional or bulk")
	f.DurationVar(&d.OlderThan, "older-than", 0, "accepted longer ago than this")
	f.BoolVar(&d.Yes, "yes", false, "act")
	f.StringVar(&d.Reason, "reason", "", "why, for the journal; needed with --yes")
	return cmd
}

func (c *cli) deed(action string, r admin.DeedResult, err error) error {
	if err != nil {
		return err
	}
	return show(c, r, func(t *table, r admin.DeedResult) {
		for _, l := range r.Elsewhere {
			t.line(l)
		}
		if r.Dry {
			t.line(fmt.Sprintf("%s: %d message(s) match; nothing was done, --yes --reason does it", action, r.Matched))
		} else {
			t.line(fmt.Sprintf("%s: done to %d message(s)", action, r.Done))
		}
		if left := r.Matched - r.Done; !r.Dry && left > 0 {
			t.line(fmt.Sprintf("%d more match and were left as they are: memory has no room for them; ask again later", left))
		}
		if r.Damaged > 0 {
			t.line(fmt.Sprintf("%d more could not be looked at: they stand in damaged runs, see queue list", r.Damaged))
		}
		if r.Gone > 0 {
			t.line(fmt.Sprintf("%d more are not given again: their texts are kept no more", r.Gone))
		}
	})
}

func (c *cli) replayCommand(mo bool, short, when string) *cobra.Command {
	r := admin.Replay{MO: mo}
	var since, until string
	cmd := &cobra.Command{
		Use:   "replay",
		Short: short + "; without --yes it only counts",
		Args:  cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&r.Client, "client", "", "client id")
	f.StringVar(&since, "since", "", when+", from: a time, a day, or how long ago")
	f.StringVar(&until, "until", "", "the same, to; absent: now")
	f.BoolVar(&r.Yes, "yes", false, "act")
	f.StringVar(&r.Reason, "reason", "", "why, for the journal; needed with --yes")
	cmd.PreRunE = func(*cobra.Command, []string) (err error) {
		r.Author = author()
		if r.Since, err = instant(since, time.Now()); err == nil {
			r.Until, err = instant(until, time.Now())
		}
		if err == nil {
			err = r.Valid()
		}
		return err
	}
	cmd.RunE = c.asks(func(ctx context.Context, s admin.Source, _ []string) error {
		v, err := s.Replay(ctx, r)
		return c.deed("replay", v, err)
	})
	return cmd
}
