// Package lab tests the mcast command end to end, as separate processes in network
// namespaces that lose packets. See internal/netlab for what that needs.
package lab
