// Package pathrate finds the rate that the paths to a group of receivers carry, with
// nothing to tune: it compares what was sent between two probes with what each
// receiver got of it, and in which time, and follows the slowest.
//
// The rate goes up as long as delivery follows, and down when it does not: when a
// queue builds up, when packets are lost that were not lost at a lower rate, or when a
// receiver drops packets itself. A loss that is the same at every rate says nothing
// about the path's capacity, so a path that loses 30 % at random is still filled.
//
// It is for networks of one's own. It does not give way to TCP; package tfmcc does.
//
// The package has no clock and no I/O. Rates are in bytes per second, IP and UDP
// headers included.
package pathrate
