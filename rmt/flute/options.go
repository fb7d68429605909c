package flute

import (
	"time"

	"github.com/gomulticast/multicast/rmt/lct"
)

// A SendOption changes how one file is sent.
type SendOption func(*sendOptions)

type sendOptions struct {
	name     string
	ctype    string
	encoding string
	noDigest bool
	groups   []string
	expires  time.Time
	fec      *FEC
	passes   int
	interval time.Duration
	priority int
	channels []int
}

// Name sets the Content-Location in place of the file's own name: a path with slashes,
// relative, or a URI. It is taken as it is; see [url.PathEscape] for what needs escaping.
func Name(uri string) SendOption { return func(o *sendOptions) { o.name = uri } }

// ContentType sets the media type that the File Delivery Table gives.
func ContentType(t string) SendOption { return func(o *sendOptions) { o.ctype = t } }

// Encoding compresses the file: "gzip", "zlib" or "deflate". It takes a temporary file.
func Encoding(name string) SendOption { return func(o *sendOptions) { o.encoding = name } }

// NoDigest leaves out the MD5 of the file, which is then read once less. A receiver then
// cannot tell whether what came is right, or go on with a part of it.
func NoDigest() SendOption { return func(o *sendOptions) { o.noDigest = true } }

// Groups names the file groups that it belongs to (MBMS).
func Groups(names ...string) SendOption {
	return func(o *sendOptions) { o.groups = append(o.groups, names...) }
}

// CacheUntil tells receivers how long they may use the file (MBMS). It is not the time
// until which it is sent.
func CacheUntil(t time.Time) SendOption { return func(o *sendOptions) { o.expires = t } }

// WithFEC sets how this file is protected, in place of SenderConfig.FEC.
func WithFEC(f FEC) SendOption { return func(o *sendOptions) { o.fec = &f } }

// Passes sends the file n times. Codes with many symbols send other ones each time.
func Passes(n int) SendOption { return func(o *sendOptions) { o.passes = n } }

// Carousel sends the file again and again, until the transfer is stopped or canceled.
func Carousel() SendOption { return func(o *sendOptions) { o.passes = -1 } }

// Interval sets the time from the end of a pass to the next one's begin.
func Interval(d time.Duration) SendOption { return func(o *sendOptions) { o.interval = d } }

// Priority sends files of a higher number first, as long as they have anything to send.
// Default 0. Others get one packet in 16 meanwhile: give carousels of high priority an
// Interval.
func Priority(p int) SendOption { return func(o *sendOptions) { o.priority = p } }

// OnChannels sends the file on these of SenderConfig.Channels only, by index.
func OnChannels(channels ...int) SendOption {
	return func(o *sendOptions) { o.channels = append(o.channels, channels...) }
}

func collect(opts []SendOption) *sendOptions {
	o := new(sendOptions)
	for _, f := range opts {
		f(o)
	}
	return o
}

func ntpSeconds(t time.Time) uint32 { return lct.NTPTime(t).Seconds() }
