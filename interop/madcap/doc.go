// Package madcap tests `mcast madcap serve` as a process in a network namespace: clients
// by multicast and unicast, many of them, and a server that is killed under their load.
// See internal/netlab for what that needs.
package madcap
