package group

// ipv6 checks what only IPv6 has.
func (l *linter) ipv6() {
	f := l.fields
	if f.Scope == ScopeReserved || f.Scope == ScopeReservedF {
		l.add(CodeReserved, "scope "+hexDigit(uint8(f.Scope))+" is reserved (RFC 7346 section 2)")
	}
	l.flags()
	if l.kind == UnicastPrefix || l.kind == EmbeddedRP || l.kind == LinkScoped {
		l.prefix()
	}
	if _, err := f.RP(); l.kind == EmbeddedRP && err != nil {
		l.add(CodeRP, err.Error())
	}
	if l.kind != SSM && l.kind != Reserved && f.Scope != ScopeReserved {
		l.groupID()
	}
	if name, ok := WellKnown(l.addr); ok && l.use.Purpose == Allocate {
		l.add(CodeAssigned, "assigned by IANA: "+name)
	} else if ok && f.ID == 0x2_7fff && name == "SAPv0" {
		l.add(CodeDeprecated, "announcements of SAP version 0, which has gone; version 1 has ff0x::2:7ffe (RFC 2974 section 3)")
	}
}

func (l *linter) flags() {
	f := l.fields
	switch {
	case f.Flags&FlagR != 0 && f.Flags&(FlagP|FlagT) != FlagP|FlagT:
		l.add(CodeFlags, "flag R without P and T: an embedded rendezvous point needs all three (RFC 3956 section 3)")
	case f.Flags&FlagP != 0 && f.Flags&FlagT == 0:
		l.add(CodeFlags, "flag P without T: an address from a prefix is transient (RFC 3306 section 4)")
	}
	if f.Flags&FlagX != 0 {
		l.add(CodeFlags, "flag X is set, which means nothing yet (RFC 7371 section 4)")
	}
	if f.Flags&FlagP == 0 {
		return // the next bits are part of a group ID of 112
	}
	if f.Flags2 != 0 {
		l.add(CodeFlags, "bits of the second flag field are set, which must be sent as 0 (RFC 7371 section 4)")
	}
	if f.RIID != 0 && f.Flags&FlagR == 0 {
		l.add(CodeFlags, "an interface ID of a rendezvous point without flag R, which must be sent as 0 (RFC 3956 section 3)")
	}
	if l.kind == Reserved && f.Flags&FlagR == 0 && f.PrefixLen > 64 && f.PrefixLen != 255 {
		l.add(CodePrefix, "the prefix length must be 1 to 64, 0 for SSM, or 255 for a link-scoped address (RFC 3306 section 4, RFC 4489 section 3)")
	}
}

// prefix checks the unicast prefix or interface ID in the group.
func (l *linter) prefix() {
	f := l.fields
	if l.kind == LinkScoped {
		if f.Scope > LinkLocal {
			l.add(CodePrefixScope, "an address from an interface ID is link-local at most (RFC 4489 section 3)")
		}
		return
	}
	p, ok := f.Prefix()
	if !ok {
		return // CodePrefix or CodeRP
	}
	switch widest := PrefixScope(p); {
	case widest == ScopeReserved && l.kind == UnicastPrefix:
		l.add(CodeOwner, "made from "+p.String()+", which can own no group (RFC 3306 section 4)")
	case f.Scope > widest && widest != ScopeReserved:
		l.add(CodePrefixScope, "scope "+f.Scope.String()+" is wider than that of "+p.String()+", which is "+widest.String()+
			" at most (RFC 3306 section 4)")
	}
	// A rendezvous point may serve groups of longer prefixes (RFC 3956 section 4).
	if b := p.Addr().As16(); l.kind == UnicastPrefix && [8]byte(b[:8]) != f.Network {
		l.add(CodePrefix, "bits behind the prefix of "+p.String()+" are set, which should be 0 (RFC 3306 section 4)")
	}
}

// groupID checks the range of RFC 3307, whose purpose is that groups anyone may
// choose do not meet those of protocols on Ethernet.
func (l *linter) groupID() {
	f, class := l.fields, IDClassOf(l.fields.ID)
	switch {
	case class == IDZero && f.Flags&FlagT == 0 && f.Flags2 == 0 && f.RIID == 0 && f.PrefixLen == 0 && f.Network == [8]byte{}:
		l.add(CodeReserved, "group ID 0 is reserved (RFC 2375 section 3)")
	case f.Flags&FlagT == 0:
		if _, ok := WellKnown(l.addr); !ok && l.use.Purpose == Allocate {
			l.add(CodeAssigned, "flag T is clear, so only IANA may assign it; set T: ff1x:: (RFC 4291 section 2.7)")
		} else if !ok && class != IDPermanentAddress && l.owned() {
			l.add(CodeGroupID, "flag T is clear, but permanent addresses have group IDs of 1 to 3fff:ffff (RFC 3307 section 4.1)")
		}
	case class == IDDynamic || class == IDPermanent && f.Flags&FlagP != 0:
	case l.owned():
		m := "group ID below 8000:0, where permanent groups are: choose from 8000:0 to ffff:ffff (RFC 3307 section 4.3)"
		permanent := addr6(uint8(LinkLocal), uint64(f.ID))
		if _, ok := WellKnown(permanent); ok {
			m += "; it shares Ethernet address " + macText(MAC(permanent)) + " with " + named(permanent)
		}
		l.add(CodeGroupID, m)
	}
}
