package main

import (
	"errors"
	"strings"
	"testing"
)

func TestParseRate(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want int64 // 0: a mistake
	}{
		{"max", -1}, {"100M", 100e6}, {"100m", 100e6}, {"2.5G", 2.5e9}, {"64k", 64e3}, {"64K", 64e3}, {"1g", 1e9},
		{"1000000", 1e6}, {"8k", 8000}, {"8000", 8000}, {"0.008M", 8000}, {"1000G", 1e12}, {"0.5M", 500e3}, {"1e6", 1e6},
		{"", 0}, {"0", 0}, {"-1", 0}, {"-5M", 0}, {"999", 0}, {"7999", 0}, {"0.9k", 0}, {"7.9k", 0}, {"0.0079M", 0}, {"1e-9", 0}, {"M", 0}, {"fast", 0}, {"10T", 0},
		{"1001G", 0}, {"NaN", 0}, {"Inf", 0}, {"NaNM", 0}, {"100 M", 0}, {"MAX", 0}, {"100Mbit", 0},
	} {
		got, err := parseRate(tt.in, 1000)
		if got != tt.want || mistake(err) != (tt.want == 0) {
			t.Errorf("parseRate(%q) = %d, %v; want %d", tt.in, got, err, tt.want)
		}
	}
}

// A rate at which nothing would come of it is told with what was meant.
func TestSlowRate(t *testing.T) {
	for _, tt := range []struct {
		in     string
		packet int
		want   string // in the error; empty: none
	}{
		{"1200", 1460, "--rate 1200 is 1200 bits per second, less than one packet of 1460 bytes a second; say 1200M for megabits, 1200k for kilobits"},
		{"10", 1460, "is 10 bits per second, less than one packet of 1460 bytes a second; say 10M for megabits"},
		{"1k", 1460, "is 1000 bits per second, less than one packet of 1460 bytes a second; say 1M for megabits"},
		{"0.01M", 1460, "give at least 11.7k"},
		{"0.001", 1460, "give at least 11.7k"},
		{"11.7k", 1460, ""}, {"1200", 60, ""}, {"9600", fullPacket(200), ""},
	} {
		_, err := parseRate(tt.in, tt.packet)
		if tt.want == "" && err != nil || tt.want != "" && (!mistake(err) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("parseRate(%q, %d): %v, want %q", tt.in, tt.packet, err, tt.want)
		}
	}
}

func TestParseFEC(t *testing.T) {
	for _, tt := range []struct {
		in            string
		block, parity int // block 0: a mistake
	}{
		{"rs:64/16", 64, 16}, {"rs:1/0", 1, -1}, {"rs:255/0", 255, -1}, {"rs:239/16", 239, 16}, {"rs:1/254", 1, 254}, {"rs:240/16", 240, 16}, {"rs:1000/100", 1000, 100}, {"none", 64, -1},
		{"", 0, 0}, {"64/16", 0, 0}, {"rs:64", 0, 0}, {"rs:/", 0, 0}, {"rs:0/16", 0, 0}, {"rs:64/-1", 0, 0},
		{"rs:64/16/3", 0, 0}, {"raptor:64/16", 0, 0}, {"rs:6e1/16", 0, 0},
	} {
		block, parity, err := parseFEC(tt.in)
		if block != tt.block || parity != tt.parity || mistake(err) != (tt.block == 0) {
			t.Errorf("parseFEC(%q) = %d, %d, %v; want %d, %d", tt.in, block, parity, err, tt.block, tt.parity)
		}
	}
}

func TestParseWait(t *testing.T) {
	for _, tt := range []struct {
		in string
		ok bool
	}{
		{"", true}, {"1", true}, {"100000", true}, {"11,12", true}, {"11,", true}, {"4294967294,", true},
		{"0", false}, {"-1", false}, {"100001", false}, {"x", false}, {"1.5", false}, {",", false}, {"11,x", false}, {"0,11", false},
		{"4294967295,", false}, {"4294967296,", false}, {"11,,12", false}, {"11, 12", false},
	} {
		opts, err := parseWait(tt.in)
		if mistake(err) == tt.ok || tt.ok && len(opts) != min(len(tt.in), 1) {
			t.Errorf("parseWait(%q) = %d options, %v", tt.in, len(opts), err)
		}
	}
}

// mistake reports whether err is a usage error, as it must be if it is one at all.
func mistake(err error) bool {
	var usage usageError
	return errors.As(err, &usage)
}
