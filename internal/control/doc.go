// Package control puts the traffic that controls multicast on a link into words, and
// keeps book of it: who asks, who reports what, and what is wrong with that.
//
// A [Decoder] turns one packet of IGMP, MLD, NORM, ALC, SAP, CGMP or GMRP into a [Record], and
// its Words into JSON or a line for people. A [Watch] is handed records with their
// time and knows the queriers, the groups with who reports them, and the warnings
// that follow. It sends nothing and knows no clock.
//
// What comes from the network is not trusted: nothing panics or loops. A record is
// as large as its packet makes it, and a Watch keeps to its [Limits]: what is there
// stays, and the new that finds no room is counted.
package control
