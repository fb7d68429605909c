package gmp

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

// The tables of the RFCs, in their own notation, are read and worked out here without
// the tables of the engine.
var stateTables = []struct {
	section string
	rows    [][4]string // router state, report received, new router state, actions
}{
	{"RFC3376_6.4.1_and_RFC3810_7.4.1", [][4]string{
		{"INCLUDE (A)", "IS_IN (B)", "INCLUDE (A+B)", "(B)=GMI"},
		{"INCLUDE (A)", "IS_EX (B)", "EXCLUDE (A*B,B-A)", "(B-A)=0; Delete (A-B); Group Timer=GMI"},
		{"EXCLUDE (X,Y)", "IS_IN (A)", "EXCLUDE (X+A,Y-A)", "(A)=GMI"},
		{"EXCLUDE (X,Y)", "IS_EX (A)", "EXCLUDE (A-Y,Y*A)", "(A-X-Y)=GMI; Delete (X-A); Delete (Y-A); Group Timer=GMI"},
	}},
	{"RFC3376_6.4.2_and_RFC3810_7.4.2", [][4]string{
		{"INCLUDE (A)", "ALLOW (B)", "INCLUDE (A+B)", "(B)=GMI"},
		{"INCLUDE (A)", "BLOCK (B)", "INCLUDE (A)", "Send Q(G,A*B)"},
		{"INCLUDE (A)", "TO_EX (B)", "EXCLUDE (A*B,B-A)", "(B-A)=0; Delete (A-B); Send Q(G,A*B); Group Timer=GMI"},
		{"INCLUDE (A)", "TO_IN (B)", "INCLUDE (A+B)", "(B)=GMI; Send Q(G,A-B)"},
		{"EXCLUDE (X,Y)", "ALLOW (A)", "EXCLUDE (X+A,Y-A)", "(A)=GMI"},
		{"EXCLUDE (X,Y)", "BLOCK (A)", "EXCLUDE (X+(A-Y),Y)", "(A-X-Y)=Group Timer; Send Q(G,A-Y)"},
		{"EXCLUDE (X,Y)", "TO_EX (A)", "EXCLUDE (A-Y,Y*A)", "(A-X-Y)=Group Timer; Delete (X-A); Delete (Y-A); Send Q(G,A-Y); Group Timer=GMI"},
		{"EXCLUDE (X,Y)", "TO_IN (A)", "EXCLUDE (X+A,Y-A)", "(A)=GMI; Send Q(G,X-A); Send Q(G)"},
	}},
}

var recordNames = map[string]RecordType{"IS_IN": IsIn, "IS_EX": IsEx, "TO_IN": ToIn, "TO_EX": ToEx, "ALLOW": Allow, "BLOCK": Block}

// sets is the value of each letter.
type sets map[byte][]netip.Addr

// eval works out a set expression: letters, + - * from left to right, parentheses.
func (v sets) eval(expr string) []netip.Addr {
	pos := 0
	var sum func() []netip.Addr
	atom := func() []netip.Addr {
		c := expr[pos]
		pos++
		if c != '(' {
			return v[c]
		}
		s := sum()
		pos++
		return s
	}
	sum = func() []netip.Addr {
		s := atom()
		for pos < len(expr) && expr[pos] != ')' {
			op := expr[pos]
			pos++
			t := atom()
			switch op {
			case '+':
				s = union(nil, s, t)
			case '-':
				s = minus(nil, s, t)
			case '*':
				s = intersect(nil, s, t)
			}
		}
		return s
	}
	return sum()
}

const rowGMI, rowLMQT = 260 * time.Second, 2 * time.Second

// expected is a row worked out.
type expected struct {
	mode     group.FilterMode
	x, y     []netip.Addr // with timers, without
	timers   map[netip.Addr]time.Duration
	group    time.Duration
	asked    []netip.Addr
	askGroup bool
}

// initial is the state a row starts from: every class of source is there, with its
// own timer.
func (f *family) initial(state string) (v sets, x, y []netip.Addr) {
	if strings.HasPrefix(state, "INCLUDE") {
		v = sets{'A': f.s(1, 2, 3, 4), 'B': f.s(3, 4, 5, 6)}
		return v, v['A'], nil
	}
	v = sets{'X': f.s(1, 2, 3, 4), 'Y': f.s(5, 6, 7, 8), 'A': f.s(3, 4, 7, 8, 9, 10)}
	return v, v['X'], v['Y']
}

func startTimer(i int) time.Duration { return time.Duration(100+i) * time.Second }

const startGroupTimer = 150 * time.Second

var (
	assignment = regexp.MustCompile(`^\((.*)\)=(GMI|0|Group Timer)$`)
	sendQuery  = regexp.MustCompile(`^Send Q\(G,(.*)\)$`)
	newState   = regexp.MustCompile(`^(INCLUDE|EXCLUDE) \((.*)\)$`)
)

func work(t *testing.T, f *family, row [4]string) (e expected) {
	v, x, _ := f.initial(row[0])
	before := map[netip.Addr]time.Duration{}
	for i, a := range x {
		before[a] = startTimer(i)
	}
	m := newState.FindStringSubmatch(row[2])
	parts := []string{m[2]}
	if m[1] == "EXCLUDE" {
		e.mode = group.Exclude
		parts = strings.SplitN(m[2], ",", 2)
		e.y = v.eval(parts[1])
		if strings.HasPrefix(row[0], "EXCLUDE") {
			e.group = startGroupTimer
		}
	}
	e.x = v.eval(parts[0])
	e.timers = map[netip.Addr]time.Duration{}
	for _, a := range e.x {
		e.timers[a] = before[a]
	}
	for _, action := range strings.Split(row[3], "; ") {
		switch {
		case strings.HasPrefix(action, "Delete"): // follows from the new state
		case action == "Group Timer=GMI":
			e.group = rowGMI
		case action == "Send Q(G)":
			e.askGroup = true
		case sendQuery.MatchString(action):
			e.asked = v.eval(sendQuery.FindStringSubmatch(action)[1])
		case assignment.MatchString(action):
			m := assignment.FindStringSubmatch(action)
			for _, a := range v.eval(m[1]) {
				switch m[2] {
				case "GMI":
					e.timers[a] = rowGMI
				case "Group Timer":
					e.timers[a] = startGroupTimer
				}
			}
		default:
			t.Fatalf("action %q", action)
		}
	}
	return e
}

// putState puts a state into a router.
func putState(f *family, r *Router, state string) {
	_, x, y := f.initial(state)
	e := r.table.create(f.g, f.peer)
	add := func(a netip.Addr, until time.Time) {
		e.sources = append(e.sources, source{addr: a, until: until, by: e.by})
		e.by.sources++
		r.table.sources++
	}
	for i, a := range x {
		add(a, start.Add(startTimer(i)))
	}
	for _, a := range y {
		add(a, time.Time{})
	}
	slices.SortFunc(e.sources, func(a, b source) int { return a.addr.Compare(b.addr) })
	if strings.HasPrefix(state, "EXCLUDE") {
		e.mode, e.until = group.Exclude, start.Add(startGroupTimer)
	}
	r.table.settle(start, e)
}

func TestStateTables(t *testing.T) {
	for _, table := range stateTables {
		for _, row := range table.rows {
			for i := range families {
				f := &families[i]
				t.Run(fmt.Sprintf("%s/%s_%s/%s", table.section, row[0], row[1], f.p.Name), func(t *testing.T) {
					want := work(t, f, row)
					v, _, _ := f.initial(row[0])
					typ, list, _ := strings.Cut(row[1], " ")
					report := f.report(f.peer, recordNames[typ], f.g, v.eval(strings.Trim(list, "()"))...)

					// Without being querier: exactly the table.
					r := f.nonQuerier(t, RouterConfig{})
					putState(f, r, row[0])
					r.Handle(start, report)
					check(t, f, r, want)
					if got := drain(r, start); len(got) != 0 {
						t.Errorf("a non-querier sent %s", allWords(got))
					}

					// As querier: what is asked is lowered too (section 6.6.3).
					q := f.quiet(t, RouterConfig{})
					putState(f, q, row[0])
					q.Handle(start, report)
					for _, a := range want.asked {
						want.timers[a] = rowLMQT
					}
					if want.askGroup {
						want.group = rowLMQT
					}
					check(t, f, q, want)
					var queries []string
					if want.askGroup {
						queries = append(queries, words(f.ask(f.host, f.g)))
					}
					if len(want.asked) > 0 {
						queries = append(queries, words(f.ask(f.host, f.g, want.asked...)))
					}
					wantWords(t, drain(q, start), strings.Join(queries, " | "))
				})
			}
		}
	}
}

func check(t *testing.T, f *family, r *Router, want expected) {
	t.Helper()
	s, ok := r.State(f.g)
	if !ok {
		t.Fatal("the group is gone")
	}
	var x, y []netip.Addr
	for _, src := range s.Sources {
		if src.Until.IsZero() {
			y = append(y, src.Addr)
			continue
		}
		x = append(x, src.Addr)
		if got := src.Until.Sub(start); got != want.timers[src.Addr] {
			t.Errorf("source timer of %v is %v, want %v", src.Addr, got, want.timers[src.Addr])
		}
	}
	if s.Mode != want.mode || !slices.Equal(x, want.x) || !slices.Equal(y, want.y) {
		t.Errorf("%v %v, %v; want %v %v, %v", s.Mode, x, y, want.mode, want.x, want.y)
	}
	if got := s.Until; want.group == 0 && !got.IsZero() || want.group != 0 && got.Sub(start) != want.group {
		t.Errorf("group timer at %v, want %v", got.Sub(start), want.group)
	}
}

// RFC 5790 sections 5.3 and 5.4, for a group timer that runs and one that does not.
func TestLightweightTables(t *testing.T) {
	rows := []struct{ typ, list, asked string }{
		{"IS_IN", "A+B", ""}, {"IS_EX", "A", ""}, {"ALLOW", "A+B", ""},
		{"BLOCK", "A", "A*B"}, {"TO_IN", "A+B", "A-B"}, {"TO_EX", "A", ""},
	}
	both(t, func(t *testing.T, f *family) {
		v := sets{'A': f.s(1, 2, 3, 4), 'B': f.s(3, 4, 5, 6)}
		for _, row := range rows {
			for _, running := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s_timer_%v", row.typ, running), func(t *testing.T) {
					r := f.quiet(t, RouterConfig{Lightweight: true})
					putState(f, r, "INCLUDE")
					if running {
						r.Handle(start, f.report(f.peer, ToEx, f.g, f.s(9)...))
					}
					list := v['B']
					r.Handle(start, f.report(f.peer, recordNames[row.typ], f.g, list...))
					s, _ := r.State(f.g)
					var got []netip.Addr
					for _, src := range s.Sources {
						got = append(got, src.Addr)
					}
					if want := v.eval(row.list); !slices.Equal(got, want) {
						t.Errorf("sources %v, want %v", got, want)
					}
					excludes := row.typ == "IS_EX" || row.typ == "TO_EX"
					if all := r.Forward(f.s(77)[0], f.g); all != (running || excludes) {
						t.Errorf("any source: %v", all)
					}
					var want []string
					if row.typ == "TO_IN" && running {
						want = append(want, words(f.ask(f.host, f.g)))
					}
					if row.asked != "" {
						want = append(want, words(f.ask(f.host, f.g, v.eval(row.asked)...)))
					}
					wantWords(t, drain(r, start), strings.Join(want, " | "))
				})
			}
		}
		// Section 5.1: a source whose timer runs out goes at once.
		r := f.quiet(t, RouterConfig{Lightweight: true})
		r.Handle(start, f.report(f.peer, Allow, f.g, f.s(1)...))
		r.Handle(at(sec(100)), f.report(f.peer, ToEx, f.g))
		run(t, r, at(sec(300)))
		if s, _ := r.State(f.g); s.Mode != group.Exclude || len(s.Sources) != 0 || !r.Forward(f.s(1)[0], f.g) {
			t.Errorf("%+v", s)
		}
	})
}

// RFC 3376 section 6.3 and RFC 3810 section 7.3, a row each; and section 6.2.2, what
// the end of a group timer does.
func TestForwardingTable(t *testing.T) {
	both(t, func(t *testing.T, f *family) {
		one, two := f.s(1)[0], f.s(2)[0]
		rows := []struct {
			name    string
			reports []*Message
			after   time.Duration
			src     netip.Addr
			forward bool
			state   string
		}{
			{"INCLUDE_timer_runs", []*Message{f.report(f.peer, IsIn, f.g, one)}, sec(259), one, true, "INCLUDE 1+0"},
			{"INCLUDE_timer_0", []*Message{f.report(f.peer, IsIn, f.g, one)}, sec(260), one, false, "gone"},
			{"INCLUDE_no_element", []*Message{f.report(f.peer, IsIn, f.g, one)}, 0, two, false, "INCLUDE 1+0"},
			{"EXCLUDE_timer_runs", []*Message{f.report(f.peer, IsEx, f.g), f.report(f.peer, IsIn, f.g, one)}, sec(259), one, true, "EXCLUDE 1+0"},
			{"EXCLUDE_timer_0", []*Message{f.report(f.peer, IsEx, f.g, one)}, sec(259), one, false, "EXCLUDE 0+1"},
			{"EXCLUDE_no_element", []*Message{f.report(f.peer, IsEx, f.g, one)}, sec(259), two, true, "EXCLUDE 0+1"},
			{"group_timer_0_nothing_left", []*Message{f.report(f.peer, IsEx, f.g, one)}, sec(260), two, false, "gone"},
		}
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				r := f.quiet(t, RouterConfig{})
				for _, m := range row.reports {
					r.Handle(start, m)
				}
				run(t, r, at(row.after))
				if got := r.Forward(row.src, f.g); got != row.forward {
					t.Errorf("forward is %v", got)
				}
				if got := stateWords(r, f.g); got != row.state {
					t.Errorf("state %s, want %s", got, row.state)
				}
			})
		}
		t.Run("group_timer_0_sources_left", func(t *testing.T) {
			r := f.quiet(t, RouterConfig{})
			r.Handle(start, f.report(f.peer, IsEx, f.g, f.s(1, 2)...))
			r.Handle(at(sec(50)), f.report(f.peer, Allow, f.g, f.s(3)...))
			run(t, r, at(sec(259)))
			if got := stateWords(r, f.g); got != "EXCLUDE 1+2" {
				t.Errorf("before: %s", got)
			}
			run(t, r, at(sec(260)))
			if got := stateWords(r, f.g); got != "INCLUDE 1+0" {
				t.Errorf("after: %s", got)
			}
			run(t, r, at(sec(310)))
			if got := stateWords(r, f.g); got != "gone" {
				t.Errorf("at the end: %s", got)
			}
		})
		t.Run("EXCLUDE_timer_runs_out", func(t *testing.T) {
			r := f.quiet(t, RouterConfig{})
			r.Handle(start, f.report(f.peer, IsIn, f.g, one))
			r.Handle(at(sec(100)), f.report(f.peer, IsEx, f.g, one))
			run(t, r, at(sec(260)))
			if got := stateWords(r, f.g); got != "EXCLUDE 0+1" || r.Forward(one, f.g) {
				t.Errorf("%s", got)
			}
		})
	})
}

func stateWords(r *Router, g netip.Addr) string {
	s, ok := r.State(g)
	if !ok {
		return "gone"
	}
	x := 0
	for _, src := range s.Sources {
		if !src.Until.IsZero() {
			x++
		}
	}
	return fmt.Sprintf("%v %d+%d", s.Mode, x, len(s.Sources)-x)
}
