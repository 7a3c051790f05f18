package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"smsplane/dataplane/admin"
)

func (c *cli) clusterCommands() *cobra.Command {
	return group("cluster", "The hosts that share the lanes", c.clusterStatusCommand(),
		c.clusterOrder("add", "Make a host a member; it has been started, and its store is empty"),
		c.clusterOrder("remove", "Take a member out"),
		c.clusterOrder("replace", "Take the new store of a member in; the one before must never come back"),
		c.clusterOrder("promote", "In a pair without a witness: have this host go on alone; the other is dead and must never serve again"))
}

func (c *cli) clusterStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show hosts, quorum and how far each follows; exit 1 without a quorum or with a single copy",
		Args:  cobra.NoArgs,
		RunE: c.asks(func(ctx context.Context, s admin.Source, _ []string) error {
			st, err := s.Status(ctx)
			if err != nil {
				return err
			}
			if st.Cluster == nil {
				return admin.NotFound("node %s belongs to no cluster", st.Node)
			}
			if err := show(c, *st.Cluster, clusterTable); err != nil {
				return err
			}
			return orFinding(st.Cluster.Quorum && !st.Cluster.SingleCopy && st.Cluster.Waits == "")
		}),
	}
}

func clusterTable(t *table, c admin.ClusterStatus) {
	if c.ID == "" {
		t.line("store " + c.Store + " belongs to no cluster yet: " + c.Waits)
	} else {
		t.line(fmt.Sprintf("cluster %s, epoch %d, quorum: %s, single copy: %s", c.ID, c.Epoch, yes(c.Quorum), yes(c.SingleCopy)))
		if c.Waits != "" {
			t.line(c.Waits)
		}
	}
	t.line("")
	t.row("HOST", "ROLE", "STORE", "LIFE", "TO IT", "FROM IT", "LEADS", "BEHIND", "REASON")
	for _, h := range c.Hosts {
		role := map[bool]string{true: "witness", false: "data"}[h.Witness]
		if h.Joining {
			role += ", joining"
		}
		if h.Disk != "" {
			role += ", disk " + h.Disk
		}
		to, from := yes(h.Sending), yes(h.Hearing)
		if h.Self {
			to, from = "self", "self"
		}
		t.row(h.Name, role, h.Store, count(h.Incarnation), to, from, count(h.Leads), count(h.Lag), h.Reason)
	}
}

func (c *cli) clusterOrder(verb, short string) *cobra.Command {
	o := admin.ClusterOrder{Verb: verb}
	cmd := &cobra.Command{
		Use:   verb + " NAME",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: c.asks(func(ctx context.Context, s admin.Source, args []string) error {
			o.Name, o.Author = args[0], author()
			r, err := s.ClusterOrder(ctx, o)
			if err != nil {
				return err
			}
			return c.report(verb, r)
		}),
	}
	if verb == "add" {
		cmd.Flags().StringVar(&o.Address, "address", "", "host:port, for hosts whose node files do not name it")
	}
	return cmd
}

func (c *cli) laneMove() *cobra.Command {
	return &cobra.Command{
		Use:   "move LANE HOST",
		Short: "Have a host lead one lane, from now on; `" + admin.AnyHost + "` in the place of a host: whichever it suits",
		Args:  cobra.ExactArgs(2),
		RunE: c.asks(func(ctx context.Context, s admin.Source, args []string) error {
			lane, err := strconv.Atoi(args[0])
			if err != nil {
				return admin.BadRequest("%q is no lane", args[0])
			}
			r, err := s.ClusterOrder(ctx, admin.ClusterOrder{Verb: "move", Lane: lane, Name: args[1], Author: author()})
			if err != nil {
				return err
			}
			return c.report("move", r)
		}),
	}
}

func (c *cli) laneCommands() *cobra.Command {
	return group("lane", "Who leads what", c.clusterOrder("lead", "Have a host lead lane 0 and keep the links to carriers; all other lanes, too, unless leaders are spread"),
		c.laneMove(), &cobra.Command{
			Use:   "list",
			Short: "List the lanes: who leads each, and how far the others follow",
			Args:  cobra.NoArgs,
			RunE: c.asks(func(ctx context.Context, s admin.Source, _ []string) error {
				st, err := s.Status(ctx)
				if err != nil {
					return err
				}
				return show(c, st.Lanes, func(t *table, ls []admin.LaneStatus) {
					t.row("LANE", "HERE", "LED BY", "TERM", "COMMITTED", "APPLIED", "LOG FROM", "ACCOUNTS", "SINGLE COPY", "BEHIND")
					for _, l := range ls {
						behind := ""
						for _, o := range l.Others {
							behind += fmt.Sprintf("%s %d ", o.Host, o.Lag)
						}
						here := "follows"
						if l.Leader {
							here = "leads"
						} else if l.Damaged != "" {
							here = "damaged"
						}
						t.row(count(l.Lane), here, l.LedBy, count(l.Term), count(l.Committed),
							count(l.Applied), count(l.First), count(l.Accounts), yes(l.SingleCopy), behind)
					}
				})
			}),
		})
}
