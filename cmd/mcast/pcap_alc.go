package main

import (
	"fmt"
	"strconv"
	"strings"
)

// A portList is the ports of a flag that may be given several times.
type portList []uint16

// Set adds the ports in s, which commas divide.
func (l *portList) Set(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.ParseUint(strings.TrimSpace(part), 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("%q is no port: want 1 to 65535", part)
		}
		*l = append(*l, uint16(n))
	}
	return nil
}

func (l *portList) String() string {
	text := make([]string, len(*l))
	for i, n := range *l {
		text[i] = strconv.Itoa(int(n))
	}
	return strings.Join(text, ",")
}

// Type is the name of the value in the help.
func (l *portList) Type() string { return "port" }
