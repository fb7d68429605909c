//go:build !(darwin || freebsd || linux || windows)

package mcast

// systemABI is not known here; golang.org/x/net is what there is.
var systemABI *abi
