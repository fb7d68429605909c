package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// An event is a line of go test -json (go doc test2json, go help buildjson).
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build-output
	FailedBuild string
	Test        string
	Output      string
	Elapsed     float64
}

// A test is named by its package and itself; with no name it stands for what the
// package says outside its tests.
type test struct{ pkg, name string }

func (t test) String() string {
	if t.name == "" {
		return t.pkg + " (the package itself)"
	}
	return t.pkg + " " + t.name
}

type summary struct {
	w      io.Writer
	output map[test]*strings.Builder   // of tests that run, and of packages
	builds map[string]*strings.Builder // by import path
	counts map[string]map[string]int   // by package and action
	fails  []test
	late   []test           // failed, and are tried again
	broken map[string]bool  // packages in which the race detector broke down
	skips  map[string]*skip // by reason, its numbers apart
}

// A skip is a reason and the tests that gave it.
type skip struct {
	why   string
	tests []test
}

func newSummary(w io.Writer) *summary {
	return &summary{
		w:      w,
		output: map[test]*strings.Builder{},
		builds: map[string]*strings.Builder{},
		counts: map[string]map[string]int{},
		broken: map[string]bool{},
		skips:  map[string]*skip{},
	}
}

// read takes the events of go test -json from r and writes of each package how it went.
func (s *summary) read(r io.Reader) {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				fmt.Fprintf(s.w, "%s", line) // go test says it in the clear
			} else {
				s.event(&e)
			}
		}
		if err != nil {
			return
		}
	}
}

// again returns the packages to be tested a second time, and forgets that they failed:
// those which match, and those in which the race detector broke down, unless others
// failed too.
func (s *summary) again(match *regexp.Regexp) []string {
	if match == nil {
		return nil
	}
	var pkgs []string
	for _, t := range s.fails {
		if late := t.name != "" && match.MatchString(t.pkg); !late && !s.broken[t.pkg] {
			return nil
		}
		if !slices.Contains(pkgs, t.pkg) {
			pkgs = append(pkgs, t.pkg)
		}
	}
	if len(pkgs) > mostAgain {
		return nil
	}
	s.late, s.fails = s.fails, nil
	for _, pkg := range pkgs {
		delete(s.broken, pkg)
		delete(s.counts, pkg)
		for key, k := range s.skips {
			if k.tests = slices.DeleteFunc(k.tests, func(t test) bool { return t.pkg == pkg }); len(k.tests) == 0 {
				delete(s.skips, key)
			}
		}
	}
	return pkgs
}

func appendTo[K comparable](m map[K]*strings.Builder, key K, text string) {
	if m[key] == nil {
		m[key] = &strings.Builder{}
	}
	m[key].WriteString(text)
}

func (s *summary) event(e *event) {
	t := test{e.Package, e.Test}
	switch e.Action {
	case "output":
		appendTo(s.output, t, e.Output)
		return
	case "build-output":
		appendTo(s.builds, e.ImportPath, e.Output)
		return
	case "pass", "fail", "skip":
	default:
		return
	}
	if e.Test == "" {
		s.packageDone(e)
		return
	}
	if s.counts[e.Package] == nil {
		s.counts[e.Package] = map[string]int{}
	}
	s.counts[e.Package][e.Action]++
	switch e.Action {
	case "fail":
		s.fails = append(s.fails, t)
		return // its output waits for the end of the package
	case "skip":
		why := reason(s.output[t])
		key := number.ReplaceAllString(why, "#") // process IDs and the like
		if s.skips[key] == nil {
			s.skips[key] = &skip{why: why}
		}
		s.skips[key].tests = append(s.skips[key].tests, t)
	}
	delete(s.output, t)
}

func (s *summary) packageDone(e *event) {
	n := s.counts[e.Package]
	all := n["pass"] + n["fail"] + n["skip"]
	switch {
	case e.Action == "fail":
		fmt.Fprintf(s.w, "FAIL  %s  %.1fs\n", e.Package, e.Elapsed)
		if b := s.builds[e.FailedBuild]; b != nil {
			fmt.Fprint(s.w, indent(b.String()))
		}
		if n["fail"] == 0 { // the build, a panic or os.Exit: the package itself failed
			s.fails = append(s.fails, test{e.Package, ""})
		}
		var said []test // in the order of their names; the package's own comes last
		for t := range s.output {
			if t.pkg == e.Package {
				said = append(said, t)
			}
		}
		slices.SortFunc(said, func(a, b test) int {
			if (a.name == "") != (b.name == "") {
				return len(b.name) - len(a.name)
			}
			return strings.Compare(a.name, b.name)
		})
		for _, t := range said {
			text := s.output[t].String()
			fmt.Fprint(s.w, indent(text))
			if detectorBroke.MatchString(text) {
				s.broken[e.Package] = true
			}
		}
	case all > 0:
		skipped := ""
		if n["skip"] > 0 {
			skipped = fmt.Sprintf(", %d skipped", n["skip"])
		}
		fmt.Fprintf(s.w, "ok    %s  %.1fs  %d tests%s\n", e.Package, e.Elapsed, all, skipped)
	}
	maps.DeleteFunc(s.output, func(t test, _ *strings.Builder) bool { return t.pkg == e.Package })
}

// close writes the closing lists and the count, and reports whether all went well.
func (s *summary) close() bool {
	var passed, failed, skipped int
	for _, n := range s.counts {
		passed, failed, skipped = passed+n["pass"], failed+n["fail"], skipped+n["skip"]
	}
	if len(s.skips) > 0 {
		fmt.Fprintln(s.w, "\nSkipped:")
		for _, key := range slices.Sorted(maps.Keys(s.skips)) {
			fmt.Fprintf(s.w, "  %s\n", s.skips[key].why)
			for _, t := range s.skips[key].tests {
				fmt.Fprintf(s.w, "      %s %s\n", t.pkg, t.name)
			}
		}
	}
	if len(s.late) > 0 {
		fmt.Fprintln(s.w, "\nFailed the first time, and were tried again:")
		for _, t := range s.late {
			fmt.Fprintln(s.w, " ", t)
		}
	}
	if len(s.fails) > 0 {
		fmt.Fprintln(s.w, "\nFailed:")
		for _, t := range s.fails {
			if t.name == "" {
				failed++
			}
			fmt.Fprintln(s.w, " ", t)
		}
	}
	fmt.Fprintf(s.w, "\n%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	return failed == 0
}

func indent(text string) string {
	return "      " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n      ") + "\n"
}

// detectorBroke is what the race detector ends a test binary with when it finds itself,
// not the program, in error. A race that it found reads otherwise.
var detectorBroke = regexp.MustCompile(`(?m)^(FATAL: )?ThreadSanitizer:? CHECK failed: `)

var (
	logLine = regexp.MustCompile(`^\s*\S+\.go:\d+: `)
	number  = regexp.MustCompile(`\d+`)
)

// reason picks what a test gave to Skip out of its output: the last thing it
// logged.
func reason(output *strings.Builder) string {
	if output == nil {
		return "no reason given"
	}
	var why []string
	for line := range strings.Lines(output.String()) {
		line = strings.TrimRight(line, "\n")
		switch at := logLine.FindString(line); {
		case at != "":
			why = []string{line[len(at):]}
		case strings.HasPrefix(strings.TrimSpace(line), "--- SKIP") || strings.HasPrefix(line, "==="):
		case len(why) > 0:
			why = append(why, strings.TrimSpace(line))
		}
	}
	if len(why) == 0 || strings.Join(why, "") == "" {
		return "no reason given"
	}
	return strings.Join(why, " ")
}
