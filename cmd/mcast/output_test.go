package main

import (
	"bytes"
	"errors"
	"testing"
)

// TestJSON is the contract with scripts.
func TestJSON(t *testing.T) {
	var out, errs bytes.Buffer
	p := &printer{out: &out, err: &errs, json: true}
	p.event(readyEvent{"ready", 11, "239.1.2.3:6003", "eth0"}, "text")
	p.event(doneEvent{"done", "a \"b\".bin", 128_000_000, 2.5, 409.6e6, "00ff", 12345.678901, true}, "")
	p.event(sentEvent{"sent", 2, 128_000_000, 140_000_000, 3, 4, 2.5}, "text")
	p.failure("dir/x", errors.New("no\nspace"))
	want := `{"event":"ready","id":11,"group":"239.1.2.3:6003","iface":"eth0"}
{"event":"done","file":"a \"b\".bin","bytes":128000000,"seconds":2.5,"goodput_bps":409600000,"sha256":"00ff","mono":12345.678901,"verified":true}
{"event":"sent","files":2,"bytes":128000000,"wire_bytes":140000000,"nacks":3,"repairs":4,"seconds":2.5}
{"event":"error","file":"dir/x","error":"no\nspace"}
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	if errs.Len() != 0 {
		t.Errorf("on standard error: %s", &errs)
	}
}

func TestText(t *testing.T) {
	var out, errs bytes.Buffer
	p := &printer{out: &out, err: &errs}
	p.event(readyEvent{}, "listening to %s", "x")
	p.event(readyEvent{}, "")
	p.failure("f", errors.New("mcast: no"))
	if out.String() != "listening to x\n" || errs.String() != "mcast: no\n" {
		t.Errorf("got %q and %q", out.String(), errs.String())
	}
}

func TestUnits(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 128e6: "128.0 MB", 4 << 30: "4.29 GB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
	for bps, want := range map[float64]string{64e3: "64 kbit/s", 100e6: "100 Mbit/s", 2.5e9: "2.50 Gbit/s"} {
		if got := bitrate(bps); got != want {
			t.Errorf("bitrate(%g) = %q, want %q", bps, got, want)
		}
	}
}
