package flute

import (
	"time"

	"github.com/gomulticast/multicast/rmt/flute/core"
)

// An Object is a file that was received whole.
type Object struct {
	key      core.ObjectKey
	file     *File
	path     string
	size     int64
	data     []byte
	md5      [16]byte
	verified bool
	started  time.Time
	finished time.Time
}

// Name returns its Content-Location.
func (o *Object) Name() string { return o.file.ContentLocation }

// File returns what the File Delivery Table said of it. It must not be changed.
func (o *Object) File() *File { return o.file }

// Path returns where it is on disk; empty if it is in memory.
func (o *Object) Path() string { return o.path }

// Size returns its size in bytes, decoded.
func (o *Object) Size() int64 { return o.size }

// Bytes returns the content of a file in memory, nil for one on disk. The slice is the
// caller's.
func (o *Object) Bytes() []byte { return o.data }

// MD5 returns the digest of the content.
func (o *Object) MD5() [16]byte { return o.md5 }

// Verified reports whether the File Delivery Table had its digest, which then was the
// same. If it was not, there is no Object. MD5 finds errors, not attackers.
func (o *Object) Verified() bool { return o.verified }

// Session returns the session it came in, and TOI what it was there.
func (o *Object) Session() SessionKey { return o.key.Session }
func (o *Object) TOI() TOI            { return o.key.TOI }

// Started and Finished return when its first packet came and when it was safe.
func (o *Object) Started() time.Time  { return o.started }
func (o *Object) Finished() time.Time { return o.finished }

// An ObjectStatus is how far a file has come.
type ObjectStatus struct {
	Session  SessionKey
	TOI      TOI
	Run      uint64 // tells apart what had the same TOI
	Name     string // once it is known
	Size     int64  // as transferred
	Received int64  // bytes in place
}
