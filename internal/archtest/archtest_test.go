package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// TestTree is the law at work.
func TestTree(t *testing.T) {
	root, module := moduleRoot(t)
	found, err := check(os.DirFS(root), module, rooms)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

func moduleRoot(t *testing.T) (root, module string) {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^module (\S+)`).FindSubmatch(mod)
	if m == nil {
		t.Fatal("go.mod names no module")
	}
	return root, string(m[1])
}

// TestTable keeps the table free of rows that another one hides.
func TestTable(t *testing.T) {
	c := checker{rooms: rooms}
	for i, r := range rooms {
		first, _ := c.room(strings.TrimSuffix(r.path, "/..."))
		if first.path != r.path {
			t.Errorf("row %d, %s, is hidden by %s", i, r.path, first.path)
		}
	}
	if got := []string{f0.String(), f3.String()}; got[0] != "F0" || got[1] != "F3" {
		t.Errorf("floors are called %v", got)
	}
}

// TestPlanted plants one violation at a time and expects it to be found, and
// innocent look-alikes, which must not be.
func TestPlanted(t *testing.T) {
	tests := []struct {
		name   string
		file   string
		source string
		want   string // part of the only report, "" for none
	}{
		{"net on F0", "rmt/fec/a.go", `package fec; import _ "net"`, "F0 imports net;"},
		{"os on F0", "rmt/norm/wire/a.go", `package wire; import _ "os"`, "F0 imports os;"},
		{"os/exec on F0", "rmt/norm/wire/a.go", `package wire; import _ "os/exec"`, "F0 imports os/exec;"},
		{"context on F0", "mcast/group/a.go", `package group; import _ "context"`, "F0 imports context;"},
		{"x/net on F0", "mcast/datagram/a.go", `package datagram; import _ "golang.org/x/net/ipv4"`, "F0 imports golang.org/x/net/ipv4;"},
		{"netip on F0", "mcast/group/a.go", `package group; import _ "net/netip"`, ""},
		{"lock on F0", "rmt/fec/a.go", `package fec; import "sync"; var m sync.Mutex`, ""},
		{"clock on F0", "rmt/fec/rs/a.go", `package rs; import "time"; var t = time.Now()`, "F0 uses time.Now;"},
		{"goroutine on F0", "rmt/fec/a.go", `package fec; func f() { go f() }`, "F0 starts a goroutine"},
		{"duration on F0", "rmt/fec/a.go", `package fec; import "time"; var d = time.Second`, ""},

		{"net on F1", "internal/pace/a.go", `package pace; import _ "net"`, "F1 imports net;"},
		{"time.Now", "rmt/norm/core/a.go", `package core; import "time"; var t = time.Now()`, "a.go:1: F1 uses time.Now;"},
		{"time.Now, renamed", "rmt/norm/core/a.go", `package core; import clock "time"; var t = clock.Now()`, "F1 uses time.Now;"},
		{"time.Now by a dot", "rmt/norm/core/a.go", `package core; import . "time"; var t = Now()`, "F1 imports time by a dot"},
		{"time.Now, as a value", "rmt/norm/core/a.go", `package core; import "time"; var now = time.Now`, "F1 uses time.Now;"},
		{"time.Since", "internal/netem/a.go", "package netem\nimport \"time\"\nvar d = time.Since(time.Time{})", "a.go:3: F1 uses time.Since;"},
		{"time.Until", "internal/netem/a.go", `package netem; import "time"; var d = time.Until(time.Time{})`, "F1 uses time.Until;"},
		{"time.After", "internal/pace/a.go", `package pace; import "time"; var c = time.After(1)`, "F1 uses time.After;"},
		{"time.AfterFunc", "internal/pace/a.go", `package pace; import "time"; var c = time.AfterFunc(1, nil)`, "F1 uses time.AfterFunc;"},
		{"time.Sleep", "internal/pace/a.go", `package pace; import "time"; func f() { time.Sleep(1) }`, "F1 uses time.Sleep;"},
		{"time.NewTimer", "internal/pace/a.go", `package pace; import "time"; var c = time.NewTimer(1)`, "F1 uses time.NewTimer;"},
		{"time.NewTicker", "internal/pace/a.go", `package pace; import "time"; var c = time.NewTicker(1)`, "F1 uses time.NewTicker;"},
		{"time.Tick", "internal/pace/a.go", `package pace; import "time"; var c = time.Tick(1)`, "F1 uses time.Tick;"},
		{"a method After", "internal/pace/a.go", `package pace; import "time"; func f(a, b time.Time) bool { return a.After(b) }`, ""},
		{"a variable time", "internal/pace/a.go", `package pace; import _ "time"; type t struct{ Now int }; func f(time t) int { return time.Now }`, ""},
		{"go statement", "internal/engine/a.go", `package engine; func f() { go f() }`, "F1 starts a goroutine"},
		{"channel", "internal/engine/a.go", `package engine; type t struct{ c chan int }`, "F1 has a channel"},
		{"channel parameter", "internal/engine/a.go", `package engine; func f(<-chan int) {}`, "F1 has a channel"},
		{"select", "internal/engine/a.go", `package engine; func f() { select {} }`, "F1 selects"},
		{"mutex", "rmt/norm/core/a.go", `package core; import "sync"; var m sync.Mutex`, "F1 imports sync;"},
		{"crypto/rand", "rmt/norm/core/a.go", `package core; import _ "crypto/rand"`, "F1 imports crypto/rand;"},
		{"global rand", "rmt/norm/core/a.go", `package core; import "math/rand"; var n = rand.Intn(3)`, "F1 uses math/rand.Intn;"},
		{"global rand v2", "rmt/norm/core/a.go", `package core; import "math/rand/v2"; var n = rand.IntN(3)`, "F1 uses math/rand/v2.IntN;"},
		{"seeded rand", "rmt/norm/core/a.go", `package core; import "math/rand/v2"; var r *rand.Rand = rand.New(rand.NewPCG(1, 2))`, ""},

		{"up from F0", "rmt/fec/a.go", `package fec; import _ "example.org/m/rmt/norm/core"`, "F0 imports rmt/norm/core on F1;"},
		{"up from F1", "rmt/norm/core/a.go", `package core; import _ "example.org/m/internal/drive"`, "F1 imports internal/drive on F2;"},
		{"up from F2", "internal/drive/a.go", `package drive; import _ "example.org/m/cmd/mcast"`, "F2 imports cmd/mcast on F3;"},
		{"down", "rmt/norm/core/a.go", `package core; import _ "example.org/m/rmt/fec/rs"`, ""},
		{"sideways", "rmt/norm/wire/a.go", `package wire; import _ "example.org/m/rmt/fec"`, ""},
		{"the top", "cmd/mcast/a.go", `package main; import (_ "example.org/m/mcast"; _ "os"; _ "time")`, ""},

		{"syscall in a protocol", "rmt/norm/a.go", `package norm; import _ "syscall"`, "rmt/norm imports syscall;"},
		{"x/sys in the loop", "internal/drive/a.go", `package drive; import _ "golang.org/x/sys/unix"`, "internal/drive imports golang.org/x/sys/unix;"},
		{"syscall in a command", "cmd/other/a.go", `package main; import _ "syscall"`, "cmd/other imports syscall;"},
		{"x/sys in mcast", "mcast/a.go", `package mcast; import _ "golang.org/x/sys/unix"`, ""},
		{"x/sys in the lab", "internal/netlab/a.go", `package netlab; import _ "golang.org/x/sys/unix"`, ""},
		{"syscall in a test", "rmt/norm/a_test.go", `package norm; import _ "syscall"`, ""},

		{"norm opens a socket", "rmt/norm/a.go", `package norm; import _ "example.org/m/mcast"`, "rmt/norm imports mcast;"},
		{"the loop opens a socket", "internal/drive/a.go", `package drive; import _ "example.org/m/mcast"`, "internal/drive imports mcast;"},
		{"norm takes a Conn", "rmt/norm/a.go", `package norm; import (_ "example.org/m/mcast/datagram"; _ "example.org/m/mcast/group")`, ""},
		{"mcasttest knows mcast", "mcast/mcasttest/a.go", `package mcasttest; import _ "example.org/m/mcast"`, ""},

		{"a floor as a file", "sap/announcer.go", `package sap; import _ "net"`, "F1 imports net;"},
		{"the shell's file", "sap/run.go", `package sap; import _ "net"; func f() { go f() }`, ""},
		{"the shell's other file", "sap/run_linux.go", `package sap; import _ "net"`, ""},
		{"the shell opens a socket", "sap/run.go", `package sap; import _ "example.org/m/mcast"`, "sap imports mcast;"},
		{"up to a shell", "internal/gmp/a.go", `package gmp; import _ "example.org/m/sap"`, "F1 imports sap on F2;"},

		{"unknown package", "rmt/pgm/a.go", `package pgm`, "rmt/pgm has no floor; give it one in the table"},
		{"unknown neighbour", "mcastx/a.go", `package mcastx`, "mcastx has no floor"},
		{"a name that says nothing", "internal/cmd/x/util.go", `package main`, "file util.go: the name says nothing"},
		{"a package that says nothing", "internal/cmd/x/a.go", `package helpers`, "package helpers"},

		{"testdata", "rmt/fec/testdata/a.go", `package x; import _ "net"`, ""},
		{"hidden directory", ".cache/a.go", `package x`, ""},
		{"never built", "rmt/fec/a.go", "//go:build ignore\n\npackage main; import _ \"net\"", ""},
		{"built somewhere", "rmt/fec/a.go", "//go:build plan9\n\npackage fec; import _ \"net\"", "F0 imports net;"},
		{"the root", "doc.go", `package multicast; import _ "net"`, "F0 imports net;"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found, err := check(fstest.MapFS{tt.file: {Data: []byte(tt.source)}}, "example.org/m", rooms)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case tt.want == "" && len(found) > 0:
				t.Errorf("innocent, but: %q", found)
			case tt.want != "" && (len(found) != 1 || !strings.Contains(found[0], tt.want)):
				t.Errorf("got %q, want one with %q", found, tt.want)
			}
		})
	}
}

func TestNestedModule(t *testing.T) {
	tree := fstest.MapFS{
		"bench/peer/go.mod": {Data: []byte("module example.org/peer")},
		"bench/peer/a/a.go": {Data: []byte(`package util`)},
	}
	if found, err := check(tree, "example.org/m", rooms); err != nil || len(found) > 0 {
		t.Errorf("%q, %v", found, err)
	}
	tree["rmt/fec/a.go"] = &fstest.MapFile{Data: []byte("package fec {")}
	if _, err := check(tree, "example.org/m", rooms); err == nil {
		t.Error("a file that does not parse passes")
	}
}
