package fdt

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a Path.
const (
	MaxPath     = 1024 // bytes
	MaxPathName = 255  // bytes of each name in it
	MaxPathLen  = 32   // names
)

// Path returns the file's relative path: see the function [Path].
func (f *File) Path() (string, error) { return Path(f.ContentLocation) }

// Path turns a Content-Location into a relative path with slashes that names a file
// below the directory it is joined to, on every system: of a URI with a scheme and an
// authority or the scheme file its path, as in "docs/a.txt" of
// "http://www.example.com/docs/a.txt"; of a relative reference all of it. Query and
// fragment are left out, and percent encoding is undone once.
//
// It returns ErrPath for what could lead elsewhere or mean something else to a file
// system: absolute paths and drive letters, names that are empty, "." or "..",
// backslashes and the other characters that Windows does not allow, its device names,
// names that end in a dot or space or begin with a space, encoded slashes, control and
// text direction characters, anything that is not UTF-8, and what is over MaxPath,
// MaxPathName or MaxPathLen. Symbolic links are the caller's to guard against, as
// os.Root does, and so are two files with one path.
func Path(location string) (string, error) {
	refuse := func(why string) (string, error) {
		return "", fmt.Errorf("%w: %.80q %s", ErrPath, location, why)
	}
	if len(location) > 3*MaxPath {
		return refuse("is too long")
	}
	u, err := url.Parse(location)
	if err != nil {
		return refuse("is not a URI")
	}
	p := u.EscapedPath()
	switch {
	case u.Opaque != "":
		return refuse("has no path")
	case u.Scheme != "" && (u.Host != "" || strings.EqualFold(u.Scheme, "file")):
		p = strings.TrimPrefix(p, "/")
	case u.Scheme != "" || u.Host != "":
		return refuse("has a scheme or host, but not both")
	case strings.HasPrefix(p, "/"):
		return refuse("is absolute")
	}
	if strings.Contains(strings.ToLower(p), "%2f") {
		return refuse("has an encoded slash")
	}
	if p, err = url.PathUnescape(p); err != nil {
		return refuse("is not a URI")
	}
	if len(p) > MaxPath {
		return refuse("is too long")
	}
	if strings.Count(p, "/") >= MaxPathLen {
		return refuse("has too many names")
	}
	for name := range strings.SplitSeq(p, "/") {
		if why := badName(name); why != "" {
			return refuse(why)
		}
	}
	return p, nil
}

// badName returns why a name in a path is refused, or "".
func badName(name string) string {
	switch {
	case name == "":
		return "has an empty name"
	case name == "." || name == "..":
		return "goes up"
	case len(name) > MaxPathName:
		return "has a name that is too long"
	case !utf8.ValidString(name):
		return "is not UTF-8"
	case strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") || strings.HasPrefix(name, " "):
		return "has a name that ends in a dot or space"
	case strings.ContainsAny(name, `\:*?"<>|`):
		return "has a character that file systems do not allow"
	case strings.ContainsFunc(name, func(r rune) bool {
		return r == 0xfeff || unicode.In(r, unicode.Cc, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
	}):
		return "has a control character"
	case device(name):
		return "is the name of a device"
	}
	return ""
}

// device reports whether Windows takes name for a device, whatever its extension.
func device(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	n, ok := strings.CutPrefix(base, "COM")
	if !ok {
		n, ok = strings.CutPrefix(base, "LPT")
	}
	if !ok {
		return false
	}
	switch n {
	case "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³":
		return true
	}
	return false
}
