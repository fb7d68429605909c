package main

import (
	"regexp"
	"strings"
	"testing"
)

func TestSummarize(t *testing.T) {
	tests := []struct {
		name   string
		events string
		ok     bool
		want   []string // in this order
		not    []string
	}{
		{"pass", `
{"Action":"start","Package":"m/a"}
{"Action":"run","Package":"m/a","Test":"TestX"}
{"Action":"output","Package":"m/a","Test":"TestX","Output":"    a_test.go:3: chatter\n"}
{"Action":"pass","Package":"m/a","Test":"TestX"}
{"Action":"output","Package":"m/a","Output":"PASS\n"}
{"Action":"pass","Package":"m/a","Elapsed":1.26}
{"Action":"skip","Package":"m/none","Elapsed":0}
`, true, []string{"ok    m/a  1.3s  1 tests\n", "\n1 passed, 0 failed, 0 skipped\n"}, []string{"chatter", "Skipped", "m/none"}},

		{"skip", `
{"Action":"output","Package":"m/a","Test":"TestX","Output":"=== RUN   TestX\n"}
{"Action":"output","Package":"m/a","Test":"TestX","Output":"    a_test.go:3: first thing\n"}
{"Action":"output","Package":"m/a","Test":"TestX","Output":"    a_test.go:4: no lab: needs\n"}
{"Action":"output","Package":"m/a","Test":"TestX","Output":"        root\n"}
{"Action":"output","Package":"m/a","Test":"TestX","Output":"--- SKIP: TestX (0.00s)\n"}
{"Action":"skip","Package":"m/a","Test":"TestX"}
{"Action":"skip","Package":"m/a","Test":"TestY"}
{"Action":"pass","Package":"m/a"}
`, true, []string{"2 tests, 2 skipped", "Skipped:\n", "  no lab: needs root\n", "m/a TestX\n", "  no reason given\n", "m/a TestY", "0 passed, 0 failed, 2 skipped"}, []string{"first"}},

		{"one reason, two numbers", `
{"Action":"output","Package":"m/a","Test":"TestX","Output":"    a_test.go:3: no space-17\n"}
{"Action":"skip","Package":"m/a","Test":"TestX"}
{"Action":"output","Package":"m/a","Test":"TestY","Output":"    a_test.go:3: no space-18\n"}
{"Action":"skip","Package":"m/a","Test":"TestY"}
{"Action":"pass","Package":"m/a"}
`, true, []string{"  no space-17\n", "m/a TestX\n", "m/a TestY\n", "2 skipped"}, []string{"space-18"}},

		{"fail", `
{"Action":"output","Package":"m/a","Test":"TestX","Output":"    a_test.go:3: all is well\n"}
{"Action":"pass","Package":"m/a","Test":"TestX"}
{"Action":"output","Package":"m/a","Test":"TestY/sub","Output":"    a_test.go:9: got 1, want 2\n"}
{"Action":"fail","Package":"m/a","Test":"TestY/sub"}
{"Action":"fail","Package":"m/a","Test":"TestY"}
{"Action":"output","Package":"m/a","Output":"-test.shuffle 17\n"}
{"Action":"fail","Package":"m/a","Elapsed":0.1}
`, false, []string{"FAIL  m/a", "got 1, want 2", "-test.shuffle 17", "Failed:\n", "m/a TestY/sub\n", "m/a TestY\n", "1 passed, 2 failed, 0 skipped"}, []string{"all is well"}},

		{"build", `
{"ImportPath":"m/a [m/a.test]","Action":"build-output","Output":"a.go:1: undefined: x\n"}
{"ImportPath":"m/a [m/a.test]","Action":"build-fail"}
{"Action":"fail","Package":"m/a","FailedBuild":"m/a [m/a.test]"}
`, false, []string{"FAIL  m/a", "undefined: x", "m/a (the package itself)", "0 passed, 1 failed"}, nil},

		{"panic outside tests", `
{"Action":"output","Package":"m/a","Output":"panic: in init\n"}
{"Action":"fail","Package":"m/a"}
`, false, []string{"FAIL  m/a", "panic: in init", "0 passed, 1 failed"}, nil},

		{"in the clear", "no such flag\n", true, []string{"no such flag\n"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			s := newSummary(&b)
			s.read(strings.NewReader(tt.events))
			if ok := s.close(); ok != tt.ok {
				t.Errorf("ok: %v, want %v", ok, tt.ok)
			}
			rest := b.String()
			for _, w := range tt.want {
				_, after, found := strings.Cut(rest, w)
				if !found {
					t.Fatalf("no %q in its place:\n%s", w, b.String())
				}
				rest = after
			}
			for _, w := range tt.not {
				if strings.Contains(b.String(), w) {
					t.Errorf("there is %q:\n%s", w, b.String())
				}
			}
		})
	}
}

// Only packages that match are tried again, only with all others well, and only when a
// test failed.
func TestAgain(t *testing.T) {
	const good = `
{"Action":"pass","Package":"m/interop/x","Test":"TestA"}
{"Action":"pass","Package":"m/interop/x"}
`
	failed := func(pkg string) string {
		return `
{"Action":"skip","Package":"` + pkg + `","Test":"TestS"}
{"Action":"pass","Package":"` + pkg + `","Test":"TestB"}
{"Action":"fail","Package":"` + pkg + `","Test":"TestA"}
{"Action":"fail","Package":"` + pkg + `"}
`
	}
	broke := func(pkg, says string) string {
		return `
{"Action":"output","Package":"` + pkg + `","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"` + pkg + `","Test":"TestA","Output":"` + says + `\n"}
{"Action":"fail","Package":"` + pkg + `"}
`
	}
	const detector = "ThreadSanitizer: CHECK failed: tsan_rtl.cpp:346 (0x0, 0x0)"
	match := regexp.MustCompile("/interop/")
	for _, tt := range []struct {
		name, first, second string
		again, ok           bool
	}{
		{"nothing failed", good, "", false, true},
		{"passes then", failed("m/interop/x"), good, true, true},
		{"fails again", failed("m/interop/x"), failed("m/interop/x"), true, false},
		{"another failed", failed("m/interop/x") + failed("m/y"), "", false, false},
		{"four failed", failed("m/interop/1") + failed("m/interop/2") + failed("m/interop/3") + failed("m/interop/4"), "", false, false},
		{"the race detector broke down", broke("m/x", detector), good, true, true},
		{"the race detector breaks down again", broke("m/x", detector), broke("m/x", detector), true, false},
		{"a race", broke("m/x", "WARNING: DATA RACE"), "", false, false},
		{"a test logs what the detector says", broke("m/x", "    x_test.go:1: "+detector), "", false, false},
		{"the race detector broke down, and another failed", broke("m/x", detector) + failed("m/y"), "", false, false},
		{"the package itself", `{"Action":"fail","Package":"m/interop/x"}`, "", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			s := newSummary(&b)
			s.read(strings.NewReader(tt.first))
			if got := len(s.again(match)) > 0; got != tt.again {
				t.Errorf("tried again: %v, want %v", got, tt.again)
			}
			s.read(strings.NewReader(tt.second))
			if ok := s.close(); ok != tt.ok {
				t.Errorf("ok: %v, want %v\n%s", ok, tt.ok, &b)
			}
			if told := strings.Contains(b.String(), "Failed the first time"); told != tt.again {
				t.Errorf("told: %v, want %v\n%s", told, tt.again, &b)
			}
			if tt.name == "passes then" && !strings.HasSuffix(b.String(), "\n1 passed, 0 failed, 0 skipped\n") {
				t.Errorf("counted twice:\n%s", &b)
			}
		})
	}
}
