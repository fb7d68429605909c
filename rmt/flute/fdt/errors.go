package fdt

import "errors"

// Errors of Parse, Append, File.OTI and Path.
var (
	// ErrSyntax: not XML in UTF-8, or with a document type.
	ErrSyntax = errors.New("fdt: not an XML document without document type")

	// ErrRoot: the root element is not FDT-Instance.
	ErrRoot = errors.New("fdt: root element is not FDT-Instance")

	// ErrLimit: more than Limits allow.
	ErrLimit = errors.New("fdt: over a limit")

	// ErrAttribute: an attribute or element that is missing, twice there, or
	// whose value cannot be read.
	ErrAttribute = errors.New("fdt: bad attribute")

	// ErrOTI: the FEC Object Transmission Information is not complete, or out of
	// range.
	ErrOTI = errors.New("fdt: bad FEC object transmission information")

	// ErrProfile: something that the profile cannot say.
	ErrProfile = errors.New("fdt: not possible in this profile")

	// ErrPath: a Content-Location that is no safe file name.
	ErrPath = errors.New("fdt: Content-Location is no safe file name")
)
