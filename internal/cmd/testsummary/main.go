// Testsummary runs go test with its arguments and says what came of it: a line per
// package, failures in full, and at the end every skipped test with its reason,
// so that nobody takes for tested what was not. It exits 1 when anything failed.
package main

import (
	"fmt"
	"os"
	"os/exec"
)

func main() {
	cmd := exec.Command("go", append([]string{"test", "-json"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsummary:", err)
		os.Exit(1)
	}
	ok := summarize(out, os.Stdout)
	if err := cmd.Wait(); err != nil {
		if ok { // it found a fault that its output does not show
			fmt.Fprintln(os.Stderr, "testsummary: go test:", err)
		}
		ok = false
	}
	if !ok {
		os.Exit(1)
	}
}
