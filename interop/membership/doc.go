// Package membership tests the IGMP and MLD engines against others: the kernel's hosts,
// the kernel's snooping bridge and its querier, FRR's pimd, and tshark as a reader of
// all that the engines send. It works in network namespaces, which need root.
package membership
