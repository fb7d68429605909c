// Package gopacket measures and compares gopacket's decoding of IGMP and MLD with
// ours, in one run:
//
//	go test -bench . ./...
//
// It is a module of its own, so that gopacket is no dependency of the SDK.
package gopacket
