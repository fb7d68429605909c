package fdt

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"testing"
)

func TestPath(t *testing.T) {
	for location, want := range map[string]string{
		"a.txt":                             "a.txt",
		"docs/a.txt":                        "docs/a.txt",
		"http://www.example.com/docs/a.txt": "docs/a.txt",
		"https://h:8080/a/b?x=1#f":          "a/b",
		"file:///hello":                     "hello",
		"FILE:///a/b":                       "a/b",
		"file:/a":                           "a",
		"a%20b/%C3%A9.txt":                  "a b/é.txt",
		"a b":                               "a b",
		"bücher/ok.txt":                     "bücher/ok.txt",
		".hidden":                           ".hidden",
		"a..b":                              "a..b",
		"console.log":                       "console.log",
		"com10":                             "com10",
		strings.Repeat("x", 255):            strings.Repeat("x", 255),
		strings.Repeat("x/", 31) + "x":      strings.Repeat("x/", 31) + "x",
		"http://example.com/%253Cscript":    "%3Cscript",
		"urn-like/name":                     "urn-like/name",
		"http://[2001:db8::1]/v6":           "v6",
		"tag/\u200dzwj":                     "tag/\u200dzwj",
	} {
		if got, err := Path(location); err != nil || got != want || !fs.ValidPath(got) {
			t.Errorf("%.60q: %q, %v; want %q", location, got, err, want)
		}
	}
	for _, location := range []string{
		"", "/", "/etc/passwd", "//host/share", "../a", "a/../../b", "a/..", "..", ".", "./a", "a/", "a//b",
		"%2e%2e/a", "a/%2E%2E/b", "%2fetc/passwd", "a%2fb", "a%5cb", "a\\b", `..\a`, `\\host\share`, `C:\a`, "C:/a", "c:a", "c%3Aa",
		"a\x00b", "a%00b", "a%0Ab", "a\nb", "a%7fb", "a%C2%85b", "\xff", "%ff", "a%", "a%zz",
		"NUL", "nul.txt", "docs/CON", "com1.log", "LPT9", "aux .x", "COM%C2%B9", "conin$", "prn",
		"a.", "a ", " a", "a/b./c", "a...", "x?y%3f", "a%3Fb", "a*b", "a|b", "a<b", "a>b", `a"b`,
		"a%E2%80%AEb", "a%E2%81%A6b", "%EF%BB%BFa", "a%E2%80%A8b",
		strings.Repeat("x", 256), strings.Repeat("x/", 32) + "x", strings.Repeat(strings.Repeat("x", 200)+"/", 6) + "x",
		strings.Repeat("%41", 5000), "urn:a:b", "mailto:a@b", "data:,x", "http:a", "http:/a", "http://host", "http://host/", "http://host/../a",
		"http://host//a", "file:///C:/a", "file:////host/a", "http://host/a/./b", "javascript:alert(1)", "http://%zz/",
	} {
		if got, err := Path(location); !errors.Is(err, ErrPath) {
			// A query makes no difference to what is before it.
			if location == "x?y%3f" && got == "x" {
				continue
			}
			t.Errorf("%.60q is %q, %v", location, got, err)
		}
	}
}

// Whatever is let through names a file below its directory.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"a/b", "../a", "http://h/a%2e", "file:///C:/x", "a%2f..", "NUL.x", "c:a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Path(s)
		if err != nil {
			return
		}
		if !fs.ValidPath(p) || path.Clean(p) != p || p == "." || path.IsAbs(p) || len(p) > MaxPath || strings.ContainsAny(p, "\x00\\:") ||
			!strings.HasPrefix(path.Join("/root", p), "/root/") {
			t.Fatalf("%q is %q", s, p)
		}
	})
}
