// Package core holds the FLUTE state machines (RFC 6726): a [Sender] and a [Receiver],
// each an engine that is handed the time and datagrams and gives back datagrams,
// deadlines and events. It has no socket, file, clock or goroutine; package flute drives
// it in real time, and the simulations in virtual time. Nothing ever flows from a
// receiver to a sender.
//
// The rooms: sender.go is the sender as a whole and schedule.go what it sends next;
// object.go is one object on its way out, blocks.go its source blocks, fdtcast.go the
// FDT Instances that describe it. receiver.go tells sessions apart; session.go is one of
// them, tables.go its FDT Instances and files.go what they say of files; incoming.go is
// one object on its way in, assembly.go its blocks, block.go one of them, solve.go
// how FEC recovers them beside the engine, memory.go what they may take and how they are
// put aside; early.go keeps packets that no one can place yet.
package core
