// Command mcast sends and receives files over multicast, and shows it off.
//
// It is a thin layer over the packages of this module: whatever it does, a program
// can do with mcast.Open and norm.NewSender or norm.NewReceiver.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// errFailed ends the program with status 1 when what went wrong was already told.
var errFailed = errors.New("failed")

// A usageError is a mistake on the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait for the goodbye
	err := root().ExecuteContext(ctx)
	interrupted := ctx.Err() != nil
	stop()
	os.Exit(status(err, interrupted))
}

func root() *cobra.Command {
	c := &cobra.Command{
		Use:           "mcast",
		Short:         "Send files to many at once, reliably, and look into IP multicast",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(c *cobra.Command, args []string) error {
			var names []string
			for _, sub := range c.Commands() {
				if sub.IsAvailableCommand() {
					names = append(names, sub.Name())
				}
			}
			return atMost(0, "there are "+strings.Join(names, ", "))(c, args)
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.CompletionOptions.HiddenDefaultCmd = true
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	c.AddCommand(demoCommand(), sendCommand(), recvCommand(), joinCommand(), sendtestCommand(), addrCommand(), doctorCommand(), pcapCommand(), monitorCommand(), querierCommand(), sapCommand(), sdpCommand(), madcapCommand(), allocCommand())
	return c
}

// atMost accepts up to n arguments besides flags; more get the hint.
func atMost(n int, hint string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > n {
			return usagef("what is %q for? %s", args[n], hint)
		}
		return nil
	}
}

// exactlyOne asks for one argument besides flags; without it the hint is given.
func exactlyOne(hint string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return usagef("nothing to do: %s", hint)
		case 1:
			return nil
		}
		return usagef("what is %q for? %s", args[1], hint)
	}
}

// status prints an error not yet told and returns the exit status.
func status(err error, interrupted bool) int {
	var usage usageError
	switch {
	case interrupted:
		return exitInterrupted
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "mcast: %s\nSee mcast help.\n", plain(err))
		return exitUsage
	case !errors.Is(err, errFailed):
		fmt.Fprintf(os.Stderr, "mcast: %s\n", plain(err))
	}
	return exitFailed
}

// plain returns an error's text without the name of package mcast, which is also
// ours.
func plain(err error) string { return strings.TrimPrefix(err.Error(), "mcast: ") }

func version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "unknown"
}
