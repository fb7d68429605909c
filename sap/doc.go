// Package sap announces multicast sessions and finds those that others announce, by
// the Session Announcement Protocol (RFC 2974).
//
//	d, err := sap.NewDirectory(sap.DirectoryConfig{}, sap.Path{Conn: c})
//	for ev, err := range d.Events(ctx) {
//		fmt.Println(ev.Kind, ev.Listing.Description.Name(), ev.Listing.Channels())
//	}
//
// An [Announcer] repeats sessions on the groups of their scopes, see [GroupsFor], as
// rarely as the 4,000 bit/s of each group demand, all that it hears there counted. A
// [Directory] keeps the sessions it hears, see [AllGroups], and tells when they come,
// change, go, or clash. Both are handed connections, a [Path] for each, and open no
// socket.
//
// # What is believed
//
// Announcements are not authenticated, unless AnnouncerConfig.Sign and
// DirectoryConfig.Verify do it. A session belongs to the host that announced it first:
// that host alone may change or delete it. It is removed two seconds after its deletion,
// so that one whose new version follows is updated and not removed and added.
//
// Others that announce the very same, byte for byte, keep it up beside that host; a host
// with an address of each IP version is two such. When it changes, each of them may
// follow, or leave; who goes on with the old version for longer than two seconds has a
// session of its own, with a Conflict. The same holds for all else that another announces
// under the same o= line. So nobody can hide a session by announcing it too: at the worst
// there are two, and a host whose addresses are heard in another order than it sends can
// look like that for a moment.
//
// A session is known by its o= line, or, when that is one that many share (FFmpeg writes
// "- 0 0 IN IP4 127.0.0.1"), by its sender and hash; a hash alone, or an originating
// source, says nothing, since programs make them up. Who can send in another's name can
// change and delete what that one announces, and delay what it announces anew. Against
// that only signatures help. They do not help against repetition: who records signed
// packets can keep a session up with them, and a deletion works again when the very same
// version is announced again. An older version than the one known is never taken.
//
// # Bounds
//
// A directory keeps MaxSessions, MaxPerSource of each host, and MaxBytes; it reads Rate
// packets a second of each host that say something new, of up to MaxPacket bytes that
// inflate to MaxInflated, and measures the rate of the last 8,192 hosts at least. When it
// is full, or a host has as many as it may, only sessions heard but once give way, and the
// digests of the last 65,536 are kept: one heard again stays. Of each session it keeps 8
// announcers, 16 places and 16 forms of its packet. How long a session lasts that is not
// heard depends on the longest-lived of its places, each by its own period, so that
// copies of an announcement do not end it. 8,192 events wait for each loop over Events.
//
// An announcer counts 4,096 announcements by others on each group, believes in 4 further
// announcers of its own session, and reads 50 descriptions of others a second to find
// clashes.
//
// What arrives is counted when it is odd, and never an error: see [DirectoryStats] and
// [Quirk].
package sap
