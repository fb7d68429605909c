package wire

import (
	"encoding/binary"
	"io"
)

// A NodeList is a list of node IDs as it is on the wire: an acking_node_list (RFC
// 5740 sections 4.2.3.1 and 4.2.3.6). A nil NodeList is empty.
type NodeList []byte

// Len returns the number of nodes.
func (l NodeList) Len() int { return len(l) / 4 }

// At returns node i, 0 to Len()-1.
func (l NodeList) At(i int) NodeID { return NodeID(binary.BigEndian.Uint32(l[4*i:])) }

// Append returns l with node n behind.
func (l NodeList) Append(n NodeID) NodeList { return binary.BigEndian.AppendUint32(l, uint32(n)) }

// Contains reports whether n is in l.
func (l NodeList) Contains(n NodeID) bool {
	for i := range l.Len() {
		if l.At(i) == n {
			return true
		}
	}
	return false
}

// A TransportIDList is a list of object IDs as it is on the wire: an
// invalid_object_list (RFC 5740 section 4.2.3.3). A nil TransportIDList is empty.
type TransportIDList []byte

// Len returns the number of IDs.
func (l TransportIDList) Len() int { return len(l) / 2 }

// At returns ID i, 0 to Len()-1.
func (l TransportIDList) At(i int) TransportID {
	return TransportID(binary.BigEndian.Uint16(l[2*i:]))
}

// Append returns l with id behind.
func (l TransportIDList) Append(id TransportID) TransportIDList {
	return binary.BigEndian.AppendUint16(l, uint16(id))
}

// Contains reports whether id is in l.
func (l TransportIDList) Contains(id TransportID) bool {
	for i := range l.Len() {
		if l.At(i) == id {
			return true
		}
	}
	return false
}

// list returns the list of entries of size bytes that follows h in b. An entry
// that is cut short is a truncation: the length of the message is the length of
// the list.
func list(b []byte, h *Header, size int, msg, field string) ([]byte, error) {
	l := h.tail(b)
	if len(l)%size != 0 {
		return nil, fail(msg, field, io.ErrUnexpectedEOF)
	}
	return l, nil
}
