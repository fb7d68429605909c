package wire

import (
	"fmt"
	"reflect"
	"testing"
)

// A kind is one message type for tests that go over all of them.
type kind struct {
	name   string
	new    func() any
	parse  func(c Codec, b []byte, m any) error
	append func(c Codec, dst []byte, m any) ([]byte, error)
}

func kindOf[M any](name string, p func(Codec, []byte, *M) error, a func(Codec, []byte, *M) ([]byte, error)) kind {
	return kind{
		name:   name,
		new:    func() any { return new(M) },
		parse:  func(c Codec, b []byte, m any) error { return p(c, b, m.(*M)) },
		append: func(c Codec, dst []byte, m any) ([]byte, error) { return a(c, dst, m.(*M)) },
	}
}

var kinds = []kind{
	kindOf("INFO", Codec.ParseInfo, Codec.AppendInfo),
	kindOf("DATA", Codec.ParseData, Codec.AppendData),
	kindOf("CMD(FLUSH)", Codec.ParseFlush, Codec.AppendFlush),
	kindOf("CMD(EOT)", Codec.ParseEOT, Codec.AppendEOT),
	kindOf("CMD(SQUELCH)", Codec.ParseSquelch, Codec.AppendSquelch),
	kindOf("CMD(CC)", Codec.ParseCC, Codec.AppendCC),
	kindOf("CMD(REPAIR_ADV)", Codec.ParseRepairAdv, Codec.AppendRepairAdv),
	kindOf("CMD(ACK_REQ)", Codec.ParseAckReq, Codec.AppendAckReq),
	kindOf("CMD(APPLICATION)", Codec.ParseApplication, Codec.AppendApplication),
	kindOf("NACK", Codec.ParseNack, Codec.AppendNack),
	kindOf("ACK", Codec.ParseAck, Codec.AppendAck),
	kindOf("REPORT", Codec.ParseReport, Codec.AppendReport),
}

func kindNamed(name string) kind {
	for _, k := range kinds {
		if k.name == name {
			return k
		}
	}
	panic("no message " + name)
}

// dispatch finds a message's kind as an engine does: by ParseHeader, then
// ParseCmdType.
func dispatch(b []byte) (kind, error) {
	h, err := ParseHeader(b)
	if err != nil {
		return kind{}, err
	}
	name := h.Type.String()
	if h.Type == TypeCmd {
		t, err := ParseCmdType(b)
		if err != nil {
			return kind{}, err
		}
		name = t.String()
	}
	for _, k := range kinds {
		if k.name == name {
			return k, nil
		}
	}
	return kind{}, fmt.Errorf("no message %s", name)
}

// mustEqual fails the test when got is not what want points to.
func mustEqual(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("parsed\n got %+v\nwant %+v", got, want)
	}
}
