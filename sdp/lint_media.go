package sdp

import (
	"strconv"
	"strings"
	"time"
)

// rtp looks at an RTP media that is multicast.
func (l *linter) rtp(m Media, head int, ssm bool) {
	if port, _ := m.rtcpPort(); m.Port%2 == 1 && port == m.Port+1 {
		l.add(head, 0, CodePort, "RTP on an odd port: receivers may expect RTCP there (RFC 3550 section 11)")
	}
	if m.Port == 65535 {
		l.add(head, 0, CodePort, "no port is left for RTCP behind 65535")
	}
	_, unicast := m.RTCPUnicast()
	if off, fixed := m.rtcpPort(); ssm && !unicast && (off != 0 || !fixed) {
		l.add(head, 0, CodeRTCPUnicast, "a source-specific session where receivers have nowhere to report: add a=rtcp-unicast (RFC 4570 section 3.2.1), or b=RS:0 and b=RR:0")
	}
	if unicast && len(l.filters) == 0 {
		l.add(head, 0, CodeRTCPUnicast, "a=rtcp-unicast needs the sender in an a=source-filter:incl (RFC 5760 section 10.2)")
	}
	l.payloads(m, head)
	for _, r := range m.RTPMaps() {
		switch r.Encoding {
		case "L16", "L24", "AM824":
			l.aes67(m, head, r)
		}
	}
	_, has := m.MediaClock()
	if clock, _ := m.MediaClock(); clock.Kind == "direct" && len(m.RefClocks()) == 0 {
		l.add(head, 0, CodeClock, "a direct media clock needs the clock it is of: add a=ts-refclk (RFC 7273 section 6)")
	} else if clocks := m.RefClocks(); !has && len(clocks) > 0 && clocks[0].Kind == "ptp" {
		l.add(head, 0, CodeClock, "a reference clock without a=mediaclk says nothing of the timestamps (RFC 7273 section 6)")
	}
	for _, r := range m.RefClocks() {
		if r.Kind == "ptp" && r.Traceable && r.Version == "traceable" {
			l.add(head, 0, CodeClock, "write ts-refclk:ptp=IEEE1588-2008:traceable, with the version of PTP (RFC 7273 section 4.8)")
		}
	}
}

// payloads looks for payload types without a meaning, and attributes about others.
func (l *linter) payloads(m Media, head int) {
	var listed, mapped [128]bool
	for f := range m.AllFormats() {
		if pt, ok := parseUint(f, 127); ok {
			listed[pt] = true
		} else {
			l.add(head, 0, CodeRTPMap, "a format of RTP is a payload type, 0 to 127")
			break
		}
	}
	for i, line := range m.Lines() {
		if line.typ != 'a' || l.full {
			continue
		}
		name, value := cutAttribute(line.Value())
		if name != "rtpmap" && name != "fmtp" {
			continue
		}
		f := fields{s: value}
		pt, ok := parseUint(f.next(), 127)
		if ok && !listed[pt] {
			l.add(i, 0, CodeRTPMap, "about payload type "+strconv.Itoa(int(pt))+", which the m= line does not have")
		}
		if ok && name == "rtpmap" {
			mapped[pt] = true
		}
	}
	for pt := range listed {
		_, known := static[uint8(pt)]
		if listed[pt] && !mapped[pt] && !known {
			l.add(head, 0, CodeRTPMap, "nothing says what payload type "+strconv.Itoa(pt)+" is: add a=rtpmap (RFC 8866 section 6.6)")
		}
	}
}

// aes67 looks at linear audio, for what AES67 and ST 2110-30 receivers need.
func (l *linter) aes67(m Media, head int, r RTPMap) {
	_, clock := m.MediaClock()
	if _, frames := m.FrameCount(); !clock && !frames && len(m.RefClocks()) == 0 && r.Encoding == "L16" {
		return // any linear audio, of PulseAudio for instance
	}
	if len(m.RefClocks()) == 0 {
		l.add(head, 0, CodeClock, "receivers of AES67 need a=ts-refclk (AES67 section 8.2)")
	}
	if !clock {
		l.add(head, 0, CodeClock, "receivers of AES67 need a=mediaclk (AES67 section 8.3)")
	}
	if r.Params == "" {
		l.add(head, 0, CodeRTPMap, "write the number of channels into the RTP map, such as L24/48000/1: some receivers need it")
	}
	t, ok := m.PacketTime()
	n, frames := m.FrameCount()
	if !ok {
		l.add(head, 0, CodePacketTime, "receivers of AES67 need a=ptime (AES67 section 8.1)")
		return
	}
	samples := int((int64(t)*int64(r.ClockRate) + int64(time.Second)/2) / int64(time.Second))
	if t > time.Second || r.ClockRate > 1<<20 {
		l.add(head, 0, CodePacketTime, "packets of "+t.String()+" are too long")
		return
	}
	if frames && n != samples {
		l.add(head, 0, CodePacketTime, "a=framecount and a=ptime do not agree: "+t.String()+" are "+strconv.Itoa(samples)+" samples")
	}
	width := map[string]int{"L16": 2, "L24": 3, "AM824": 4}[r.Encoding]
	if size := samples * width * r.Channels(); size > 1440 {
		l.add(head, 0, CodePacketTime, strconv.Itoa(size)+" bytes in a packet, of at most 1440 (AES67 section 6.3): fewer channels or a shorter a=ptime")
	}
}

// flute looks at a FLUTE media.
func (l *linter) flute(head int, f FLUTE) {
	if !f.HasTSI {
		l.add(head, 0, CodeFLUTE, "no a=flute-tsi: receivers cannot tell the session from others of the sender (RFC 6726 section 6)")
	}
	if len(l.filters) == 0 {
		l.add(head, 0, CodeFLUTE, "no a=source-filter: the sender's address is half of what names the session (RFC 6726 section 6)")
	}
}

// repair looks at the flows of RFC 6364.
func (l *linter) repair(m Media, head int) {
	_, flow := m.RepairFlow()
	fec := strings.EqualFold(m.Proto, "UDP/FEC")
	if flow && !fec || fec && !flow {
		l.add(head, 0, CodeFEC, "a repair flow has both the protocol UDP/FEC and a=fec-repair-flow (RFC 6364 section 4)")
	}
	if _, ok := m.RepairWindow(); flow && !ok {
		l.add(head, 0, CodeFEC, "a repair flow without a=repair-window: receivers cannot tell how long to wait (RFC 6364 section 4.6)")
	}
	_, source := m.SourceFlow()
	if _, id := m.Attribute("mid"); (flow || source) && !id {
		l.add(head, 0, CodeFEC, "a flow without a=mid belongs to no group (RFC 6364 section 4.2)")
	}
}
