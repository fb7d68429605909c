package group

import (
	"fmt"
	"strconv"
	"strings"
)

// URDPort is the TCP port of URD links, on which a router takes the request for
// itself and joins the channel in it for a host without IGMPv3. IANA assigned 465
// to URD; links with 659 were in use before.
const URDPort = 659

const urdPortAssigned = 465

// URD returns the target as a URD link, http://host:659/path?group=G&source=S, which
// names its channel and no port. A host without a port gets URDPort. The link is
// for source-specific channels: it has no source= when t has none.
func (t Target) URD(host, path string) string {
	if i := strings.LastIndexByte(host, ':'); i < 0 || strings.HasSuffix(host, "]") {
		host += ":" + strconv.Itoa(URDPort)
	}
	t.Host, t.Path = host, "/"+strings.TrimPrefix(path, "/")
	return t.urd()
}

func (t Target) urd() string {
	s := "http://" + t.Host + t.Path + "?group=" + strings.ReplaceAll(t.Channel.Group.String(), "%", "%25")
	if !t.Channel.AnySource() {
		s += "&source=" + strings.ReplaceAll(t.Channel.Source.String(), "%", "%25")
	}
	return s
}

// parseURD reads what is behind http://.
func parseURD(s string) (t Target, err error) {
	s, _, _ = strings.Cut(s, "#")
	where, query, _ := strings.Cut(s, "?")
	host, path, slash := strings.Cut(where, "/")
	i := strings.LastIndexByte(host, ':')
	if p := host[i+1:]; i < 1 || p != strconv.Itoa(URDPort) && p != strconv.Itoa(urdPortAssigned) {
		return Target{}, fmt.Errorf("a web link, but not a URD link, which has port %d or %d: %w", URDPort, urdPortAssigned, ErrTarget)
	}
	t.Host = host
	if slash {
		t.Path = "/" + path
	}
	grp, ok := queryValue(query, "group")
	src, ok2 := queryValue(query, "source")
	if !ok || !ok2 {
		return Target{}, fmt.Errorf("no group= or no source= in the link: %w", ErrTarget)
	}
	// Not as in a URL: queryValue has decoded the %25 before a zone.
	if t.Channel.Group, err = parseAddr(unbracket(grp), false); err != nil {
		return Target{}, fmt.Errorf("group %q: %w", grp, ErrTarget)
	}
	if t.Channel.Source, err = parseAddr(unbracket(src), false); err != nil {
		return Target{}, fmt.Errorf("source %q: %w", src, ErrTarget)
	}
	return t, t.Channel.Validate()
}

// queryValue returns the first value of a key in a URL's query, decoded.
func queryValue(query, key string) (string, bool) {
	for pair := range strings.SplitSeq(query, "&") {
		if k, v, _ := strings.Cut(pair, "="); k == key {
			return percentDecode(v), true
		}
	}
	return "", false
}

// percentDecode replaces %XX; what is no such triple stays as it is, since people
// write the % of a zone alone.
func percentDecode(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(v))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
