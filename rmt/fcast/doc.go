// Package fcast delivers objects with their metadata over ALC or NORM, by FCAST (RFC
// 6968): compound objects on a carousel, and the Carousel Instance Descriptor that lists
// those on the air. A receiver may come at any time.
//
// A [Sender] sends what it is given again and again, a [Receiver] takes what comes of
// every carousel it hears. [NewALCSender] and [NewALCReceiver] need no way back and reach
// any number of receivers; [NewNORMSender] and [NewNORMReceiver] repair what is lost. Each
// is handed a connection, which it then owns. Objects larger than memory need ALC.
//
// The files run*.go are that; all others are the codec, which is of use without them and
// has no clock and no I/O. A compound object is what the transport calls an object: a
// header of this package and the data. [NewCompound] puts one together, a [Reader] takes
// one apart in pieces as they come in order, [ParseHeader] whole. Of a transport the
// object's length, its identifier, the TOI, and its bytes are needed, and nothing else: a
// NORM object's TransportID is a TOI of 16 bits. A [Carousel] is told of descriptors and
// knows which objects are still on the air, and which were sent before under another TOI.
//
// What comes from the network is bounded: see [Limits]. Digests find errors, not
// attackers: who can send to the session can send anything in it.
package fcast
