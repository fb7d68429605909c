package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gomulticast/multicast/sdp"
)

const goodSDP = "v=0\r\no=- 7 1 IN IP4 10.0.0.1\r\ns=Channel 1\r\nt=0 0\r\nm=video 5004 RTP/AVP 33\r\nc=IN IP4 239.255.1.1/5\r\na=rtpmap:33 MP2T/90000\r\n"

func TestLintSDP(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	good := write("good.sdp", goodSDP)
	bad := write("bad.sdp", strings.NewReplacer("/5\r\n", "\r\n", "5004", "5005", "t=0 0\r\n", "").Replace(goodSDP))
	warned := write("warned.sdp", strings.Replace(goodSDP, "5004", "5005", 1))
	none := write("none.sdp", "hello\n")

	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{good}, 0, good + ": nothing to complain of\n"},
		{[]string{good, "--json"}, 0, ""},
		{[]string{bad}, 1, strings.ReplaceAll(`FILE:4:1   error    missing  no t= line
                             → add the line here
FILE:4:1   warning  port     RTP on an odd port: receivers may expect RTCP there (RFC 3550 section 11)
                             → choose an even port below 65535, so that RTCP has the next one, or tell another with a=rtcp
FILE:5:21  error    ttl      an IPv4 group must have a TTL behind it, such as /16 (RFC 8866 section 5.7)
                             → write IN IP4 group/TTL for an IPv4 group, IN IP6 group for an IPv6 one, and no / behind a unicast address
2 errors, 1 warning
`, "FILE", bad)},
		{[]string{warned, "--json"}, 0, `{"event":"finding","file":` + strconv.Quote(warned) + `,"line":5,"column":1,"severity":"warning","rule":"port",` +
			`"reason":"RTP on an odd port: receivers may expect RTCP there (RFC 3550 section 11)",` +
			`"remedy":"choose an even port below 65535, so that RTCP has the next one, or tell another with a=rtcp"}` + "\n"},
		{[]string{none, "--json"}, 1, `{"event":"finding","file":` + strconv.Quote(none) + `,"line":1,"column":1,"severity":"error","rule":"parse",` +
			`"reason":"not a session description","remedy":"give a text of lines such as v=0, of at most 64 KiB"}` + "\n"},
	} {
		code, out, errs := mcastRun(t, append([]string{"sdp", "lint"}, tt.args...)...)
		// The columns are as wide as the name of the directory makes them.
		if code != tt.code || squeeze(out) != squeeze(tt.want) || errs != "" {
			t.Errorf("%v: status %d\n got %s%s\nwant %s", tt.args, code, out, errs, tt.want)
		}
	}
}

// squeeze makes one blank of many.
func squeeze(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

// There is a remedy for whatever packages sdp and group find.
func TestRemedies(t *testing.T) {
	n := 0
	for _, dir := range []string{"../../sdp", "../../mcast/group"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(x ast.Node) bool {
				v, ok := x.(*ast.ValueSpec)
				if !ok || len(v.Values) != 1 || !strings.HasPrefix(v.Names[0].Name, "Code") {
					return true
				}
				code, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				if n++; sdpRemedies[sdp.Code(code)] == "" {
					t.Errorf("%s: no remedy for %s", name, code)
				}
				return true
			})
		}
	}
	if n < 40 {
		t.Errorf("only %d codes were found", n)
	}
}
