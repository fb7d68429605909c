package madcap

import (
	"encoding/hex"
	"net/netip"
	"time"

	"github.com/gomulticast/multicast/mcast/group"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func rng(s string, n uint16) Range { return Range{addr(s), n} }

func scopeList(f Family, zs ...Zone) ScopeList {
	l, err := NewScopeList(f, zs...)
	if err != nil {
		panic(err)
	}
	return l
}

var (
	testID  = []byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10")
	noon    = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	inside  = Zone{group.Zone{First: addr("239.192.0.0"), Last: addr("239.195.255.255")}, 10, []Name{{"en", "Inside abcd.com", true}}}
	world   = Zone{group.Zone{First: addr("224.0.1.0"), Last: addr("238.255.255.255")}, 16, []Name{{"en", "world", true}}}
	site6   = Zone{group.Zone{First: addr("ff05::"), Last: addr("ff05:ffff:ffff:ffff:ffff:ffff:ffff:ffff")}, 255, []Name{{"de", "Gelände", false}, {"fr-CH", "site", true}}}
	myAddr  = addr("10.0.0.1")
	allFeat = NewFeatureList([]Feature{ServerMobility, RetryAfter, SharedLease}, []Feature{SharedLease}, []Feature{ServerMobility})
)

// A vector is a message of each kind and its bytes, where those are known from elsewhere.
type vector struct {
	name  string
	kind  Kind
	m     Message
	bytes string // hex; "" is whatever AppendBinary makes
}

// vectors have every kind of message and every option.
var vectors = []vector{
	{"the example of notes on GETINFO", KindGetInfo, Message{Type: TypeGetInfo, Family: IPv4, XID: 0x11223344, LeaseID: testID,
		RequestList: NewCodeList(OptionScopeList), Has: OptionsOf(OptionLeaseID, OptionRequestList)},
		"0008000111223344" + "00030011000102030405060708090a0b0c0d0e0f10" + "000500020009" + "00000000"},
	{"the scope list of section 3.10", KindAckGetInfo, Message{Type: TypeAck, Family: IPv4, XID: 0x11223344, LeaseID: testID, ServerID: myAddr,
		Scopes: scopeList(IPv4, inside, world), Has: OptionsOf(OptionLeaseID, OptionServerID, OptionScopeList)},
		"0005000111223344" + "0002000600010a000001" + "00030011000102030405060708090a0b0c0d0e0f10" +
			"0009003302efc00000efc3ffff0a018002656e0f496e7369646520616263642e636f6de0000100eeffffff10018002656e05776f726c64" + "00000000"},
	{"information in a language", KindGetInfo, Message{Type: TypeGetInfo, Family: IPv6, XID: 1, LeaseID: testID, Language: []byte("de-CH"), Features: NewFeatureList([]Feature{SharedLease}, nil, nil),
		RequestList: NewCodeList(OptionScopeList, OptionNesting, 4711), Has: OptionsOf(OptionLeaseID, OptionRequestList, OptionLanguage, OptionFeatures)}, ""},
	{"scopes and how they nest", KindAckGetInfo, Message{Type: TypeAck, Family: IPv4, XID: 2, LeaseID: testID, ServerID: addr("2001:db8::1"),
		Scopes: scopeList(IPv4, inside, world), Nesting: NewNesting(2, func(x, y int) bool { return x == 0 }), CurrentTime: noon,
		Features: NewFeatureList([]Feature{SharedLease}, nil, nil),
		Has:      OptionsOf(OptionLeaseID, OptionServerID, OptionScopeList, OptionNesting, OptionCurrentTime, OptionFeatures)}, ""},
	{"IPv6 scopes in UTF-8", KindAckGetInfo, Message{Type: TypeAck, Family: IPv6, XID: 2, LeaseID: testID, ServerID: myAddr,
		Scopes: scopeList(IPv6, site6), Has: OptionsOf(OptionLeaseID, OptionServerID, OptionScopeList)}, ""},
	{"DISCOVER", KindDiscover, Message{Type: TypeDiscover, Family: IPv4, XID: 3, LeaseID: testID, Scope: inside.First, LeaseTime: 2 * time.Hour,
		Has: OptionsOf(OptionLeaseID, OptionScope, OptionLeaseTime)}, "0001000100000003" + "0001000400001c20" + "00030011000102030405060708090a0b0c0d0e0f10" + "00040004efc00000" + "00000000"},
	{"DISCOVER with everything", KindDiscover, Message{Type: TypeDiscover, Family: IPv6, XID: 3, LeaseID: testID, Scope: site6.First, LeaseTime: 2 * time.Hour,
		MinLeaseTime: time.Hour, StartTime: noon, MaxStartTime: noon.Add(time.Hour), MinCount: 2, Count: 5, Ranges: NewRangeList(IPv6, rng("ff05::8000:1", 3), rng("ff05::8000:9", 2)),
		CurrentTime: noon.Add(-time.Hour), Features: allFeat,
		Has: OptionsOf(OptionLeaseID, OptionScope, OptionLeaseTime, OptionMinLeaseTime, OptionStartTime, OptionMaxStartTime, OptionCount, OptionRanges, OptionCurrentTime, OptionFeatures)}, ""},
	{"OFFER", KindOffer, Message{Type: TypeOffer, Family: IPv4, XID: 3, LeaseID: testID, ServerID: myAddr, Scope: inside.First, LeaseTime: time.Hour, StartTime: noon, CurrentTime: noon,
		Ranges: NewRangeList(IPv4, rng("239.192.7.1", 2)), Has: OptionsOf(OptionLeaseID, OptionServerID, OptionScope, OptionLeaseTime, OptionStartTime, OptionCurrentTime, OptionRanges)}, ""},
	{"REQUEST", KindRequest, Message{Type: TypeRequest, Family: IPv4, XID: 4, LeaseID: testID, Scope: inside.First, Has: OptionsOf(OptionLeaseID, OptionScope)}, ""},
	{"REQUEST to a chosen server", KindMulticastRequest, Message{Type: TypeRequest, Family: IPv4, XID: 4, LeaseID: testID, Scope: inside.First, ServerID: addr("2001:db8::1"),
		Has: OptionsOf(OptionLeaseID, OptionScope, OptionServerID)}, ""},
	{"ACK to REQUEST", KindAckRequest, Message{Type: TypeAck, Family: IPv4, XID: 4, LeaseID: testID, ServerID: myAddr, Scope: inside.First, LeaseTime: time.Hour,
		Ranges: NewRangeList(IPv4, rng("239.192.7.1", 1)), Has: OptionsOf(OptionLeaseID, OptionServerID, OptionScope, OptionLeaseTime, OptionRanges)},
		"0005000100000004" + "0001000400000e10" + "0002000600010a000001" + "00030011000102030405060708090a0b0c0d0e0f10" + "00040004efc00000" + "000a0006efc007010001" + "00000000"},
	{"come back later", KindAckRequest, Message{Type: TypeAck, Family: IPv4, XID: 4, LeaseID: testID, ServerID: myAddr, Scope: inside.First, LeaseTime: time.Hour, RetryTime: noon.Add(time.Hour), CurrentTime: noon,
		Features: NewFeatureList([]Feature{RetryAfter}, nil, []Feature{RetryAfter}),
		Has:      OptionsOf(OptionLeaseID, OptionServerID, OptionScope, OptionLeaseTime, OptionRanges, OptionRetryTime, OptionCurrentTime, OptionFeatures)}, ""},
	{"RENEW", KindRenew, Message{Type: TypeRenew, Family: IPv4, XID: 5, LeaseID: testID, LeaseTime: 2 * time.Hour, Has: OptionsOf(OptionLeaseID, OptionLeaseTime)}, ""},
	{"ACK to RENEW", KindAckRenew, Message{Type: TypeAck, Family: IPv4, XID: 5, LeaseID: testID, ServerID: myAddr, Scope: inside.First, LeaseTime: 2 * time.Hour,
		Ranges: NewRangeList(IPv4, rng("239.192.7.1", 1)), Has: OptionsOf(OptionLeaseID, OptionServerID, OptionScope, OptionLeaseTime, OptionRanges)}, ""},
	{"RELEASE", KindRelease, Message{Type: TypeRelease, Family: IPv4, XID: 6, LeaseID: testID, Has: OptionsOf(OptionLeaseID)}, ""},
	{"ACK to RELEASE", KindAckRelease, Message{Type: TypeAck, Family: IPv4, XID: 6, LeaseID: testID, ServerID: myAddr, Has: OptionsOf(OptionLeaseID, OptionServerID)}, ""},
	{"NAK about an option", KindNak, nak(failed(NotCompleted, OptionCount)),
		"0006000100000007" + "0002000600010a000001" + "00030011000102030405060708090a0b0c0d0e0f10" + "0010000400000007" + "00000000"},
	{"NAK about nothing in particular", KindNak, nak(failed(InvalidRequest, OptionNone)), ""},
	{"NAK about clocks", KindNak, nak(Failure{ExcessiveClockSkew, unhex("6a44ffc0")}), ""},
	{"NAK about a lease", KindNak, nak(Failure{Code: LeaseNotRecognized}), ""},
	{"NAK about features", KindNak, nak(Failure{FeatureNotSupported, unhex("00000001")}), ""},
	{"NAK for an experiment", KindNak, nak(Failure{1024, []byte("any")}), ""},
	{"unknown options, also the experimental", KindRelease, Message{Type: TypeRelease, Family: IPv4, XID: 6, LeaseID: testID, Has: OptionsOf(OptionLeaseID),
		Unknown: AppendOption(AppendOption(nil, 4711, []byte("any")), 18, nil)}, ""},
	{"a server by another family", KindAckRelease, Message{Type: TypeAck, Family: IPv4, XID: 6, LeaseID: testID, serverID: unhex("0006aabbccddeeff"), Has: OptionsOf(OptionLeaseID, OptionServerID)}, ""},
}

func nak(f Failure) Message {
	return Message{Type: TypeNak, Family: IPv4, XID: 7, LeaseID: testID, ServerID: myAddr, Error: f, Has: OptionsOf(OptionLeaseID, OptionServerID, OptionError)}
}

func (v *vector) encoded() []byte {
	b, err := v.m.MarshalBinary()
	if err != nil {
		panic(v.name + ": " + err.Error())
	}
	return b
}
