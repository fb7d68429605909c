package control

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gomulticast/multicast/rmt/fec"
	"github.com/gomulticast/multicast/rmt/norm/wire"
)

// lineRequests is how many repair requests are shown on a line.
const lineRequests = 4

// normWords notes what a sound message of NORM says of objects. A command that cannot
// be read further says nothing more.
func (r *Record) normWords(b []byte, t wire.Type) {
	var c wire.Codec
	switch t {
	case wire.TypeInfo:
		var m wire.Info
		if c.ParseInfo(b, &m) == nil {
			r.object(m.Object, fmt.Sprintf("(%v), %s", m.Flags, number(len(m.Payload), "byte")))
			r.fti(m.HasFTI, &m.FTI)
		}
	case wire.TypeData:
		var m wire.Data
		if c.ParseData(b, &m) == nil {
			r.object(m.Object, fmt.Sprintf("(%v), block %d, symbol %d, %v, %s", m.Flags, m.ID.SBN, m.ID.ESI, m.FEC, number(len(m.Payload), "byte")))
			r.fti(m.HasFTI, &m.FTI)
		}
	case wire.TypeNack:
		var m wire.Nack
		if c.ParseNack(b, &m) == nil {
			r.Detail = "to " + m.Server.String() + ": " + requests(m.Requests)
		}
	case wire.TypeAck:
		var m wire.Ack
		if c.ParseAck(b, &m) == nil {
			r.Detail = "to " + m.Server.String() + ": " + m.AckType.String()
			var at wire.FlushAck
			if m.AckType == wire.AckFlush && c.ParseFlushAck(m.Payload, &at) == nil {
				r.object(at.Object, fmt.Sprintf("block %d, symbol %d", at.ID.SBN, at.ID.ESI))
			}
		}
	case wire.TypeCmd:
		r.normCommand(b)
	}
}

func (r *Record) normCommand(b []byte) {
	var c wire.Codec
	k, err := wire.ParseCmdType(b)
	if err != nil {
		return
	}
	switch k {
	case wire.CmdFlush:
		var m wire.Flush
		if c.ParseFlush(b, &m) == nil {
			r.object(m.Object, fmt.Sprintf("block %d, symbol %d", m.ID.SBN, m.ID.ESI))
			if n := m.AckingNodes.Len(); n > 0 {
				r.Detail += fmt.Sprintf(", %d to acknowledge", n)
			}
		}
	case wire.CmdSquelch:
		var m wire.Squelch
		if c.ParseSquelch(b, &m) == nil {
			r.object(m.Object, fmt.Sprintf("block %d, %s gone", m.ID.SBN, number(m.Invalid.Len(), "object")))
		}
	case wire.CmdRepairAdv:
		var m wire.RepairAdv
		if c.ParseRepairAdv(b, &m) == nil {
			r.Detail = requests(m.Requests)
		}
	case wire.CmdAckReq:
		var m wire.AckReq
		if c.ParseAckReq(b, &m) == nil {
			r.Detail = fmt.Sprintf("%v, %d to acknowledge", m.AckType, m.AckingNodes.Len())
		}
	}
}

// object notes an object and what is said of it.
func (r *Record) object(o wire.TransportID, text string) {
	r.Object = strconv.Itoa(int(o))
	if r.Detail != "" {
		r.Detail += ", "
	}
	r.Detail += "object " + r.Object + " " + text
}

func (r *Record) fti(has bool, o *fec.OTI) {
	if has {
		r.Detail += fmt.Sprintf(" of %d, blocks of %d+%d symbols of %d", o.TransferLength, o.MaxBlockLen, o.Parity, o.SymbolSize)
	}
}

// requests puts repair requests into words.
func requests(q wire.Requests) string {
	var parts []string
	n := 0
	for x := range q.All() {
		if n++; n > lineRequests {
			continue
		}
		parts = append(parts, request(&x))
	}
	text := strings.Join(parts, "; ")
	switch {
	case n == 0:
		return "wants nothing"
	case n > lineRequests:
		text += fmt.Sprintf("; and %d more", n-lineRequests)
	}
	return "wants " + text
}

func request(q *wire.Request) string {
	item := func(i *wire.Item) string {
		text := fmt.Sprintf("object %d", i.Object)
		if q.Flags&(wire.NackSegment|wire.NackBlock) != 0 {
			text += fmt.Sprintf(" block %d", i.ID.SBN)
		}
		if q.Flags&wire.NackSegment != 0 {
			text += fmt.Sprintf(" symbol %d", i.ID.ESI)
		}
		return text
	}
	text := item(&q.First)
	switch {
	case q.Form == wire.Ranges && q.First != q.Last:
		text += " to " + item(&q.Last)
	case q.Form == wire.Erasures:
		text = fmt.Sprintf("%s of object %d block %d", number(int(q.First.ID.ESI), "symbol"), q.First.Object, q.First.ID.SBN)
	}
	if q.Flags&wire.NackInfo != 0 {
		text += " with its info"
	}
	return text
}
