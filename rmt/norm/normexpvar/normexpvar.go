// Package normexpvar shows NORM senders and receivers at /debug/vars, by package expvar.
package normexpvar

import (
	"encoding/json"
	"expvar"

	"github.com/gomulticast/multicast/rmt/norm"
)

// Sender returns a variable that shows a sender's report, to be published under a name of
// the program's choice. It is safe for concurrent use, and costs nothing unless it is
// read.
func Sender(s *norm.Sender) expvar.Var { return variable(func() any { return s.Report() }) }

// Receiver returns a variable that shows a receiver's report.
func Receiver(r *norm.Receiver) expvar.Var { return variable(func() any { return r.Report() }) }

type variable func() any

// String returns the report in JSON.
func (v variable) String() string {
	b, err := json.Marshal(v())
	if err != nil {
		return "null"
	}
	return string(b)
}
