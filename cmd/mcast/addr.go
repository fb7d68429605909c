package main

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gomulticast/multicast/glop"
	"github.com/gomulticast/multicast/mcast/group"
)

// An addrEvent is a line of mcast addr --json. What does not apply is left out.
type addrEvent struct {
	Event string `json:"event"` // "addr"
	Input string `json:"input"` // the argument

	Address string `json:"address,omitempty"`
	Kind    string `json:"kind"`
	Block   string `json:"block,omitempty"`
	Name    string `json:"name,omitempty"`
	Last    string `json:"last,omitempty"` // of a range that has the name or prefix
	// AnyScope says that the name holds in every IPv6 scope, not only in this.
	AnyScope bool `json:"any_scope,omitempty"`

	Scope   string `json:"scope,omitempty"`
	SSM     *bool  `json:"ssm,omitempty"`
	SSMPart string `json:"ssm_part,omitempty"`

	Scheme string `json:"scheme,omitempty"`
	Source string `json:"source,omitempty"`
	Port   uint16 `json:"port,omitempty"`
	URD    string `json:"urd,omitempty"`

	Flags        string `json:"flags,omitempty"`
	GroupID      string `json:"group_id,omitempty"`
	GroupIDClass string `json:"group_id_class,omitempty"`

	GLOPAS        uint32 `json:"glop_as,omitempty"`
	UnicastPrefix string `json:"unicast_prefix,omitempty"`
	LinkLocal     string `json:"link_local,omitempty"`
	RP            string `json:"rp,omitempty"`

	// What an AS, a prefix or a unicast address gives.
	GroupPrefix   string `json:"group_prefix,omitempty"`
	SSMPrefix     string `json:"ssm_prefix,omitempty"`
	RPPrefix      string `json:"rp_prefix,omitempty"`
	SolicitedNode string `json:"solicited_node,omitempty"`

	MAC     string   `json:"mac,omitempty"`
	Aliases []string `json:"aliases,omitempty"` // other groups with this MAC
	Groups  []string `json:"groups,omitempty"`  // all groups with this MAC

	// Lint is left out for what is no address, and an empty list when there is
	// nothing to say.
	Lint []addrFinding `json:"lint,omitzero"`
}

type addrFinding struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type addrFlags struct {
	json    bool
	purpose string
	ttl     int
	use     group.Use
}

func addrCommand() *cobra.Command {
	var f addrFlags
	c := &cobra.Command{
		Use:   "addr ADDR|AS|PREFIX...",
		Short: "Tell all that is known about multicast addresses, and what is wrong with them",
		Long: "addr explains each argument: a group, a channel as source@group:port, a URL as\n" +
			"rtp://239.1.2.3:5004, a URD link, an Ethernet address, a name as mDNS, and the groups\n" +
			"that belong to an AS number (RFC 3180), a unicast prefix (RFC 6034, RFC 3306) or a\n" +
			"rendezvous point with its prefix length (RFC 3956). It sends nothing.",
		Example: "  mcast addr 239.255.7.7 192.0.2.10@232.1.2.3:5004\n" +
			"  mcast addr AS2497 198.51.0.0/16 2001:db8:1::/48\n" +
			"  mcast addr --for send --ttl 64 ff15::1",
		RunE: func(_ *cobra.Command, args []string) error { return f.run(args, os.Stdout) },
	}
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object a line")
	c.Flags().StringVar(&f.purpose, "for", "inspect", "what lint is to judge: inspect, receive, send or allocate")
	c.Flags().IntVar(&f.ttl, "ttl", 0, "TTL that lint is to compare with the scope (default none)")
	return c
}

func (f *addrFlags) run(args []string, out io.Writer) error {
	if len(args) == 0 {
		return usagef("addr: give at least one address, AS number or prefix")
	}
	if f.ttl < 0 || f.ttl > 255 {
		return usagef("--ttl %d: give a number from 0 to 255", f.ttl)
	}
	f.use.TTL = f.ttl
	for f.use.Purpose = group.Inspect; f.use.Purpose.String() != f.purpose; f.use.Purpose++ {
		if f.use.Purpose > group.Allocate {
			return usagef("--for %q: give inspect, receive, send or allocate", f.purpose)
		}
	}
	// All before the first is printed: a mistake leaves standard output empty.
	var all []*addrEvent
	for _, arg := range args {
		events, err := f.explain(arg)
		if err != nil {
			text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "group: "), "glop: ")
			return usagef("addr: %s", text)
		}
		all = append(all, events...)
	}
	p := &printer{out: out, err: os.Stderr, json: f.json}
	for i, e := range all {
		text := e.text()
		if i < len(all)-1 {
			text += "\n"
		}
		p.event(e, "%s", strings.TrimSuffix(text, "\n"))
	}
	return nil
}

// explain answers one argument, with more than one event for a name.
func (f *addrFlags) explain(arg string) ([]*addrEvent, error) {
	e := &addrEvent{Event: "addr", Input: arg}
	one := []*addrEvent{e}
	if as, ok, err := parseAS(arg); ok {
		if err == nil {
			err = e.as(as)
		}
		return one, err
	}
	if p, err := netip.ParsePrefix(arg); err == nil {
		return one, e.prefix(p)
	}
	if mac, err := net.ParseMAC(arg); err == nil && len(mac) == 6 {
		return one, e.ethernet([6]byte(mac))
	}
	if a, err := netip.ParseAddr(arg); err == nil && !a.Unmap().IsMulticast() {
		e.unicast(a.Unmap())
		return one, nil
	}
	t, err := group.ParseTarget(arg)
	if err == nil {
		e.target(t, f.use)
		return one, nil
	}
	var named []*addrEvent
	for a := range group.Named(arg) {
		n := &addrEvent{Event: "addr", Input: arg}
		n.group(a.First, f.use)
		n.AnyScope = a.AnyScope
		if a.First != a.Last {
			n.Last = a.Last.String()
		}
		named = append(named, n)
	}
	if named != nil {
		return named, nil
	}
	return nil, fmt.Errorf("%w; or give an AS as AS2497, a prefix, an Ethernet address, or a name as mDNS", err)
}

// parseAS reads AS2497, as2497, 2497 and AS1.10 (RFC 5396); ok says that arg is
// meant as one.
func parseAS(arg string) (as uint32, ok bool, err error) {
	num := arg
	if len(arg) > 2 && strings.EqualFold(arg[:2], "AS") {
		num = arg[2:]
	} else if strings.Contains(arg, ".") {
		return 0, false, nil
	}
	if strings.Trim(num, "0123456789.") != "" || num == "" {
		return 0, false, nil
	}
	if hi, lo, dot := strings.Cut(num, "."); dot {
		h, err1 := strconv.ParseUint(hi, 10, 16)
		l, err2 := strconv.ParseUint(lo, 10, 16)
		if err1 == nil && err2 == nil {
			return uint32(h<<16 | l), true, nil
		}
		return 0, true, fmt.Errorf("%s: give an AS number as AS2497, or AS1.10", arg)
	}
	v, err := strconv.ParseUint(num, 10, 32)
	if err != nil {
		return 0, true, fmt.Errorf("%s: an AS number has 32 bits, up to 4294967295", arg)
	}
	return uint32(v), true, nil
}

func (e *addrEvent) as(as uint32) error {
	p, err := glop.Prefix(as)
	if err != nil {
		return err
	}
	e.Kind, e.GLOPAS, e.GroupPrefix = "as", as, p.String()
	return nil
}

// prefix explains whose groups a multicast prefix is, or what groups a unicast
// prefix gives.
func (e *addrEvent) prefix(p netip.Prefix) error {
	if p.Addr().Is4In6() {
		return fmt.Errorf("%s: leave out the ::ffff: to give an IPv4 prefix", p)
	}
	if p.Masked().Addr().IsMulticast() {
		z := group.ZoneOfPrefix(p)
		e.Address, e.Last = z.First.String(), z.Last.String()
		if e.Kind = group.KindOf(z.First).String(); group.KindOf(z.Last) != group.KindOf(z.First) {
			e.Kind = "multicast" // of several kinds
			return nil
		}
		if group.ScopeOf(z.First) == group.ScopeOf(z.Last) {
			e.Scope = group.ScopeOf(z.First).String()
		}
		e.Block = group.Block(z.First)
		e.owner(z.First)
		return nil
	}
	e.Kind, e.UnicastPrefix = "prefix", p.Masked().String()
	if p.Addr().Is4() {
		g, err := glop.FromUnicast4(p)
		e.GroupPrefix = g.String()
		return err
	}
	scope := group.PrefixScope(p)
	if scope == group.ScopeReserved {
		scope = group.Global // for the error
	}
	g, err := glop.FromUnicast6(p, scope)
	if err != nil {
		return err
	}
	e.Scope, e.GroupPrefix, e.SSMPrefix = scope.String(), g.String(), group.SSMPrefix(scope).String()
	if p != p.Masked() {
		// An address with its length is a rendezvous point, if it can be one.
		if rp, err := glop.FromRP(p, scope); err == nil {
			e.RPPrefix = rp.String()
		}
	}
	return nil
}

func (e *addrEvent) ethernet(mac [6]byte) error {
	e.Kind, e.MAC = "mac", net.HardwareAddr(mac[:]).String()
	for g := range group.GroupsOf(mac) {
		e.Groups = append(e.Groups, g.String())
	}
	if mac[0] == 0x33 && mac[1] == 0x33 {
		e.Groups = []string{pattern6(mac)}
	}
	if e.Groups == nil {
		return fmt.Errorf("%s: no group has this Ethernet address: they begin 01:00:5e and a digit up to 7 (RFC 1112), or 33:33 (RFC 2464)", e.MAC)
	}
	return nil
}

// pattern6 writes the 2^88 IPv6 groups of an Ethernet address; * is any 16 bits.
func pattern6(mac [6]byte) string {
	return fmt.Sprintf("ff**:*:*:*:*:*:%x:%x", uint16(mac[2])<<8|uint16(mac[3]), uint16(mac[4])<<8|uint16(mac[5]))
}

// unicast explains an address that is no group, by the groups that come of it.
func (e *addrEvent) unicast(a netip.Addr) {
	e.Address, e.Kind = a.String(), group.NotMulticast.String()
	if s := group.SolicitedNode(a); s.IsValid() {
		e.SolicitedNode = s.String()
	}
	if p, err := glop.FromLinkLocal(a, group.LinkLocal); err == nil {
		e.GroupPrefix = p.String()
	}
	e.lint(a, group.Use{})
}

func (e *addrEvent) target(t group.Target, use group.Use) {
	e.Scheme, e.Port = t.Scheme, t.Port
	if !t.Channel.AnySource() {
		e.Source = t.Channel.Source.String()
		use.Source = t.Channel.Source
		if group.IsSSM(t.Channel.Group) {
			e.URD = t.URD("HOST", "PATH")
		}
	}
	e.group(t.Channel.Group, use)
}

func (e *addrEvent) group(a netip.Addr, use group.Use) {
	e.Address, e.Kind, e.Block = a.String(), group.KindOf(a).String(), group.Block(a)
	e.Name, _ = group.WellKnown(a)
	e.Scope = group.ScopeOf(a).String()
	ssm := group.IsSSM(a)
	e.SSM = &ssm
	if ssm {
		e.SSMPart = group.SSMPartOf(a).String()
	}
	mac := group.MAC(a)
	e.MAC = net.HardwareAddr(mac[:]).String()
	for g := range group.Aliases(a) {
		e.Aliases = append(e.Aliases, g.String())
	}
	if f, ok := group.FieldsOf(a); ok {
		e.Flags, e.GroupID, e.GroupIDClass = f.Flags.String(), fmt.Sprintf("%08x", f.ID), group.IDClassOf(f.ID).String()
		e.Aliases = []string{pattern6(mac)}
	}
	e.owner(a)
	e.lint(a, use)
}

// owner says from what a group is made.
func (e *addrEvent) owner(a netip.Addr) {
	if as, ok := glop.AS(a); ok {
		e.GLOPAS = uint32(as)
	}
	if p, ok := glop.UnicastOf(a); ok {
		e.UnicastPrefix = p.String()
	}
	if ll, ok := glop.LinkLocalOf(a); ok {
		e.LinkLocal = ll.String()
	}
	if rp, err := glop.RPOf(a); err == nil {
		e.RP = rp.String()
	}
}

func (e *addrEvent) lint(a netip.Addr, use group.Use) {
	e.Lint = []addrFinding{}
	for _, f := range group.Lint(a, use) {
		e.Lint = append(e.Lint, addrFinding{string(f.Code), f.Message})
	}
}

// text is the event for people: a heading and two columns.
func (e *addrEvent) text() string {
	var b strings.Builder
	fmt.Fprintln(&b, e.Input)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(label, format string, v ...any) {
		if !slices.Equal(v, []any{""}) {
			fmt.Fprintf(w, "  %s\t"+format+"\n", append([]any{label}, v...)...)
		}
	}
	if e.Address != e.Input {
		row("address", "%s", e.Address)
	}
	row("to", "%s", e.Last)
	row("name", "%s", e.Name)
	row("kind", "%s", strings.TrimSuffix(e.Kind+", "+e.Block, ", "))
	if e.AnyScope {
		row("scope", "%s; the name holds in every scope", e.Scope)
	} else {
		row("scope", "%s", e.Scope)
	}
	row("source", "%s", e.Source)
	if e.Port != 0 {
		row("port", "%d", e.Port)
	}
	row("URD link", "%s", e.URD)
	row("SSM range", "%s", e.SSMPart)
	row("flags", "%s", e.Flags)
	if e.GroupID != "" {
		row("group ID", "%s, %s", e.GroupID, e.GroupIDClass)
	}
	if e.GLOPAS != 0 {
		row("AS", "%d", e.GLOPAS)
	}
	row("prefix", "%s", e.UnicastPrefix)
	row("link-local", "%s", e.LinkLocal)
	row("RP", "%s", e.RP)
	row("groups", "%s", e.GroupPrefix)
	row("SSM groups", "%s", e.SSMPrefix)
	row("RP groups", "%s", e.RPPrefix)
	row("solicited node", "%s", e.SolicitedNode)
	row("Ethernet", "%s", e.MAC)
	rows(row, "aliases", e.Aliases)
	rows(row, "groups", e.Groups)
	for _, f := range e.Lint {
		row("lint", "%s: %s", f.Code, f.Message)
	}
	w.Flush()
	return b.String()
}

// rows writes a list in lines of four.
func rows(row func(string, string, ...any), label string, list []string) {
	for part := range slices.Chunk(list, 4) {
		row(label, "%s", strings.Join(part, " "))
		label = ""
	}
}
