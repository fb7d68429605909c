// Testsummary runs go test with its arguments and says what came of it: a line per
// package, failures in full, and at the end every skipped test with its reason,
// so that nobody takes for tested what was not. It exits 1 when anything failed.
//
//	testsummary [-again regexp] [arguments of go test]
//
// With -again, packages that match and whose tests failed are tested a second time, by
// themselves: those which hold other people's programs against the clock. So is a package
// in which the race detector itself broke down (ThreadSanitizer: CHECK failed), for that
// says nothing of the package. What passes only then is listed at the end as well.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// mostAgain is how many failed packages are tested again. With more something is broken.
const mostAgain = 3

func main() {
	args := os.Args[1:]
	var again *regexp.Regexp
	if len(args) >= 2 && args[0] == "-again" {
		var err error
		if again, err = regexp.Compile(args[1]); err != nil {
			fmt.Fprintln(os.Stderr, "testsummary: -again:", err)
			os.Exit(2)
		}
		args = args[2:]
	}
	s := newSummary(os.Stdout)
	good := run(s, args)
	if pkgs := s.again(again); len(pkgs) > 0 {
		fmt.Printf("\nA second time, by themselves: %s\n", strings.Join(pkgs, " "))
		// The packages stand last, behind the flags.
		flags := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, ".") })
		good = run(s, append(append(flags, "-count=1", "-p=1"), pkgs...))
	}
	if !s.close() || !good {
		os.Exit(1)
	}
}

// run runs go test and tells s what it does. It reports whether go test was content, or
// its output shows why not.
func run(s *summary, args []string) bool {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsummary:", err)
		return false
	}
	s.read(out)
	if err := cmd.Wait(); err != nil && len(s.fails) == 0 {
		fmt.Fprintln(os.Stderr, "testsummary: go test:", err)
		return false
	}
	return true
}
