package group

// ipv4 checks what only IPv4 has.
func (l *linter) ipv4() {
	if a, ok := ControlAlias(l.addr); ok {
		l.add(CodeControlAlias, "shares Ethernet address "+macText(MAC(a))+" with "+named(a)+
			": switches send it to every port, hosts that joined the other are woken (RFC 4607 section 9, RFC 4541 section 2.1.2)")
	}
	switch l.kind {
	case Reserved:
		l.add(CodeReserved, "in a reserved block, which must not be used (RFC 5771 sections 3 and 13)"+l.whose())
	case LocalControl, InternetworkControl:
		l.control()
	case AdHoc:
		if l.owned() && !in(documentation4, l.addr) {
			l.add(CodeAssigned, Block(l.addr)+" is assigned by IANA only (RFC 5771 section 6)"+l.whose())
		}
	case SAPBlock:
		l.sap()
	case GLOP:
		if b := l.addr.As4(); b[1] == 0 && b[2] == 0 {
			l.add(CodeOwner, "GLOP address of AS 0, which no one has (RFC 7607)")
		} else if b[1] == 23456>>8 && b[2] == 23456&0xff {
			l.add(CodeOwner, "GLOP address of AS 23456, which stands for every 32-bit AS (RFC 6793 section 9)")
		}
	case UnicastPrefix:
		if p, ok := EmbeddedPrefix(l.addr); ok && PrefixScope(p) == ScopeReserved {
			l.add(CodeOwner, "made from "+p.String()+", which is not a global unicast prefix (RFC 6034 section 3)")
		}
	case AdminScopedBlock:
		l.admin()
	}
}

// control checks the two control blocks: no one's to choose, for some to send to,
// and all right to be told about when the address has a name.
func (l *linter) control() {
	_, known := WellKnown(l.addr)
	if b := l.addr.As4(); b == [4]byte{224, 0, 0, 0} {
		l.add(CodeReserved, "224.0.0.0 is the reserved base address of the block")
	} else if l.use.Purpose == Allocate || l.owned() && !known {
		section := "4"
		if l.kind == InternetworkControl {
			section = "5"
		}
		l.add(CodeAssigned, Block(l.addr)+" is for protocols, assigned by IANA only (RFC 5771 section "+section+")"+l.whose())
	}
}

func (l *linter) sap() {
	switch b := l.addr.As4(); {
	case b[2] == 127 && b[3] == 255:
		l.add(CodeDeprecated, "announcements of SAP version 0, which has gone; version 1 has 224.2.127.254 (RFC 2974 section 3)")
	case b[2] == 127 && b[3] == 254:
		if l.use.Purpose == Allocate {
			l.add(CodeAssigned, "the group of SAP announcements themselves (RFC 2974 section 3)")
		}
	case b[2] < 128 && l.use.Purpose == Allocate:
		l.add(CodeSAPBlock, "new sessions announced by SAP are given addresses of 224.2.128.0 to 224.2.255.255")
	case l.owned():
		l.add(CodeSAPBlock, "only for sessions announced by SAP, and for nothing else (RFC 5771 section 7)")
	}
}

func (l *linter) admin() {
	z, ok := ZoneOf(l.addr)
	switch {
	case ok:
		o, top := z.Offset(l.addr)
		switch {
		case !top || !l.owned():
		case l.use.Purpose == Allocate || o.String() == "":
			l.add(CodeRelative, "among the top 256 addresses of its zone, which are for services that IANA assigned an offset"+l.whose()+" (RFC 2365 section 9)")
		}
	case l.use.Purpose == Allocate:
		l.add(CodeExpansion, "in a part of 239.0.0.0/8 that has no scope unless your network gave it one; "+
			"239.255.0.0/16 and 239.192.0.0/14 have (RFC 2365 section 6)")
	}
}

// whose is the end of a message with the name of the group, if it has one.
func (l *linter) whose() string {
	if name, ok := WellKnown(l.addr); ok {
		return "; this one: " + name
	}
	return ""
}
