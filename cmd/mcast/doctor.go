package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gomulticast/multicast/mcast"
	"github.com/gomulticast/multicast/mcast/group"
)

type doctorFlags struct {
	target string
	iface  string
	wait   time.Duration
	json   bool
}

// findingEvent is a line of --json, with the words of mcast.Finding.
type findingEvent struct {
	Event     string         `json:"event"`
	Code      string         `json:"code"`
	Severity  mcast.Severity `json:"severity"`
	Interface string         `json:"interface"`
	Message   string         `json:"message"`
	Remedy    string         `json:"remedy"`
}

func doctorCommand() *cobra.Command {
	var f doctorFlags
	c := &cobra.Command{
		Use:   "doctor [GROUP | SOURCE@GROUP[:PORT]]",
		Short: "Look for what keeps multicast from working on this host",
		Long: "Look for what keeps multicast from working on this host: interfaces, routes, filters,\n" +
			"limits, buffers, counters, queriers and, with a group, whether its packets arrive. The\n" +
			"group is joined while it listens; nothing is changed on the host. Root sees the most.\n\n" +
			"The exit status is 1 when there is a problem, and 0 when there are warnings at most.",
		Example: "  mcast doctor\n" +
			"  mcast doctor 239.1.2.3:5004 --iface eth0\n" +
			"  mcast doctor 192.0.2.10@232.1.2.3:5004 --wait 135s",
		Args: atMost(1, "give one group, and name the interface with --iface"),
		RunE: func(c *cobra.Command, args []string) error {
			f.target = strings.Join(args, "")
			return f.run(c.Context(), &printer{out: os.Stdout, err: os.Stderr, json: f.json})
		},
	}
	c.Flags().StringVarP(&f.iface, "iface", "i", "", "network interface: a name, index or address (default: by route, or all without a group)")
	c.Flags().DurationVar(&f.wait, "wait", 3*time.Second, "listen this long; 0 does not listen or join at all, 135s hears any querier")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object a line")
	return c
}

func (f *doctorFlags) run(ctx context.Context, out *printer) error {
	cfg, err := f.config()
	if err != nil {
		return err
	}
	found, err := mcast.DiagnoseWith(ctx, cfg)
	if err != nil {
		return openError(err)
	}
	if ctx.Err() != nil {
		return ctx.Err() // interrupted: what was not heard means nothing
	}
	for i := range found {
		found[i].Message, found[i].Remedy = atTerminal(found[i].Message), atTerminal(found[i].Remedy)
	}
	if f.json {
		for _, d := range found {
			out.event(findingEvent{"finding", d.Code, d.Severity, d.Interface, d.Message, d.Remedy}, "")
		}
	} else {
		out.event(nil, "%s", strings.TrimSuffix(findingsText(found), "\n"))
	}
	if slices.ContainsFunc(found, func(d mcast.Finding) bool { return d.Severity == mcast.Problem }) {
		return errFailed
	}
	return nil
}

func (f *doctorFlags) config() (mcast.DiagnoseConfig, error) {
	cfg := mcast.DiagnoseConfig{Interface: f.iface, Wait: f.wait}
	switch {
	case f.wait < 0:
		return cfg, usagef("--wait %v: give a positive time, or 0 for not listening", f.wait)
	case f.wait == 0:
		cfg.Wait = -1
	}
	if f.target == "" {
		return cfg, nil
	}
	t, err := group.ParseTarget(f.target)
	if err != nil {
		return cfg, usagef("%s", strings.TrimPrefix(err.Error(), "group: "))
	}
	cfg.Channel, cfg.Port = t.Channel, t.Port
	return cfg, nil
}

// option is the name of an option of package mcast in passing, which is of no use
// at a terminal.
var option = regexp.MustCompile(` \(mcast\.[A-Z]\w*\)`)

// atTerminal puts flags in the place of options.
func atTerminal(s string) string {
	return strings.ReplaceAll(option.ReplaceAllString(s, ""), "mcast.Interface", "--iface")
}

// findingsText writes findings by interface, what is worst first.
func findingsText(found []mcast.Finding) string {
	var b strings.Builder
	var order []string
	by := make(map[string][]mcast.Finding)
	for _, d := range found {
		if by[d.Interface] == nil && d.Interface != "" {
			order = append(order, d.Interface)
		}
		by[d.Interface] = append(by[d.Interface], d)
	}
	number := make(map[mcast.Severity]int)
	for _, iface := range append([]string{""}, order...) {
		if len(by[iface]) == 0 {
			continue
		}
		slices.SortStableFunc(by[iface], func(a, b mcast.Finding) int { return cmp.Compare(b.Severity, a.Severity) })
		b.WriteString(cmp.Or(iface, "this host") + "\n")
		for _, d := range by[iface] {
			number[d.Severity]++
			fmt.Fprintf(&b, "  %-7s  %s\n", d.Severity, d.Message)
			if d.Remedy != "" {
				fmt.Fprintf(&b, "           → %s\n", d.Remedy)
			}
		}
	}
	fmt.Fprintf(&b, "%s, %s\n", count(number[mcast.Problem], "problem"), count(number[mcast.Warning], "warning"))
	return b.String()
}

func count(n int, what string) string {
	switch n {
	case 0:
		return "no " + what
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
