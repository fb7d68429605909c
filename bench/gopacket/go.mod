// The comparison with gopacket is a module of its own, so that users of the SDK do
// not get gopacket into theirs.
module github.com/gomulticast/multicast/bench/gopacket

go 1.25.0

require (
	github.com/gomulticast/multicast v0.0.0
	github.com/gopacket/gopacket v1.7.7
)

replace github.com/gomulticast/multicast => ../..
