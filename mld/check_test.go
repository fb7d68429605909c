package mld

import (
	"slices"
	"testing"
)

func TestCheck(t *testing.T) {
	group, ssm := addr("ff15::6:1"), addr("ff35::6:2")
	good := func(dst string) Envelope {
		return Envelope{Src: from, Dst: addr(dst), HopLimit: 1, RouterAlert: true}
	}
	with := func(e Envelope, f func(*Envelope)) Envelope { f(&e); return e }
	all := good("ff02::1")
	v2 := &Query{Version: 2, Code: 10000}
	report := func(t RecordType, g string, ss ...string) *Report2 {
		return &Report2{Records: records(Record{Type: t, Group: addr(g), Sources: sources(ss...)})}
	}
	v1 := func(t Type, g string) *Membership { return &Membership{Type: t, Group: addr(g)} }
	for _, tt := range []struct {
		name string
		msg  message
		env  Envelope
		want Violations
	}{
		{"general", v2, all, 0},
		{"with a zone", v2, Envelope{Src: from.WithZone("eth0"), Dst: AllNodes.WithZone("eth0"), HopLimit: 1, RouterAlert: true}, 0},
		{"nothing known", v2, Envelope{RouterAlert: true}, 0},
		{"hop limit 255", v2, with(all, func(e *Envelope) { e.HopLimit = 255 }), WrongHopLimit},
		{"no alert", v2, with(all, func(e *Envelope) { e.RouterAlert = false }), NoRouterAlert},
		{"no alert, v1", &Query{Version: 1}, with(all, func(e *Envelope) { e.RouterAlert = false }), NoRouterAlert},
		{"from nobody", v2, with(all, func(e *Envelope) { e.Src = addr("::") }), NoSender},
		{"from a global address", v2, with(all, func(e *Envelope) { e.Src = addr("fd06::254") }), NotLinkLocal},
		{"general to a group", v2, good("ff15::6:1"), GeneralElsewhere},
		{"general to one node", v2, good("fe80::2"), 0},
		{"general with sources", &Query{Version: 2, Sources: sources("2001:db8::1")}, all, SourcesOfAll},
		{"of a group", &Query{Version: 1, Group: group}, good("ff15::6:1"), 0},
		{"of a group, to all", &Query{Version: 1, Group: group}, all, WrongDestination}, // as Linux bridges do
		{"of no group", &Query{Version: 2, Group: from}, good("fe80::1"), NotAGroup},
		{"of an SSM group, v1", &Query{Version: 1, Group: ssm}, good("ff35::6:2"), OldInSSM},
		{"of an SSM group", &Query{Version: 2, Group: ssm, Sources: sources("2001:db8::1")}, good("ff35::6:2"), 0},
		{"of a multicast source", &Query{Version: 2, Group: ssm, Sources: sources("2001:db8::1", "ff02::1")}, good("ff35::6:2"), BadSource},
		{"bad extensions", &Query{Version: 2, Extended: true}, all, BadExtensions},

		{"v1 report", v1(TypeReport, "ff15::6:1"), good("ff15::6:1"), 0},
		{"v1 report from nobody", v1(TypeReport, "ff15::6:1"), with(good("ff15::6:1"), func(e *Envelope) { e.Src = addr("::") }), NoSender},
		{"elsewhere", v1(TypeReport, "ff15::6:1"), good("ff02::16"), WrongDestination},
		{"done", v1(TypeDone, "ff15::6:1"), good("ff02::2"), 0},
		{"done to its group", v1(TypeDone, "ff15::6:1"), good("ff15::6:1"), WrongDestination},
		{"report of no group", v1(TypeReport, "fe80::2"), good("fe80::2"), NotAGroup},
		{"report of all nodes", v1(TypeReport, "ff02::1"), good("ff02::1"), NeverReported},
		{"report of scope 0", v1(TypeReport, "ff00::1:1"), good("ff00::1:1"), NeverReported},
		{"report of scope 1", v1(TypeReport, "ff01::1:1"), good("ff01::1:1"), NeverReported},
		{"v1 report in SSM", v1(TypeReport, "ff35::6:2"), good("ff35::6:2"), OldInSSM},

		{"v2 report", report(AllowNewSources, "ff35::6:2", "2001:db8::1"), good("ff02::16"), 0},
		{"v2 report elsewhere", report(AllowNewSources, "ff35::6:2", "2001:db8::1"), good("ff02::2"), WrongDestination},
		{"unknown record", report(7, "ff35::6:2"), good("ff02::16"), BadRecord},
		{"record of no group", report(1, "fe80::2"), good("ff02::16"), BadRecord},
		{"record of all nodes", report(1, "ff02::1"), good("ff02::16"), BadRecord},
		{"exclude in SSM", report(ModeIsExclude, "ff35::6:2"), good("ff02::16"), ExcludeInSSM},
		{"change to exclude in SSM", report(ChangeToExclude, "ff35::6:2"), good("ff02::16"), ExcludeInSSM},
		{"change to include in SSM", report(ChangeToInclude, "ff35::6:2"), good("ff02::16"), 0},
		{"zero source", report(AllowNewSources, "ff35::6:2", "::"), good("ff02::16"), BadSource},
		{"several", report(9, "ff35::6:2", "::"), with(all, func(e *Envelope) { e.HopLimit = 64 }), BadSource | BadRecord | WrongHopLimit | WrongDestination},
	} {
		if got := tt.msg.Check(tt.env); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestViolations(t *testing.T) {
	v := WrongHopLimit | BadRecord | 1<<31
	if got := slices.Collect(v.All()); !slices.Equal(got, []Violations{WrongHopLimit, BadRecord, 1 << 31}) {
		t.Error(got)
	}
	if got := v.String(); got != "wrong hop limit, bad record, violation 31" {
		t.Error(got)
	}
	for range v.All() {
		break
	}
	for i, name := range violationNames {
		if known := i <= 5 || i >= 16 && i <= 23; known != (name != "") {
			t.Errorf("violation %d is called %q", i, name)
		}
	}
	if PolicyRFC&(WrongDestination|BadRecord|BadExtensions|ExcludeInSSM|BadSource) != 0 || PolicyRFC&NoSender == 0 || PolicySnoop&NoSender != 0 || PolicyCareful&BadRecord == 0 {
		t.Error("policies")
	}
}
