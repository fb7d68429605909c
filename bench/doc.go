// Command bench sends the same file with mcast and with other programs over the same
// lab of network namespaces, in turns, and prints how they compare.
//
// It needs Linux, root and what internal/netlab needs; peers that are not installed
// (uftp, udpcast, libnorm with a C++ compiler) are left out with a note.
//
//	go run ./bench                        # one and four receivers, 0 and 5 % loss
//	go run ./bench --n 1 --loss 5 --reps 5 --peers mcast,uftp
//
// Each peer's rate is searched first, upwards through a list until goodput falls; then
// all peers run at their best rate in turns, so that what else the machine does hits
// them alike. Goodput is the file's bits from the first 20 kB on the sender's wire to
// the last receiver's completion. Raw UDP, which repairs nothing, runs without loss and
// counts from the first datagram to the last.
//
//	go run ./bench sockets                # single sockets: time per packet, each way
//
// Further commands of its kind: flute, madcap, latency (small messages, beside libnorm and
// OpenPGM), soak (an hour of everything), hostile (goodput beside an attacker) and
// bottleneck (the rate max on a slower link).
//
// sockets compares ways to move datagrams through one socket: mcast, package net, x/net
// and a loop in C, between two namespaces joined by a veth pair.
package main
