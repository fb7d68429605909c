package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gomulticast/multicast/internal/control"
	"github.com/gomulticast/multicast/internal/pcap"
)

type pcapFlags struct {
	json  bool
	flute []uint16
}

func pcapCommand() *cobra.Command {
	var f pcapFlags
	c := &cobra.Command{
		Use:   "pcap FILE",
		Short: "Read the multicast control traffic of a capture",
		Long: "Pcap reads a capture, pcap or pcapng, and shows each packet of IGMP, MLD, NORM, SAP, CGMP\n" +
			"and GMRP: what is asked, who reports which groups and sources, and what is wrong with the\n" +
			"message. At the end are the warnings that mcast monitor would have given. FILE is - for\n" +
			"standard input.\n\n" +
			"FLUTE and FCAST have no mark of their own: name their UDP ports with --flute to see the packets\n" +
			"of ALC, and which files the FDT instances list.\n\n" +
			"With --json there is one object for each such packet, with time, proto, version, type, src,\n" +
			"dst, groups and problems, and none for the warnings.",
		Example: "  mcast pcap capture.pcapng\n" +
			"  mcast pcap --json capture.pcap | jq 'select(.problems != [])'\n" +
			"  mcast pcap --flute 4001 capture.pcap\n" +
			"  tcpdump -i eth0 -w - igmp or icmp6 | mcast pcap -",
		Args: exactlyOne("name a capture, or - for standard input"),
		RunE: func(c *cobra.Command, args []string) error {
			return f.run(c.Context(), args[0], &printer{out: os.Stdout, err: os.Stderr, json: f.json})
		},
	}
	c.Flags().Var((*portList)(&f.flute), "flute", "a UDP `PORT` of ALC, that is FLUTE or FCAST; may be given again, or several with commas")
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object a line")
	return c
}

func (f *pcapFlags) run(ctx context.Context, name string, out *printer) error {
	in := os.Stdin
	if name != "-" {
		file, err := os.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			return usagef("%s: there is no such file", name)
		}
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	// A read of a pipe does not heed the context by itself. What was read until then
	// counts.
	pr, pw := io.Pipe()
	go func() {
		_, err := io.Copy(pw, in)
		pw.CloseWithError(err)
	}()
	defer context.AfterFunc(ctx, func() { pw.CloseWithError(io.EOF) })()
	defer pr.Close()
	p := player{out: out, decoder: control.Decoder{ALC: f.flute}, number: make(map[string]int)}
	err := p.play(ctx, pr)
	if !out.json && (err == nil || p.packets > 0) {
		out.event(nil, "%s", p.summary())
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		out.failure(name, fmt.Errorf("%s: %w", name, explain(err, p.packets)))
		return errFailed
	}
	return nil
}

// explain says how far a capture could be read.
func explain(err error, packets int) error {
	text := strings.TrimPrefix(err.Error(), "pcap: ")
	if errors.Is(err, io.ErrUnexpectedEOF) {
		text = "it ends in the middle"
	}
	return fmt.Errorf("%s, after %s", text, count(packets, "packet"))
}

// A player shows the packets of a capture.
type player struct {
	out     *printer
	decoder control.Decoder
	watch   *control.Watch
	columns columns

	first     time.Time
	packets   int
	malformed int // with an IP header that makes no sense
	unknown   int // of a link type that is not known
	bad       int // shown, with problems
	number    map[string]int
}

// play reads to the end of the capture.
func (p *player) play(ctx context.Context, in io.Reader) error {
	capture, err := pcap.NewReader(in)
	if err != nil {
		return err
	}
	var k pcap.Packet
	var f pcap.Frame
	var r control.Record
	for ctx.Err() == nil {
		if err := capture.Next(&k); err != nil {
			if err == io.EOF {
				err = nil
				if p.packets > 0 && p.unknown == p.packets {
					err = pcap.ErrLink
				}
			}
			return err
		}
		p.packets++
		if p.first.IsZero() {
			p.first = k.Time
		}
		if p.watch == nil {
			p.watch = control.NewWatch(k.Time, control.Config{})
		}
		switch err := pcap.Decode(k.Link, k.Data, &f); {
		case errors.Is(err, pcap.ErrLink):
			p.unknown++
			continue
		case err != nil:
			p.malformed++
		}
		if !p.decoder.Describe(&f, &r) {
			p.watch.Advance(k.Time)
			continue
		}
		r.Time = k.Time
		p.watch.Handle(k.Time, &r)
		p.show(&r)
	}
	return nil
}

func (p *player) show(r *control.Record) {
	p.number[strings.ToUpper(r.Proto)]++
	if len(r.Problems) > 0 {
		p.bad++
	}
	if p.out.json {
		p.out.event(r.Words(), "")
		return
	}
	p.out.event(nil, "%s", p.columns.line(r, p.first))
}

// summary says what was in the capture.
func (p *player) summary() string {
	var parts []string
	total := 0
	for _, proto := range []string{"IGMP", "MLD", "NORM", "ALC", "SAP", "CGMP", "GMRP"} {
		if n := p.number[proto]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, proto))
			total += n
		}
	}
	text := "no multicast control traffic among " + count(p.packets, "packet")
	switch {
	case p.packets == 0:
		text = "the capture is empty"
	case total > 0:
		text = fmt.Sprintf("%s: %s", count(p.packets, "packet"), strings.Join(parts, ", "))
	}
	for _, n := range []struct {
		n    int
		what string
	}{{p.bad, "with problems"}, {p.malformed, "with malformed headers"}, {p.unknown, "of an unknown link type"}} {
		if n.n > 0 {
			text += fmt.Sprintf("; %d %s", n.n, n.what)
		}
	}
	if p.watch != nil {
		for _, w := range p.watch.Warnings() {
			text += fmt.Sprintf("\nwarning  at %s  %s", since(w.Since, p.first), w.Message)
		}
	}
	return text
}

// columns aligns the lines of a stream: they get wider as they have to.
type columns struct{ kind, src, dst int }

// line writes a packet for people, with its time from the first one on.
func (c *columns) line(r *control.Record, first time.Time) string {
	src, dst := r.Ends()
	c.kind, c.src, c.dst = max(c.kind, len(r.Type), 6), max(c.src, len(src), 15), max(c.dst, len(dst), 15)
	return strings.TrimRight(fmt.Sprintf("%12s  %-6s  %-*s  %-*s > %-*s  %s", since(r.Time, first), r.Name(), c.kind, r.Type, c.src, src, c.dst, dst, r.Text()), " ")
}

// since writes a time in seconds from the first packet on.
func since(t, first time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%.6f", t.Sub(first).Seconds())
}
