// Package fdt is the codec of FLUTE's File Delivery Table: FDT Instances in XML, of
// version 2 (RFC 6726 section 3.4.2), version 1 (RFC 3926), and with the additions of
// 3GPP's MBMS (TS 26.346 section 7.2.10).
//
// [Parse] reads an instance that may come from anyone: it takes no document types and
// no entities but those of XML itself, and holds to the [Limits] it is given. It reads
// every namespace that senders are known to use, and none, and skips elements and
// attributes it does not know. What an instance says for all its files is filled in
// where a File does not say it, attribute by attribute.
//
// [Instance.Append] writes an instance as a [Profile] wants it. [File.Path] turns a
// Content-Location into a file name that cannot leave its directory.
//
// Everything here is a pure function over values: no clock, no I/O.
package fdt
