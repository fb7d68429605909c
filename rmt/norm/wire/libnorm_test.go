package wire

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

// Every message that libnorm sent in testdata/libnorm parses, and appending it
// gives libnorm's bytes.
func TestLibnorm(t *testing.T) {
	for _, tt := range []struct {
		file  string
		codec Codec
		oti   fec.OTI  // without the length
		kinds []string // beside those that all have
	}{
		{
			"rs8cc", Codec{FTI: FTINRL},
			fec.OTI{EncodingID: 5, SymbolSize: 100, MaxBlockLen: 16, Parity: 8},
			[]string{"NACK", "ACK(1)", "ACK(2)"},
		},
		{
			"rs8m", Codec{FTI: FTINRL, M: 8},
			fec.OTI{EncodingID: 2, SymbolSize: 100, MaxBlockLen: 16, Parity: 8, M: 8, G: 1},
			[]string{"NACK", "ACK(1)", "ACK(2)"},
		},
		{
			"rs16", Codec{FTI: FTINRL, M: 16},
			fec.OTI{EncodingID: 2, SymbolSize: 20, MaxBlockLen: 200, Parity: 100, M: 16, G: 1},
			[]string{"NACK", "ACK(1)", "ACK(2)"},
		},
		{
			"sb129", Codec{FTI: FTINRL},
			fec.OTI{EncodingID: 129, SymbolSize: 100, MaxBlockLen: 16, Parity: 8},
			[]string{"NACK", "ACK(2)"},
		},
		{
			"cancel", Codec{FTI: FTINRL},
			fec.OTI{EncodingID: 5, SymbolSize: 100, MaxBlockLen: 16, Parity: 4},
			[]string{"CMD(SQUELCH)", "CMD(REPAIR_ADV)", "NACK"},
		},
		{
			"stream", Codec{FTI: FTINRL},
			// The length is the sender's buffer, in whole blocks.
			fec.OTI{EncodingID: 5, TransferLength: 64800, SymbolSize: 100, MaxBlockLen: 8, Parity: 4},
			[]string{"CMD(REPAIR_ADV)", "NACK"},
		},
	} {
		t.Run(tt.file, func(t *testing.T) {
			seen := map[string]int{}
			for i, b := range readPcap(t, "testdata/libnorm/"+tt.file+".pcap") {
				k, err := dispatch(b)
				if err != nil {
					t.Fatalf("packet %d: %v\n%x", i, err, b)
				}
				m := k.new()
				if err := k.parse(tt.codec, b, m); err != nil {
					t.Fatalf("packet %d: %v\n%x", i, err, b)
				}
				seen[k.name]++
				again, err := k.append(tt.codec, nil, m)
				if err != nil {
					t.Fatalf("packet %d: %v\n%+v", i, err, m)
				}
				if !bytes.Equal(again, b) {
					t.Errorf("packet %d: %+v\n got %x\nwant %x", i, m, again, b)
				}
				t.Logf("%3d %s %+v", i, k.name, m)
				checkLibnorm(t, tt.codec, tt.oti, m, seen)
			}
			for _, k := range append(tt.kinds, "CMD(APPLICATION)", "CMD(CC)", "INFO", "DATA", "CMD(FLUSH)") {
				if seen[k] == 0 {
					t.Errorf("no %s among %v", k, slices.Sorted(maps.Keys(seen)))
				}
			}
		})
	}
}

// checkLibnorm compares the content of a captured message with what the peers
// were told to do.
func checkLibnorm(t *testing.T, c Codec, oti fec.OTI, m any, seen map[string]int) {
	t.Helper()
	fti := func(has bool, o fec.OTI) {
		t.Helper()
		if oti.TransferLength == 0 {
			o.TransferLength = 0
		}
		if !has || o != oti {
			t.Errorf("EXT_FTI %v %+v, want %+v", has, o, oti)
		}
	}
	switch m := m.(type) {
	case *Data:
		fti(m.HasFTI, m.FTI)
		if m.Flags&FlagStream != 0 && m.ID.ESI < 8 {
			if _, _, err := ParseStreamHeader(m.Payload); err != nil {
				t.Errorf("%v: %x", err, m.Payload)
			}
		}
	case *Info:
		fti(m.HasFTI, m.FTI)
	case *Flush:
		if m.AckingNodes.Len() > 1 || m.AckingNodes.Len() == 1 && m.AckingNodes.At(0) != 11 {
			t.Errorf("acking nodes %x", m.AckingNodes)
		}
	case *CC:
		if !m.HasRate {
			t.Error("no EXT_RATE")
		}
		for n := range m.Nodes.All() {
			seen["CC node"]++
			if n.Node != 11 {
				t.Errorf("%+v", n)
			}
		}
	case *Application:
		if string(m.Payload) != "command" {
			t.Errorf("%q", m.Payload)
		}
	case *Squelch:
		if m.Invalid.Len() == 0 {
			t.Errorf("%+v", m)
		}
	case *RepairAdv:
		// libnorm 1.5.9 never sets the cc_sequence here: what it sends is
		// whatever was in its buffer.
		if !m.HasCC {
			t.Errorf("%+v", m)
		}
		requestsOK(t, m.Requests)
	case *Nack:
		// EXT_CC is missing until the receiver has heard a CMD(CC).
		if m.Source != 11 || m.Server != 1 || m.InstanceID != 0x4e4f || m.HasCC != (m.GRTTResponse != Timestamp{}) {
			t.Errorf("%+v", m)
		}
		if m.Requests.Bytes() == nil {
			t.Error("no requests")
		}
		requestsOK(t, m.Requests)
	case *Ack:
		seen[fmt.Sprintf("ACK(%d)", m.AckType)]++
		// With FEC ID 129 the source block length is not that of the
		// CMD(FLUSH): 16 instead of 15 in the capture.
		var f FlushAck
		if err := c.ParseFlushAck(m.Payload, &f); (err == nil) != (m.AckType == AckFlush) {
			t.Errorf("%+v: %v", m, err)
		}
	}
}

// requestsOK checks that a peer's repair requests parse, and that the builder
// makes the same ones from them. Its bytes may be fewer: libnorm begins another
// request where the last had the same form and flags, as between two blocks.
func requestsOK(t *testing.T, r Requests) {
	t.Helper()
	var b RequestBuilder
	b.Reset(nil, len(r.Bytes()), r.c)
	for q := range r.All() {
		if !b.Add(q.Flags, q.First, q.Last) {
			t.Errorf("builder refuses %+v", q)
		}
	}
	if err := r.Err(); err != nil {
		t.Errorf("%x: %v", r.Bytes(), err)
	}
	if !slices.Equal(slices.Collect(b.Requests().All()), slices.Collect(r.All())) {
		t.Errorf("built\n got %x\nwant %x", b.Bytes(), r.Bytes())
	}
}
