package core

import (
	"hash/crc32"
	"slices"
	"time"

	"github.com/gomulticast/multicast/rmt/alc"
	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/flute/fdt"
	"github.com/gomulticast/multicast/rmt/lct"
)

// A table is what an FDT Instance has beside an object being received.
type table struct {
	id       uint32
	encoding lct.ContentEncoding
	data     []byte
}

// A knownTable is an FDT Instance that was read, so that its repetition is not.
type knownTable struct {
	n       int    // bytes in its first symbol
	sum     uint32 // of them
	expires time.Time
}

const (
	maxTables = 8   // FDT Instances of one session being received at a time
	maxKnown  = 512 // FDT Instances of one session remembered
)

// tablePacket takes in a packet of an FDT Instance.
func (s *session) tablePacket(now time.Time, p *alc.Packet) {
	r := s.r
	content, ok := p.Extensions.Find(lct.ExtFDT)
	if !ok {
		if p.HasPayload {
			r.stats.Malformed++
		}
		return
	}
	f, err := lct.ParseFDT(content)
	if err != nil || !p.HasPayload {
		r.stats.Malformed++
		return
	}
	s.readClock(now, p)
	if k, ok := s.known[f.InstanceID]; ok {
		first := p.ID.SBN == 0 && p.ID.ESI == 0
		same := !first || len(p.Symbols) >= k.n && checksum(p.Symbols[:k.n]) == k.sum
		if same && k.expires.After(now) {
			r.stats.Duplicates++
			return
		}
		// The number means another instance: it has wrapped around, or the
		// sender has begun anew.
		if !same {
			r.stats.TableConflicts++
		}
		s.unknow(f.InstanceID)
	}
	o := s.tableObject(now, f.InstanceID, p)
	if o == nil {
		return
	}
	o.packet(now, p)
	if o.whole() {
		s.finishTable(now, o)
	}
}

// finishTable reads an FDT Instance that is whole.
func (s *session) finishTable(now time.Time, o *rxObject) {
	s.dropTable(o)
	s.readTable(now, o.table, int(o.oti.SymbolSize))
}

// readClock notes what the sender says the time is.
func (s *session) readClock(now time.Time, p *alc.Packet) {
	if content, ok := p.Extensions.Find(lct.ExtTime); ok {
		if t, err := lct.ParseTime(content); err == nil && t.HasSCTHigh {
			s.clock = t.SCT.Time(now).Sub(now)
		}
	}
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// tableObject returns the instance of a packet being received, beginning it if need be.
func (s *session) tableObject(now time.Time, id uint32, p *alc.Packet) *rxObject {
	r := s.r
	encoding := lct.EncodingNull
	if content, ok := p.Extensions.Find(lct.ExtCENC); ok {
		encoding, _ = lct.ParseCENC(content)
	}
	for _, o := range s.tables {
		if o.table.id != id {
			continue
		}
		if o.agrees(p) && o.table.encoding == encoding {
			return o
		}
		r.stats.TableConflicts++
		if o.misfits < maxMisfits && now.Sub(o.started) < 10*time.Second {
			return nil
		}
		s.dropTable(o)
		break
	}
	content, ok := p.Extensions.Find(lct.ExtFTI)
	if !ok {
		r.stats.Malformed++ // RFC 6726 section 5: it must be there
		return nil
	}
	oti, err := fec.ParseFTI(fec.EncodingID(p.Codepoint), content)
	if err != nil || oti.TransferLength == 0 {
		r.stats.Malformed++
		return nil
	}
	n := int(min(oti.TransferLength, 1<<30))
	if n > r.cfg.FDTBytes {
		r.stats.TablesBad++
		return nil
	}
	if len(s.tables) >= maxTables || r.tableBytes+n > 16*r.cfg.FDTBytes {
		if len(s.tables) == 0 || now.Sub(s.tables[0].heard) < time.Second {
			r.stats.Refused++
			return nil
		}
		s.dropTable(s.tables[0])
	}
	o, err := s.newObject(now, lct.TOI{}, &oti)
	if err != nil {
		r.stats.Unsupported++
		return nil
	}
	o.table = &table{id: id, encoding: encoding, data: make([]byte, n)}
	o.agrees(p)
	r.tableBytes += n
	s.tables = append(s.tables, o)
	return o
}

func (s *session) dropTable(o *rxObject) {
	o.free()
	s.r.tableBytes -= len(o.table.data)
	s.tables = slices.DeleteFunc(s.tables, func(t *rxObject) bool { return t == o })
}

// readTable reads the FDT Instance of t, whose symbols are of size bytes.
func (s *session) readTable(now time.Time, t *table, size int) {
	r := s.r
	first := t.data[:min(size, len(t.data))]
	xml, err := Inflate(t.encoding.String(), t.data, r.cfg.FDTBytes)
	var in *fdt.Instance
	if err == nil {
		in, err = fdt.Parse(xml, fdt.Limits{Bytes: r.cfg.FDTBytes})
	}
	if err != nil {
		r.stats.TablesBad++ // and received again, when it is repeated
		return
	}
	expires := in.ExpiresAt(now.Add(s.clock)).Add(-s.clock)
	known := knownTable{n: len(first), sum: checksum(first), expires: expires}
	if again := now.Add(10 * time.Second); expires.Before(again) || r.cfg.IgnoreExpiry {
		known.expires = again
	}
	s.know(t.id, known)
	if !r.cfg.IgnoreExpiry && !expires.After(now) {
		r.stats.TablesExpired++
		return
	}
	r.stats.Tables++
	s.confirmed = true
	r.events.push(ReceiverEvent{Type: TableReceived, Key: ObjectKey{Session: s.key}, Table: in})
	for i := range in.Files {
		s.describe(now, &in.Files[i], expires)
	}
	r.replay(now, s)
}

func (s *session) know(id uint32, k knownTable) {
	if len(s.ids) >= maxKnown {
		s.unknow(s.ids[0])
	}
	s.known[id] = k
	s.ids = append(s.ids, id)
}

func (s *session) unknow(id uint32) {
	delete(s.known, id)
	if i := slices.Index(s.ids, id); i >= 0 {
		s.ids = slices.Delete(s.ids, i, i+1)
	}
}
