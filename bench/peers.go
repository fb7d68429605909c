//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/interop/libnorm"
)

// A peer is a program, with settings, that sends a file.
type peer struct {
	name    string
	rates   func(n int) []float64 // to try, upwards, in Mbit/s; 0 is unlimited
	raw     bool                  // repairs nothing: runs without loss, says what it got
	prepare func(p *peer, dir string) error
	path    string // of the program, from prepare

	send func(p *peer, r *run) []string
	recv func(p *peer, r *run, i int) []string

	// A receiver is ready when it prints a line with this or, if a port is
	// given, has bound it.
	ready string
	port  int
	// It is done when it prints a line with this. Without, it is when the
	// file is there: under its name, or with all its bytes if grows is set.
	done  string
	grows bool
	stays bool                    // receivers do not end by themselves
	out   func(dir string) string // where it puts the file
}

func rates(one, more []float64) func(int) []float64 {
	return func(n int) []float64 {
		if n == 1 {
			return one
		}
		return more
	}
}

func fileBin(dir string) string { return filepath.Join(dir, "file.bin") }

// mcastPeer is our own program, with flags that both ends are given.
func mcastPeer(name string, flags ...string) *peer {
	return &peer{
		name:    name,
		rates:   rates([]float64{600, 900, 1200, 0}, []float64{250, 400, 550, 0}),
		prepare: func(p *peer, dir string) (err error) { p.path, err = build(dir, "mcast"); return err },
		send: func(p *peer, r *run) []string {
			rate := "max"
			if r.rate > 0 {
				rate = fmt.Sprintf("%gM", r.rate)
			}
			return append([]string{p.path, "send", "--iface", "d0", "--group", "239.77.1.9:6003", "--rate", rate, "--json", "--name", "file.bin",
				"--loopback=false", "--group-size", "10", "--wait", fmt.Sprint(r.n), r.file}, flags...)
		},
		recv: func(p *peer, r *run, i int) []string {
			return append([]string{p.path, "recv", "--iface", "d0", "--group", "239.77.1.9:6003", "--dir", r.dirs[i], "--count", "1", "--json"}, flags...)
		},
		ready: `"event":"ready"`, done: `"event":"done"`, out: fileBin,
	}
}

// allPeers lists them in the order of the table.
func allPeers() []*peer {
	return []*peer{
		rawPeer("raw-mmsg", "mmsg", rates([]float64{1000, 1300, 0}, []float64{400, 600, 800})),
		rawPeer("raw-gso", "gso", rates([]float64{1600, 2200, 0}, []float64{600, 900, 1200})),
		mcastPeer("mcast"),
		mcastPeer("mcast-nodigest", "--no-digest"), // as the peers, which verify nothing
		{
			name:    "uftp",
			rates:   rates([]float64{900, 0}, []float64{400, 600, 0}),
			prepare: installed("uftp", "uftpd"),
			send: func(p *peer, r *run) []string {
				rate := "-1"
				if r.rate > 0 {
					rate = fmt.Sprintf("%.0f", r.rate*1000)
				}
				var hosts []string
				for i := range r.n {
					hosts = append(hosts, fmt.Sprintf("0x%08X", 11+i))
				}
				return []string{"uftp", "-R", rate, "-I", "d0", "-M", "239.77.1.4", "-P", "239.77.1.5", "-B", "4194304",
					"-r", "0.05:0.01:1.0", "-b", "1400", "-D", "file.bin", "-H", strings.Join(hosts, ","), "-x", "2", r.file}
			},
			recv: func(p *peer, r *run, i int) []string {
				return []string{"uftpd", "-d", "-q", "-t", "-I", "d0", "-M", "239.77.1.4", "-D", r.dirs[i],
					"-U", fmt.Sprintf("0x%08X", 11+i), "-B", "4194304", "-x", "2"}
			},
			port: 1044, stays: true, out: fileBin,
		},
		{
			name:    "udpcast",
			rates:   rates([]float64{900, 0}, []float64{400, 0}),
			prepare: installed("udp-sender", "udp-receiver"),
			send: func(p *peer, r *run) []string {
				args := []string{"udp-sender", "--file", r.file, "--interface", "d0", "--nokbd", "--no-progress",
					"--mcast-data-address", "239.77.1.6", "--nopointopoint", "--ttl", "1", "--min-receivers", fmt.Sprint(r.n),
					"--max-wait", "10", "--rexmit-hello-interval", "500", "--full-duplex"}
				if r.rate > 0 {
					args = append(args, "--max-bitrate", fmt.Sprintf("%.0fk", r.rate*1000))
				}
				return args
			},
			recv: func(p *peer, r *run, i int) []string {
				return []string{"udp-receiver", "--file", fileBin(r.dirs[i]), "--interface", "d0", "--nokbd", "--no-progress",
					"--ttl", "1", "--receive-timeout", "10"}
			},
			port: 9000, grows: true, out: fileBin,
		},
		libnormPeer("libnorm-64/16", 16, rates([]float64{350, 450, 550}, []float64{150, 220, 300})),
		libnormPeer("libnorm-64/8", 8, rates([]float64{400, 550, 700}, []float64{200, 300, 400})),
	}
}

func peerNames() (names []string) {
	for _, p := range allPeers() {
		names = append(names, p.name)
	}
	return names
}

func installed(programs ...string) func(*peer, string) error {
	return func(*peer, string) error {
		for _, name := range programs {
			if _, err := exec.LookPath(name); err != nil {
				return err
			}
		}
		return nil
	}
}

// rawPeer is this program itself.
func rawPeer(name, mode string, rates func(int) []float64) *peer {
	return &peer{
		name: name, raw: true, rates: rates,
		prepare: func(p *peer, _ string) (err error) { p.path, err = os.Executable(); return err },
		send: func(p *peer, r *run) []string {
			return []string{p.path, "raw-send", "-mode", mode, "-rate", fmt.Sprint(r.rate), r.file}
		},
		recv: func(p *peer, r *run, i int) []string {
			return []string{p.path, "raw-recv", fmt.Sprintf("-gro=%t", r.offload), "-size", fmt.Sprint(r.size), fileBin(r.dirs[i])}
		},
		ready: "READY", done: "DONE", out: fileBin,
	}
}

// libnormPeer is NRL's library under the program of interop/libnorm.
func libnormPeer(name string, parity int, rates func(int) []float64) *peer {
	common := []string{"--group=239.77.1.2", "--port=6003", "--iface=d0", "--buffer=64"}
	return &peer{
		name: name, rates: rates,
		prepare: func(p *peer, _ string) (err error) {
			defer func() {
				if reason, ok := recover().(missing); ok {
					err = errors.New(string(reason))
				}
			}()
			p.path = libnorm.Build(builder{})
			return nil
		},
		send: func(p *peer, r *run) []string {
			args := append([]string{p.path, "send", "--id=1", fmt.Sprintf("--rate=%.0f", r.rate*1e6), "--segment=1400", "--block=64",
				fmt.Sprintf("--parity=%d", parity), "--grtt=0.005", "--backoff=4", "--gsize=10"}, common...)
			for i := range r.n {
				args = append(args, fmt.Sprintf("--ack=%d", 11+i))
			}
			return append(args, "file:"+r.file)
		},
		recv: func(p *peer, r *run, i int) []string {
			return append([]string{p.path, "recv", fmt.Sprintf("--id=%d", 11+i), "--dir=" + r.dirs[i]}, common...)
		},
		ready: "READY", done: "DONE", stays: true, out: func(dir string) string { return filepath.Join(dir, "object-0") },
	}
}

// A builder stands in for a test, to which libnorm.Build says what is missing.
type builder struct{ testing.TB }

type missing string

func (builder) Helper()           {}
func (builder) Skip(args ...any)  { panic(missing(fmt.Sprint(args...))) }
func (builder) Fatal(args ...any) { panic(missing(fmt.Sprint(args...))) }
