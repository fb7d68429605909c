package main

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/mcast"
)

func TestDoctorMistakes(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"doctor 239.1.2.3 239.1.2.4", "give one group"},
		{"doctor 192.0.2.1", "not a multicast address"},
		{"doctor nonsense", "group:port"},
		{"doctor 239.1.2.3:0", "port"},
		{"doctor 239.1.2.3@239.1.2.3", "source"},
		{"doctor --wait -1s", "0 for not listening"},
		{"doctor --iface nosuch0", "no interface is called nosuch0"},
		{"doctor ff02::7 --wait 0", "--iface"},
	} {
		code, out, errs := mcastRun(t, strings.Fields(tt.args)...)
		if code != exitUsage || !strings.Contains(errs, tt.want) || !strings.HasPrefix(errs, "mcast: ") || api.MatchString(errs) || out != "" {
			t.Errorf("mcast %s: status %d, want 2 and %q\n%s%s", tt.args, code, tt.want, errs, out)
		}
	}
}

// On lo, and without listening: nothing is joined or sent.
func TestDoctorOnLoopback(t *testing.T) {
	lo, err := loopback()
	if err != nil {
		t.Skip(err)
	}
	code, out, errs := mcastRun(t, "doctor", "239.1.2.3:5004", "--iface", lo, "--wait", "0")
	if code != 0 || errs != "" || !strings.Contains(out, "\n"+lo+"\n") || !strings.Contains(out, "no problem") || api.MatchString(out) {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
	// A group of the source-specific range without a source is a problem.
	code, out, _ = mcastRun(t, "doctor", "232.1.2.3", "--iface", lo, "--wait", "0", "--json")
	if code != exitFailed {
		t.Errorf("status %d, want 1", code)
	}
	problems := 0
	for line := range strings.Lines(out) {
		var f map[string]string
		if err := json.Unmarshal([]byte(line), &f); err != nil || f["event"] != "finding" || f["code"] == "" || f["message"] == "" || len(f) != 6 {
			t.Errorf("%v: %s", err, line)
		}
		if f["severity"] == "problem" {
			problems++
		}
	}
	if problems != 1 {
		t.Errorf("%d problems\n%s", problems, out)
	}
	// The host as a whole is only looked at.
	if code, out, errs = mcastRun(t, "doctor", "--wait", "0"); code == exitUsage || errs != "" || runtime.GOOS == "linux" && !strings.Contains(out, "this host\n") {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
}

func TestDoctorText(t *testing.T) {
	got := findingsText([]mcast.Finding{
		{Code: "a", Interface: "eth0", Message: "all is well"},
		{Code: "b", Severity: mcast.Warning, Message: "somewhat"},
		{Code: "c", Severity: mcast.Problem, Interface: "eth0", Message: "broken", Remedy: atTerminal("use mcast.Interface or another TTL (mcast.TTL)")},
	})
	want := `this host
  warning  somewhat
eth0
  problem  broken
           → use --iface or another TTL
  info     all is well
1 problem, 1 warning
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if s := findingsText(nil); s != "no problem, no warning\n" {
		t.Errorf("got %q", s)
	}
}
