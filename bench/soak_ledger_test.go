//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The soak's verdict must be able to fail.
func TestSoakLedger(t *testing.T) {
	at := time.Unix(1000, 0)
	for _, tt := range []struct {
		name   string
		events []soakEvent
		want   string // a fault, none if empty
	}{
		{"all came", []soakEvent{{Event: soakDone, File: 0, Sum: "s0"}, {Event: soakDone, File: 2, Sum: "s2"}, {Event: soakDone, File: 1, Sum: "s1"}}, ""},
		{"said to be lost", []soakEvent{{Event: soakDone, File: 2, Sum: "s2"}, {Event: soakFailed, ID: 0, Reason: "purged"}, {Event: soakFailed, ID: 65535}}, ""},
		{"before it was sent", []soakEvent{{Event: soakDone, File: 0, Sum: "s0"}, {Event: soakDone, File: 1, Sum: "s1"}, {Event: soakDone, File: 2, Sum: "s2"}, {Event: soakDone, File: 3, Sum: "s3"}, {Event: soakFile, File: 3, Sum: "s3"}}, ""},
		{"one is missing", []soakEvent{{Event: soakDone, File: 0, Sum: "s0"}, {Event: soakDone, File: 2, Sum: "s2"}}, "1 files neither"},
		{"another is said to be lost", []soakEvent{{Event: soakDone, File: 0, Sum: "s0"}, {Event: soakDone, File: 2, Sum: "s2"}, {Event: soakFailed, ID: 1}}, "1 files neither"},
		{"a wrong byte", []soakEvent{{Event: soakDone, File: 0, Sum: "s1"}}, "SHA-256 s1, want s0"},
		{"twice", []soakEvent{{Event: soakDone, File: 0, Sum: "s0"}, {Event: soakDone, File: 0, Sum: "s0"}}, "came twice"},
		{"a stream's wrong byte", []soakEvent{{Event: soakWrong, Reason: "message 3 differs"}}, "message 3 differs"},
		{"a number left out", []soakEvent{{Event: soakSent, File: 2, ID: 7}}, "has ID 7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newSoakLedger()
			for n := range uint64(3) { // with IDs 65535, 0, 1
				l.enter(at, &soakEvent{Event: soakFile, File: n, Sum: fmt.Sprint("s", n)})
				l.enter(at, &soakEvent{Event: soakSent, File: n, ID: uint16(65535 + n)})
			}
			l.enter(at, &soakEvent{Event: soakReady, Who: "r1"})
			for _, e := range tt.events {
				e.Who = "r1"
				l.enter(at, &e)
			}
			l.again(at)
			l.bury("r1", at.Add(-time.Second), at.Add(time.Second))
			if got := strings.Join(l.faults, "\n"); !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("faults: %q, want %q", got, tt.want)
			}
		})
	}
}
