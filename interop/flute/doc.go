// Package flute tests FLUTE and what it stands on, LCT, ALC and the FDT, against others:
// tshark as a reader of all that is sent.
package flute
