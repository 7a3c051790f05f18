package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"smsplane/dataplane/admin"
)

// linkName reads CARRIER or CARRIER/LINK; link is -1 for all of them.
func linkName(s string) (carrier string, link int, err error) {
	carrier, number, one := strings.Cut(s, "/")
	if !one {
		return carrier, -1, nil
	}
	link, err = strconv.Atoi(number)
	if err != nil || link < 0 {
		return "", 0, fmt.Errorf("%q: a link is CARRIER/NUMBER, as link list numbers them, or CARRIER for all", s)
	}
	return carrier, link, nil
}

var linkShorts = map[string]string{
	"pause":  "Send nothing more over a link; its sessions stay bound, also after a restart",
	"drain":  "Let a link finish what it has, unbind it and keep it so, also after a restart",
	"resume": "End a pause or a drain",
	"bounce": "Unbind a link and bind it again",
}

// linkOrders are the commands that change links.
func (c *cli) linkOrders() (cmds []*cobra.Command) {
	for _, verb := range admin.LinkVerbs {
		cmds = append(cmds, &cobra.Command{
			Use:   verb + " CARRIER[/LINK]",
			Short: linkShorts[verb],
			Args:  cobra.ExactArgs(1),
			RunE: c.asks(func(ctx context.Context, s admin.Source, args []string) error {
				carrier, link, err := linkName(args[0])
				if err != nil {
					return err
				}
				o := admin.LinkOrder{Carrier: carrier, Link: link, Verb: verb, Author: author()}
				n, err := s.Link(ctx, o)
				if err != nil {
					return err
				}
				return show(c, linkOrdered{o, n}, func(t *table, d linkOrdered) {
					t.line(fmt.Sprintf("%s: %s ordered for %d link(s)", args[0], verb, d.Links))
				})
			}),
		})
	}
	return cmds
}

// linkOrdered is what an order about links prints as JSON.
type linkOrdered struct {
	admin.LinkOrder
	Links int `json:"links"`
}

func (c *cli) linkShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show CARRIER[/LINK]",
		Short: "Tell all about the sessions of a link, and why they do not go faster",
		Args:  cobra.ExactArgs(1),
		RunE: c.asks(func(ctx context.Context, s admin.Source, args []string) error {
			carrier, link, err := linkName(args[0])
			if err != nil {
				return err
			}
			all, err := s.Links(ctx)
			if err != nil {
				return err
			}
			mine := []admin.LinkInfo{}
			for _, l := range all {
				if l.Carrier == carrier && (link < 0 || l.Link == link) {
					mine = append(mine, l)
				}
			}
			if len(mine) == 0 {
				return admin.NotFound("there is no link %q", args[0])
			}
			return show(c, mine, linkDetails)
		}),
	}
}

func linkDetails(t *table, list []admin.LinkInfo) {
	for i, l := range list {
		if i > 0 {
			t.line("")
		}
		t.row("link", fmt.Sprintf("%s/%d session %d", l.Carrier, l.Link, l.Session))
		t.row("address", l.Address)
		t.row("state", l.State+" since "+clock(l.Since))
		t.row("reason", l.Reason)
		t.row("window", fmt.Sprintf("%d unanswered of %d at most; %d more wait to be sent", l.Unanswered, l.Window, max(0, l.InFlight-l.Unanswered)))
		t.row("rate", fmt.Sprintf("%s a second, limit %s", rate(l.TPS), limit(l.Limit)))
		if l.Bears > 0 {
			t.row("carrier bears", rate(l.Bears)+" a second, by its answers")
		}
		if l.CarrierLimit > 0 || l.CarrierWindow > 0 {
			t.row("carrier", fmt.Sprintf("limit %s a second, %s unanswered, over all its links", limit(l.CarrierLimit), limit(float64(l.CarrierWindow))))
		}
		t.row("round trip", millis(l.RoundTrip)+" ms")
		t.row("sent", fmt.Sprintf("%d, answered %d, refused %d", l.Sent, l.Answered, l.Refused))
		if l.Why != "" {
			t.row("not faster", l.Why)
		}
	}
}

var doubtShorts = map[string]string{
	"resend": "Send a message in doubt once more; the carrier may get it twice",
	"drop":   "End a message in doubt as unknown; the client is not charged",
}

// doubtOrders are the commands that decide about a message in doubt.
func (c *cli) doubtOrders() (cmds []*cobra.Command) {
	for _, verb := range admin.DoubtVerbs {
		cmds = append(cmds, &cobra.Command{
			Use:   verb + " ID",
			Short: doubtShorts[verb],
			Args:  cobra.ExactArgs(1),
			RunE: c.asks(func(ctx context.Context, s admin.Source, args []string) error {
				o := admin.DoubtOrder{ID: args[0], Verb: verb, Author: author()}
				if err := s.DoubtOrder(ctx, o); err != nil {
					return err
				}
				return show(c, o, func(t *table, o admin.DoubtOrder) { t.line(o.ID + ": " + verb + " ordered") })
			}),
		})
	}
	return cmds
}
