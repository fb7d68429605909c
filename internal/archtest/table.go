// Package archtest holds the tree to the laws of its architecture: which floor a
// package lives on, what it may import from where, and what code on the lower
// floors may not do. It reads source files only; no build tags, no type checker.
package archtest

// A floor is how much of the world a package may know.
type floor int

const (
	// f0 holds values and codecs: pure functions over slices, no clock, no
	// I/O, no goroutine.
	f0 floor = iota
	// f1 holds engines: state machines that are handed the time and bytes. In
	// addition to f0's rules there is no lock.
	f1
	// f2 holds shells: sockets, goroutines, files.
	f2
	// f3 is the top: commands, examples, measurements, interop, tools.
	f3
)

func (f floor) String() string { return string("F" + "0123"[f:f+1]) }

// A room is a row of the floor table.
type room struct {
	// path is a package directory below the module root, "." for the root
	// itself. One that ends in "/..." names all below it as well.
	path  string
	floor floor
	// files puts single files of the package on a floor of their own, by file
	// name or by prefix with a * at the end. A small protocol is one package
	// with its floors as files; the package's floor is the highest.
	files map[string]floor
}

// shell is the files of a room with all floors in it: the part that runs.
var shell = map[string]floor{"run*": f2}

// membership is the files of igmp and mld: the engines, and the part that runs them.
// All other files are their codecs.
var membership = map[string]floor{"engine*": f1, "host*": f1, "listener*": f1, "router*": f1, "proxy*": f1, "snooper*": f1, "run*": f2}

// rooms is the floor table; the first row that fits a package counts. A new
// package needs a row here before it is allowed in.
var rooms = []room{
	{".", f0, nil}, // doc.go

	{"mcast", f2, nil},
	{"mcast/group", f0, nil},
	{"mcast/datagram", f0, nil},
	{"mcast/mcasttest", f2, nil},

	{"igmp", f0, membership},
	{"mld", f0, membership},
	{"sdp", f0, nil},
	{"sdp/pionsdp", f0, nil},
	{"sap", f1, map[string]floor{"packet*": f0, "run*": f2}},
	{"glop", f0, nil},
	{"alloc", f1, shell},
	{"madcap", f1, shell},
	{"madcap/boltstore", f2, nil},
	{"madcap/storetest", f2, nil},

	{"rmt/fec/...", f0, nil},
	{"rmt/tfmcc", f1, nil},
	{"rmt/lct", f0, nil},
	{"rmt/alc", f0, nil},
	{"rmt/fcast", f0, shell},
	{"rmt/norm", f2, nil},
	{"rmt/norm/normexpvar", f2, nil},
	{"rmt/norm/wire", f0, nil},
	{"rmt/norm/core", f1, nil},
	{"rmt/flute", f2, nil},
	{"rmt/flute/fdt", f0, nil},
	{"rmt/flute/core", f1, nil},

	{"internal/wire", f0, nil},
	{"internal/pcap", f0, nil},
	{"internal/engine", f1, nil},
	{"internal/pace", f1, nil},
	{"internal/pathrate", f1, nil},
	{"internal/gmp", f1, nil},
	{"internal/flow", f1, nil},
	{"internal/control", f2, nil}, // F1 but for its imports: igmp and mld have files on F2
	{"internal/netem", f1, nil},
	{"internal/disk", f2, nil},
	{"internal/drive", f2, nil},
	{"internal/station", f2, nil},
	{"internal/netlab", f2, nil},
	{"internal/archtest", f3, nil},
	{"internal/cmd/...", f3, nil},

	{"cmd/...", f3, nil},
	{"examples/...", f3, nil},
	{"bench/...", f3, nil},
	{"interop/...", f3, nil},
}

// syscalls are the packages that may import syscall or golang.org/x/sys. Tests
// may too. cmd/mcast catches SIGTERM and reads CLOCK_MONOTONIC, which scripts compare
// between processes; neither has to do with the network. internal/disk asks for free space
// and file locks.
var syscalls = []string{"mcast", "mroute", "internal/disk", "internal/netlab", "cmd/mcast"}

// sockets are the packages that may import mcast, which opens sockets. All others
// take a datagram.Conn from their caller.
var sockets = []string{"mcast/mcasttest", "mroute", "internal/netlab"} // and all of F3

// badNames say nothing about what a package or file is for.
var badNames = []string{"util", "utils", "common", "types", "helper", "helpers", "misc"}
