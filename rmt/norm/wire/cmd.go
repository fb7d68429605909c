package wire

import "strconv"

// CmdType is a NORM_CMD sub-type (RFC 5740 sections 4.2.3 and 8.1.3).
type CmdType uint8

const (
	CmdFlush       CmdType = 1
	CmdEOT         CmdType = 2
	CmdSquelch     CmdType = 3
	CmdCC          CmdType = 4
	CmdRepairAdv   CmdType = 5
	CmdAckReq      CmdType = 6
	CmdApplication CmdType = 7
)

var cmdNames = [...]string{"", "CMD(FLUSH)", "CMD(EOT)", "CMD(SQUELCH)", "CMD(CC)",
	"CMD(REPAIR_ADV)", "CMD(ACK_REQ)", "CMD(APPLICATION)"}

// String returns the name of the command, as in "CMD(FLUSH)".
func (t CmdType) String() string {
	if t == 0 || int(t) >= len(cmdNames) {
		return "CMD(" + strconv.Itoa(int(t)) + ")"
	}
	return cmdNames[t]
}

// ParseCmdType returns the sub-type of a NORM_CMD message. It does not refuse
// unknown ones.
func ParseCmdType(b []byte) (CmdType, error) {
	if _, err := open(b, TypeCmd, senderLen); err != nil {
		return 0, err
	}
	return CmdType(b[12]), nil
}

// openCmd parses the shared fields of a command of type t whose header is at
// least base bytes.
func openCmd(b []byte, t CmdType, base int) (Header, Sender, error) {
	h, err := open(b, TypeCmd, senderLen)
	if err != nil {
		return h, Sender{}, err
	}
	if CmdType(b[12]) != t {
		return h, Sender{}, fail(t.String(), "sub-type", ErrType)
	}
	if h.HeaderLen < base {
		return h, Sender{}, fail(t.String(), "hdr_len", ErrHeaderLen)
	}
	return h, parseSender(b, &h), nil
}
