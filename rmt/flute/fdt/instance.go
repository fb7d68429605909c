package fdt

import (
	"time"

	"github.com/gomulticast/multicast/rmt/lct"
)

// Namespaces of FDT Instances. Parse takes any.
const (
	// Namespace2005 is what implementations know and Append writes.
	Namespace2005 = "urn:IETF:metadata:2005:FLUTE:FDT"
	// NamespaceRFC6726 is that of RFC 6726 section 3.4.2, which one
	// implementation in wide use refuses.
	NamespaceRFC6726 = "urn:ietf:params:xml:ns:fdt"
	// NamespaceRFC3926 is that of RFC 3926 section 3.4.2.
	NamespaceRFC3926 = "http://www.example.com/flute"
	// Namespace2022 is that of 3GPP's MBS.
	Namespace2022 = "urn:3GPP:metadata:2022:FLUTE:FDT"
)

// Namespaces of what 3GPP added.
const (
	namespaceMBMS2005 = "urn:3GPP:metadata:2005:MBMS:FLUTE:FDT"     // Group, MBMS-Session-Identity
	namespaceMBMS2007 = "urn:3GPP:metadata:2007:MBMS:FLUTE:FDT"     // Cache-Control
	namespaceMBMS2008 = "urn:3GPP:metadata:2008:MBMS:FLUTE:FDT_ext" // FullFDT
)

// Instance is an FDT Instance: file description entries, and what holds for all of them
// (RFC 6726 section 3.4.2).
type Instance struct {
	// Namespace is that of the root element. Append writes Namespace2005 if it
	// is empty.
	Namespace string

	// Expires is the expiration time in NTP seconds. See ExpiresAt.
	Expires uint32

	// Complete says that no instance to come has files that are not in this or
	// an earlier one.
	Complete bool

	// FullFDT says that the instance has all files of the session at this time
	// (MBMS).
	FullFDT bool

	// Common are what the instance says for every file that does not say it
	// itself.
	Common

	// SessionExpiries are the MBMS-Session-Identity-Expiry elements: until when
	// a session identity is in use.
	SessionExpiries []SessionExpiry

	// Files are in the order of the document. Two may have one TOI or one
	// Content-Location; what that means is the reader's business.
	Files []File
}

// Common is what both an instance and a file can have.
type Common struct {
	ContentType string

	// ContentEncoding is "" for none, or "gzip", "deflate", "zlib", or what the
	// sender calls it, as sent.
	ContentEncoding string

	OTI OTI

	// Groups are the names of the file groups that files belong to (MBMS). To
	// those of a file those of the instance are added.
	Groups []string
}

// SessionExpiry tells when an MBMS session identity ends.
type SessionExpiry struct {
	Identity uint8
	Expires  uint32 // NTP seconds
}

// File is a file description entry.
type File struct {
	// TOI is the object's, never 0.
	TOI lct.TOI

	// ContentLocation is the URI that identifies the file, never empty. It is a
	// string to be compared (RFC 6726 section 3.4.2); see Path for file names.
	ContentLocation string

	// ContentLength is the file's size in bytes, before content encoding.
	ContentLength    uint64
	HasContentLength bool

	// TransferLength is the object's size in bytes, after content encoding. See
	// Transfer.
	TransferLength    uint64
	HasTransferLength bool

	// ContentMD5 is the digest of the file before content encoding. It finds
	// errors, not attackers.
	ContentMD5 [16]byte
	HasMD5     bool

	// Common has the values of the instance where the file has none.
	Common

	// CacheControl says how long the file may be used (MBMS).
	CacheControl CacheControl

	// SessionIdentities are the MBMS sessions that the file is sent in.
	SessionIdentities []uint8
}

// Transfer returns the size in bytes of the object that carries the file, and whether
// it is known: the Transfer-Length, or for a file without content encoding the
// Content-Length (RFC 6726 section 3.4.2).
func (f *File) Transfer() (n uint64, ok bool) {
	if f.HasTransferLength {
		return f.TransferLength, true
	}
	return f.ContentLength, f.HasContentLength && !f.Encoded()
}

// Encoded reports whether the file is content encoded.
func (f *File) Encoded() bool {
	switch f.ContentEncoding {
	case "", "null", "identity":
		return false
	}
	return true
}

// CacheMode is the choice that Cache-Control makes.
type CacheMode uint8

// Modes of a CacheControl.
const (
	CacheUnset    CacheMode = iota // nothing is said
	CacheNone                      // no-cache: not to be kept
	CacheMaxStale                  // max-stale: may be kept as long as one likes
	CacheExpires                   // until Expires
)

// CacheControl is the MBMS element Cache-Control (TS 26.346 section 7.2.10.5).
type CacheControl struct {
	Mode    CacheMode
	Expires uint32 // NTP seconds, for CacheExpires
}

// ExpiresAt returns the expiration time in UTC. NTP seconds start again in 2036; of all
// times that Expires can mean this is the nearest to now, the receiver's time or the
// Sender Current Time.
func (in *Instance) ExpiresAt(now time.Time) time.Time { return ntp(in.Expires, now) }

// ExpiresAt returns when the file is to be dropped from a cache, for CacheExpires, in
// UTC; of all times that Expires can mean the nearest to now.
func (c CacheControl) ExpiresAt(now time.Time) time.Time { return ntp(c.Expires, now) }

func ntp(sec uint32, near time.Time) time.Time { return lct.NTP(uint64(sec) << 32).Time(near) }

// File returns the entry with a TOI, the last of them, or nil.
func (in *Instance) File(toi lct.TOI) *File {
	for i := len(in.Files) - 1; i >= 0; i-- {
		if in.Files[i].TOI == toi {
			return &in.Files[i]
		}
	}
	return nil
}
