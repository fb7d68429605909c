package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gomulticast/multicast/sdp"
)

func sdpCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "sdp",
		Short: "Check session descriptions",
		Args:  atMost(0, "there is lint"),
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(sdpLintCommand())
	return c
}

type sdpLintFlags struct{ json bool }

func sdpLintCommand() *cobra.Command {
	var f sdpLintFlags
	c := &cobra.Command{
		Use:   "lint FILE",
		Short: "Say what is wrong with a session description, and what to do",
		Long: "Lint reads a session description (SDP) and tells errors, which are what the RFCs do not\n" +
			"allow, and warnings, about what they allow but multicast does not, or not well: each with\n" +
			"its line, its rule and what to do. FILE is - for standard input. The status is 1 when there\n" +
			"are errors.",
		Example: "  mcast sdp lint channel1.sdp\n" +
			"  curl -s http://192.0.2.10/stream.sdp | mcast sdp lint - --json",
		Args: exactlyOne("name a file of SDP, or - for standard input"),
		RunE: func(_ *cobra.Command, args []string) error {
			return f.run(args[0], &printer{out: os.Stdout, err: os.Stderr, json: f.json})
		},
	}
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object a line")
	return c
}

// A finding is a line of sdp lint --json. Line and column count from 1.
type finding struct {
	Event    string `json:"event"` // "finding"
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Severity string `json:"severity"` // "error" or "warning"
	Rule     string `json:"rule"`
	Reason   string `json:"reason"`
	Remedy   string `json:"remedy"`
}

func (f *sdpLintFlags) run(name string, out *printer) error {
	b, err := readText(name)
	if err != nil {
		return err
	}
	found, errors := lintSDP(name, b)
	if out.json {
		for _, x := range found {
			out.event(x, "")
		}
	} else {
		out.event(nil, "%s", lintTable(name, found, errors))
	}
	if errors > 0 {
		return errFailed
	}
	return nil
}

// lintSDP returns all findings, in the order of the lines, and how many are errors.
func lintSDP(name string, b []byte) (found []finding, errors int) {
	d, err := sdp.Parse(b)
	if err != nil {
		return []finding{{"finding", name, 1, 1, "error", "parse", strings.TrimPrefix(err.Error(), "sdp: "),
			"give a text of lines such as v=0, of at most 64 KiB"}}, 1
	}
	add := func(ws []sdp.Warning, severity string) {
		for _, w := range ws {
			found = append(found, finding{"finding", name, w.Line, w.Column, severity, string(w.Code), w.Reason, sdpRemedies[w.Code]})
		}
	}
	add(d.Warnings(), "error")
	errors = len(found)
	add(d.Lint(), "warning")
	slices.SortStableFunc(found, func(a, b finding) int { return a.Line - b.Line })
	return found, errors
}

func lintTable(name string, found []finding, errors int) string {
	if len(found) == 0 {
		return name + ": nothing to complain of"
	}
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, x := range found {
		reason := title(x.Reason, 1000)
		fmt.Fprintf(w, "%s:%d:%d\t%s\t%s\t%s\n", name, x.Line, x.Column, x.Severity, x.Rule, reason)
		if x.Remedy != "" {
			fmt.Fprintf(w, "\t\t\t→ %s\n", x.Remedy)
		}
	}
	w.Flush()
	fmt.Fprintf(&b, "%s, %s", count(errors, "error"), count(len(found)-errors, "warning"))
	return b.String()
}
