// Package netlab builds networks out of Linux network namespaces: one sender and
// some receivers on a bridge that snoops on IGMP and MLD as switches do, with random
// loss in front of each receiver. Nothing in it touches an interface of the machine.
//
// It needs root, and the programs ip, nft, ethtool and tc.
package netlab
