//go:build linux

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A soakLedger holds what was sent against what became of it at each receiver.
type soakLedger struct {
	files []soakEntry // by number
	first uint16      // the ID of file 0
	lives map[string]*soakLife

	done, failed, unacked  uint64
	messages, gaps, gapped uint64 // of streams: received; LostErrors and the bytes they tell of
	ends                   map[string]uint64
	reasons                map[string]uint64 // of what failed, and of transfers that ended without confirmation
	faults                 []string          // what must not be
	told                   func(fault string)
	early                  []soakEvent // heard before their file was
}

type soakEntry struct {
	sum string
	at  time.Time
}

// A soakLife is one receiver from its first to its last word.
type soakLife struct {
	born     time.Time
	settled  map[uint64]bool // files that came, or of which it was said that they will not
	top      uint64          // the highest of them
	inFlight map[uint64]bool // begun when it left
}

func newSoakLedger() *soakLedger {
	return &soakLedger{lives: map[string]*soakLife{}, ends: map[string]uint64{}, reasons: map[string]uint64{}}
}

func (l *soakLedger) fault(format string, args ...any) {
	l.faults = append(l.faults, fmt.Sprintf(format, args...))
	if l.told != nil {
		l.told(l.faults[len(l.faults)-1])
	}
}

// enter takes what a process said.
func (l *soakLedger) enter(now time.Time, e *soakEvent) {
	life := l.lives[e.Who]
	switch e.Event {
	case soakFile:
		l.files = append(l.files, soakEntry{sum: e.Sum, at: now})
		if uint64(len(l.files)) != e.File+1 {
			l.fault("file %d was sent behind %d others", e.File, len(l.files)-1)
		}
	case soakSent:
		if e.File == 0 {
			l.first = e.ID
		}
		if e.ID != l.first+uint16(e.File) {
			l.fault("file %d has ID %d; that of the first was %d", e.File, e.ID, l.first)
		}
	case soakUnacked:
		l.unacked++
		_, reason, _ := strings.Cut(e.Reason, ": object ")
		_, reason, _ = strings.Cut(reason, ": ")
		l.reasons["transfer: "+reason]++
	case soakReady:
		l.lives[e.Who] = &soakLife{born: now, settled: map[uint64]bool{}, inFlight: map[uint64]bool{}}
	case soakMessages:
		l.messages += e.Count
	case soakGap:
		l.gaps++
		l.gapped += e.Count
	case soakEnd:
		l.ends[e.Reason]++
	case soakWrong:
		l.fault("%s: %s", e.Who, e.Reason)
	case soakDone, soakFailed, soakPending:
		if life == nil {
			l.fault("%s says %s without having begun", e.Who, e.Event)
		} else {
			l.settle(life, e)
		}
	case soakLeft:
		if life != nil {
			l.again(now)
			l.bury(e.Who, life.born.Add(time.Second), now.Add(-5*time.Second))
		}
	}
}

func (l *soakLedger) settle(life *soakLife, e *soakEvent) {
	switch e.Event {
	case soakDone:
		if e.File >= uint64(len(l.files)) { // the sender's line is on its way
			l.early = append(l.early, *e)
			break
		}
		l.done++
		if want := l.files[e.File].sum; e.Sum != want {
			l.fault("%s: file %d has SHA-256 %s, want %s", e.Who, e.File, e.Sum, want)
		}
		if life.settled[e.File] {
			l.fault("%s: file %d came twice", e.Who, e.File)
		}
		life.settled[e.File] = true
		life.top = max(life.top, e.File)
	case soakFailed:
		l.failed++
		l.reasons["object: "+e.Reason]++
		life.settled[l.number(life.top, e.ID)] = true
	case soakPending:
		life.inFlight[e.File] = true
	}
}

// number returns the file that an ID means: of those with it, the one nearest to top.
func (l *soakLedger) number(top uint64, id uint16) uint64 {
	n := int64(top) + int64(int16(id-(l.first+uint16(top))))
	return uint64(max(n, 0))
}

// again takes what came too early.
func (l *soakLedger) again(now time.Time) {
	early := l.early
	l.early = nil
	for i := range early {
		l.enter(now, &early[i])
	}
}

// bury ends a life: of the files that were sent from one time to another each must have
// come, have been said to be lost or, for one that left, have been under way.
func (l *soakLedger) bury(who string, from, to time.Time) {
	life := l.lives[who]
	if life == nil {
		return
	}
	delete(l.lives, who)
	missing := 0
	example := uint64(0)
	for n := range uint64(len(l.files)) {
		if at := l.files[n].at; at.After(from) && at.Before(to) && !life.settled[n] && !life.inFlight[n] {
			missing, example = missing+1, n
		}
	}
	if missing > 0 {
		l.fault("%s: %d files neither came nor were said to be lost, the last of them %d", who, missing, example)
	}
}

// lose ends the life of a receiver that was killed, and of those in its process.
func (l *soakLedger) lose(who string) {
	maps.DeleteFunc(l.lives, func(name string, _ *soakLife) bool { return name == who || strings.HasPrefix(name, who+".") })
}

// why lists reasons with their numbers.
func (l *soakLedger) why() string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(l.reasons)) {
		parts = append(parts, fmt.Sprintf("%d %s", l.reasons[reason], reason))
	}
	return strings.Join(parts, ", ")
}
