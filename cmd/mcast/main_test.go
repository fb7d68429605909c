package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gomulticast/multicast/mcast"
)

// As a child, with MCAST_TEST_MAIN in its environment, the test binary is mcast.
func TestMain(m *testing.M) {
	if os.Getenv("MCAST_TEST_MAIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// mcastRun runs mcast to its end.
func mcastRun(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), "MCAST_TEST_MAIN=1", "GORACE=atexit_sleep_ms=0")
	cmd.WaitDelay = 10 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// api is a name of package mcast, which is of no use to people at a terminal.
var api = regexp.MustCompile(`mcast\.[A-Z]`)

// Every mistake on the command line is status 2 and told with what to do. None of
// these gets as far as a socket.
func TestMistakes(t *testing.T) {
	file := os.Args[0]
	for _, tt := range []struct{ args, want string }{
		{"bogus", "there are addr, alloc, demo,"},
		{"recv --bogus", "unknown flag: --bogus"},
		{"recv file", "--dir is where they go"},
		{"recv --dir /nonexistent/dir", "not a directory; make it first"},
		{"recv --dir " + file, "not a directory; make it first"},
		{"recv --count -1", "give positive values"},
		{"recv --timeout -1s", "give positive values"},
		{"recv --count x", "invalid argument"},
		{"recv --max-entries -1", "from 1 to 1048576"},
		{"recv --loss 100", "from 0 to below 100"},
		{"recv --loss NaN", "from 0 to below 100"},
		{"recv --ttl 256", "from 0 to 255"},
		{"recv --id 4294967295", "reserved"},
		{"recv --group 10.1.2.3:6003", "239.255.7.7"},
		{"recv --group 239.1.2.3", `as in "239.1.2.3:5004"`},
		{"recv --group 239.1.2.3:0", "between 1 and 65535"},
		{"recv --group example:6003", `write it as "239.255.7.7:5004"`},
		{"recv --group 232.1.2.3:6003 --iface lo", "--source"},
		{"recv --group [ff3e::1]:6003 --iface lo", "--source"},
		{"recv --group 232.1.2.3:6003 --iface lo --source nobody", "--source the IP address"},
		{"recv --group 232.1.2.3:6003 --iface lo --source ::1", "of the same version"},
		{"recv --group [ff02::7]:6003", "--iface"},
		{"recv --iface nosuch0", "this host has"},
		{"send", "name at least one file"},
		{"send --command " + strings.Repeat("x", 1401), "at most a --segment, 1400"},
		{"send --protocol flute --command x " + file, "--command are for NORM"},
		{"send --rate fast " + file, "as 100M, or max"},
		{"send --rate 1200 " + file, "say 1200M for megabits, 1200k for kilobits"},
		{"send --protocol flute --rate 1200 " + file, "say 1200M for megabits"},
		{"send --fec rs:200 " + file, "as rs:64/16, or none"},
		{"send --fec rs:4000/100 " + file, "1 to 2048 together"},
		{"send --fec rs:200/100 --segment 1001 " + file, "must be even"},
		{"send --auto-parity 33 " + file, "parity 32"},
		{"send --wait nobody " + file, "a number of receivers, or IDs"},
		{"send --wait 0 " + file, "a number of receivers, or IDs"},
		{"send --wait 11,0 " + file, "no node ID"},
		{"send --segment 70000 " + file, "segment size 70000"},
		{"send --group-size -1 " + file, "give positive values"},
		{"send --ttl -1 " + file, "from 0 to 255"},
		{"send --name x " + file + " " + file, "for a single file"},
		{"send --iface lo --source 127.0.0.1 " + file, "not both"},
		{"send --iface nosuch0 " + file, "this host has"},
		{"send --group 192.0.2.1:6003 " + file, "239.255.7.7"},
		{"join", "give a group"},
		{"join 10.1.2.3", "not a multicast address"},
		{"join 239.1.2.3:0", "port"},
		{"join 239.1.2.3+x:5004", "after +"},
		{"join 239.1.2.3+20000", "at once"},
		{"join 239.255.255.255+2 --iface lo", "run out"},
		{"join 232.1.2.3 --iface lo", "--source"},
		{"join 232.1.2.3 --source nobody", "--source"},
		{"join 232.1.2.3 --iface lo --source ::1", "of the same version"},
		{"join 239.1.2.3 --interval 1ms", "at least 10ms"},
		{"join 239.1.2.3 --iface nosuch0", "this host has"},
		{"sendtest", "give the group to send to"},
		{"sendtest 239.1.2.3 239.1.2.4", "what is"},
		{"sendtest 10.1.2.3", "not a multicast address"},
		{"sendtest 239.1.2.3 --size 59", "60 to 65507"},
		{"sendtest 239.1.2.3 --pps NaN", "packets a second"},
		{"sendtest 239.1.2.3 --rate max", "need a rate"},
		{"sendtest 239.1.2.3 --rate 1200", "say 1200M for megabits"},
		{"sendtest 239.1.2.3 --tos 256", "from 0 to 255"},
		{"sendtest 239.1.2.3 --ttl -1", "from 0 to 255"},
		{"sendtest 239.1.2.3 --duration -1s", "positive"},
		{"sendtest 239.1.2.3 --iface nosuch0", "this host has"},
		{"pcap", "name a capture"},
		{"pcap a b", "what is"},
		{"pcap /nonexistent.pcap", "no such file"},
		{"monitor", "--iface"},
		{"monitor eth0", "--iface"},
		{"monitor --iface nosuch0", "this host has"},
		{"monitor --iface lo --interval 1ms", "at least 10ms"},
		{"monitor --iface lo --duration -1s", "positive time"},
		{"querier", "--iface"},
		{"querier eth0", "--iface"},
		{"querier --iface nosuch0", "this host has"},
		{"querier --iface lo --version 1", "give 2 or 3"},
		{"querier --iface lo --mld 3", "give 1 or 2"},
		{"querier --iface lo --interval 1ms", "from 1s to 1h"},
		{"querier --iface lo --duration -1s", "positive time"},
		{"querier --iface lo --ipv4 --ipv6", "each means only"},
		{"demo one two", "a single file"},
		{"demo --loss 60", "from 0 to 50"},
		{"demo --rate fast", "as 100M, or max"},
		{"demo --rate 1200", "say 1200M for megabits"},
		{"demo --group 127.0.0.1:6003", "239.255.7.7"},
	} {
		code, out, errs := mcastRun(t, strings.Fields(tt.args)...)
		if code != exitUsage || !strings.Contains(errs, tt.want) || !strings.HasPrefix(errs, "mcast: ") || api.MatchString(errs) {
			t.Errorf("mcast %s: status %d, want 2 and %q\n%s", tt.args, code, tt.want, errs)
		}
		if out != "" {
			t.Errorf("mcast %s: on standard output: %s", tt.args, out)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, args := range []string{"", "help", "--help", "send --help", "recv --help", "demo --help", "join --help", "sendtest --help", "pcap --help", "monitor --help", "querier --help", "--version"} {
		code, out, errs := mcastRun(t, strings.Fields(args)...)
		if code != 0 || !strings.Contains(out, "mcast") || errs != "" {
			t.Errorf("mcast %s: status %d\n%s%s", args, code, out, errs)
		}
	}
}

func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		err         error
		interrupted bool
		want        int
	}{
		{nil, false, 0},
		{errFailed, false, 1},
		{usageError{errFailed}, false, 2},
		{nil, true, 130},
		{errFailed, true, 130},
	} {
		if got := status(tt.err, tt.interrupted); got != tt.want {
			t.Errorf("status(%v, %v) = %d, want %d", tt.err, tt.interrupted, got, tt.want)
		}
	}
	// What no flag can put right is no usage error.
	var usage usageError
	if err := openError(&mcast.OpError{Op: "open", Err: mcast.ErrPermission}); errors.As(err, &usage) {
		t.Errorf("%v is a usage error", err)
	}
	if openError(nil) != nil {
		t.Error("an error out of nothing")
	}
}
