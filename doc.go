// Package multicast is the root of a module for programs that use IP multicast. It
// has no code of its own; these packages have:
//
//   - mcast opens sockets: joins, source filters, batches of packets with their
//     metadata
//   - mcast/group has group addresses as values
//   - mcast/mcasttest is a network in memory, for tests
//   - rmt/norm delivers files and data to many receivers reliably (RFC 5740)
//   - rmt/fec and rmt/fec/rs are the codes below it
package multicast
