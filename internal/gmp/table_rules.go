package gmp

import "github.com/gomulticast/multicast/mcast/group"

// A deed is what becomes of a source when a record arrives. Every source that the
// router's state or the record names is in one of five classes:
//
//	x, y    in the state only: with a running timer, or with timer zero (only in
//	        EXCLUDE mode)
//	r       in the record only
//	xr, yr  in both
//
// so the set expressions of the RFCs' tables come down to a deed for each class.
type deed uint8

const (
	keep   deed = iota // leave it as it is; what is not in the state stays out
	drop               // delete it
	renew              // timer = group membership interval
	block              // timer = 0
	follow             // timer = group timer, as it was before the record
)

// ask, added to a deed, puts the source into the set that is queried.
const ask deed = 8

// A rule is a row of the tables.
type rule struct {
	next group.FilterMode // the new router state

	x, y, r, xr, yr deed

	renewGroup bool // Group Timer = GMI
	askGroup   bool // Send Q(G)
}

// rules has the row for a router filter mode and a record type.
type rules [2][Block + 1]rule

// fullRules are the tables of RFC 3376 sections 6.4.1 and 6.4.2; those of RFC 3810
// sections 7.4.1 and 7.4.2 are the same in other words.
var fullRules = rules{
	group.Include: {
		// INCLUDE (A+B); (B)=GMI
		IsIn:  {next: group.Include, r: renew, xr: renew},
		Allow: {next: group.Include, r: renew, xr: renew},
		// EXCLUDE (A*B,B-A); (B-A)=0, Delete (A-B), Group Timer=GMI
		IsEx: {next: group.Exclude, x: drop, r: block, xr: keep, renewGroup: true},
		// INCLUDE (A); Send Q(G,A*B)
		Block: {next: group.Include, r: keep, xr: keep | ask},
		// EXCLUDE (A*B,B-A); (B-A)=0, Delete (A-B), Send Q(G,A*B), Group Timer=GMI
		ToEx: {next: group.Exclude, x: drop, r: block, xr: keep | ask, renewGroup: true},
		// INCLUDE (A+B); (B)=GMI, Send Q(G,A-B)
		ToIn: {next: group.Include, x: keep | ask, r: renew, xr: renew},
	},
	group.Exclude: {
		// EXCLUDE (X+A,Y-A); (A)=GMI
		IsIn:  {next: group.Exclude, r: renew, xr: renew, yr: renew},
		Allow: {next: group.Exclude, r: renew, xr: renew, yr: renew},
		// EXCLUDE (A-Y,Y*A); (A-X-Y)=GMI, Delete (X-A), Delete (Y-A), Group Timer=GMI
		IsEx: {next: group.Exclude, x: drop, y: drop, r: renew, xr: keep, yr: keep, renewGroup: true},
		// EXCLUDE (X+(A-Y),Y); (A-X-Y)=Group Timer, Send Q(G,A-Y)
		Block: {next: group.Exclude, r: follow | ask, xr: keep | ask, yr: keep},
		// EXCLUDE (A-Y,Y*A); (A-X-Y)=Group Timer, Delete (X-A), Delete (Y-A),
		// Send Q(G,A-Y), Group Timer=GMI
		ToEx: {next: group.Exclude, x: drop, y: drop, r: follow | ask, xr: keep | ask, yr: keep, renewGroup: true},
		// EXCLUDE (X+A,Y-A); (A)=GMI, Send Q(G,X-A), Send Q(G)
		ToIn: {next: group.Exclude, x: keep | ask, r: renew, xr: renew, yr: renew, askGroup: true},
	},
}

// lightRules are the tables of RFC 5790 sections 5.3 and 5.4. There EXCLUDE mode is
// a group timer that runs, and excludes nothing; source lists of IS_EX and TO_EX are
// emptied before (section 6.1.2).
var lightRules = rules{
	group.Include: {
		IsIn:  {next: group.Include, r: renew, xr: renew},
		Allow: {next: group.Include, r: renew, xr: renew},
		IsEx:  {next: group.Exclude, renewGroup: true},
		ToEx:  {next: group.Exclude, renewGroup: true},
		Block: {next: group.Include, xr: keep | ask},
		ToIn:  {next: group.Include, x: keep | ask, r: renew, xr: renew},
	},
	group.Exclude: {
		IsIn:  {next: group.Exclude, r: renew, xr: renew},
		Allow: {next: group.Exclude, r: renew, xr: renew},
		IsEx:  {next: group.Exclude, renewGroup: true},
		ToEx:  {next: group.Exclude, renewGroup: true},
		Block: {next: group.Exclude, xr: keep | ask},
		ToIn:  {next: group.Exclude, x: keep | ask, r: renew, xr: renew, askGroup: true},
	},
}
