package igmp

import (
	"slices"
	"testing"
)

func TestCheck(t *testing.T) {
	host, group, ssm := addr("10.6.0.1"), addr("239.1.2.3"), addr("232.1.2.3")
	good := func(dst string) Envelope {
		return Envelope{Src: host, Dst: addr(dst), HopLimit: 1, RouterAlert: true}
	}
	with := func(e Envelope, f func(*Envelope)) Envelope { f(&e); return e }
	all := good("224.0.0.1")
	v3 := &Query{Version: 3, Code: 100}
	report := func(t RecordType, g string, ss ...string) *Report3 {
		return &Report3{Records: records(Record{Type: t, Group: addr(g), Sources: sources(ss...)})}
	}
	for _, tt := range []struct {
		name string
		msg  message
		env  Envelope
		want Violations
	}{
		{"general v3", v3, all, 0},
		{"nothing known", v3, Envelope{RouterAlert: true}, 0},
		{"TTL 2", v3, with(all, func(e *Envelope) { e.HopLimit = 2 }), WrongTTL},
		{"no alert", v3, with(all, func(e *Envelope) { e.RouterAlert = false }), NoRouterAlert},
		{"no alert, v2", &Query{Version: 2, Code: 1}, with(all, func(e *Envelope) { e.RouterAlert = false }), NoRouterAlert},
		{"no alert, v1", &Query{Version: 1}, with(all, func(e *Envelope) { e.RouterAlert = false }), 0},
		{"from nobody", v3, with(all, func(e *Envelope) { e.Src = addr("0.0.0.0") }), ZeroSender},
		{"from a group", v3, with(all, func(e *Envelope) { e.Src = group }), BadSender},
		{"from all", v3, with(all, func(e *Envelope) { e.Src = addr("255.255.255.255") }), BadSender},
		{"off link", v3, with(all, func(e *Envelope) { e.OffLink = true }), OffLink},
		{"general to a group", v3, good("239.1.2.3"), GeneralElsewhere},
		{"general to one host", v3, good("10.6.0.2"), 0}, // any address of the interface is good
		{"general with sources", &Query{Version: 3, Sources: sources("192.0.2.1")}, all, SourcesOfAll},
		{"v1 with a group", &Query{Version: 1, Group: group}, all, 0},
		{"of a group", &Query{Version: 3, Group: group}, good("239.1.2.3"), 0},
		{"of a group, to all", &Query{Version: 3, Group: group}, all, WrongDestination},
		{"of no group", &Query{Version: 2, Group: host}, good("10.6.0.1"), NotAGroup},
		{"of an SSM group", &Query{Version: 2, Group: ssm}, good("232.1.2.3"), OldInSSM},
		{"of an SSM group, v3", &Query{Version: 3, Group: ssm, Sources: sources("192.0.2.1")}, good("232.1.2.3"), 0},
		{"of a multicast source", &Query{Version: 3, Group: ssm, Sources: sources("192.0.2.1", "224.0.0.1")}, good("232.1.2.3"), BadSource},
		{"bad extensions", &Query{Version: 3, Extended: true}, all, BadExtensions},

		{"v1 report", &Membership{Type: TypeReport1, Group: group}, with(good("239.1.2.3"), func(e *Envelope) { e.RouterAlert = false }), 0},
		{"v2 report", &Membership{Type: TypeReport2, Group: group}, good("239.1.2.3"), 0},
		{"v2 report, no alert", &Membership{Type: TypeReport2, Group: group}, with(good("239.1.2.3"), func(e *Envelope) { e.RouterAlert = false }), NoRouterAlert},
		{"from 0.0.0.0", &Membership{Type: TypeReport2, Group: group}, with(good("239.1.2.3"), func(e *Envelope) { e.Src, e.OffLink = addr("0.0.0.0"), true }), 0},
		{"elsewhere", &Membership{Type: TypeReport2, Group: group}, all, WrongDestination},
		{"leave", &Membership{Type: TypeLeave, Group: group}, good("224.0.0.2"), 0},
		{"leave to its group", &Membership{Type: TypeLeave, Group: group}, good("239.1.2.3"), WrongDestination},
		{"report of no group", &Membership{Type: TypeReport2, Group: host}, good("10.6.0.1"), NotAGroup},
		{"report of 224.0.0.1", &Membership{Type: TypeReport2, Group: AllSystems}, all, NeverReported},
		{"v2 report in SSM", &Membership{Type: TypeReport2, Group: ssm}, good("232.1.2.3"), OldInSSM},

		{"v3 report", report(AllowNewSources, "232.1.2.3", "192.0.2.1"), good("224.0.0.22"), 0},
		{"v3 report elsewhere", report(AllowNewSources, "232.1.2.3", "192.0.2.1"), good("224.0.0.2"), WrongDestination},
		{"unknown record", report(7, "232.1.2.3"), good("224.0.0.22"), BadRecord},
		{"record of no group", report(1, "10.6.0.1"), good("224.0.0.22"), BadRecord},
		{"record of 224.0.0.1", report(1, "224.0.0.1"), good("224.0.0.22"), BadRecord},
		{"exclude in SSM", report(ModeIsExclude, "232.1.2.3"), good("224.0.0.22"), ExcludeInSSM},
		{"change to exclude in SSM", report(ChangeToExclude, "232.1.2.3"), good("224.0.0.22"), ExcludeInSSM},
		{"change to include in SSM", report(ChangeToInclude, "232.1.2.3"), good("224.0.0.22"), 0},
		{"broadcast source", report(AllowNewSources, "232.1.2.3", "255.255.255.255"), good("224.0.0.22"), BadSource},
		{"zero source", report(AllowNewSources, "232.1.2.3", "0.0.0.0"), good("224.0.0.22"), BadSource},
		{"several", report(9, "232.1.2.3", "0.0.0.0"), with(all, func(e *Envelope) { e.HopLimit = 64 }), BadSource | BadRecord | WrongTTL | WrongDestination},
	} {
		if got := tt.msg.Check(tt.env); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestViolations(t *testing.T) {
	v := WrongTTL | BadRecord | 1<<31
	if got := slices.Collect(v.All()); !slices.Equal(got, []Violations{WrongTTL, BadRecord, 1 << 31}) {
		t.Error(got)
	}
	if got := v.String(); got != "wrong TTL, bad record, violation 31" {
		t.Error(got)
	}
	for range v.All() {
		break
	}
	if Violations(0).String() != "" {
		t.Error("no violation has a name")
	}
	for i, name := range violationNames {
		if known := i <= 6 || i >= 16 && i <= 23; known != (name != "") {
			t.Errorf("violation %d is called %q", i, name)
		}
	}
	if PolicyRFC&(ZeroSender|WrongDestination|BadRecord|BadExtensions|ExcludeInSSM|BadSource) != 0 || PolicyCareful&BadRecord == 0 {
		t.Error("policies")
	}
}
