// Package disk asks the operating system what the standard library does not tell: how
// much room a file system has, and whether another process uses a file.
package disk

import "os"

// Free returns how many bytes an unprivileged user may still write to the file system
// of dir. It returns false where the system does not say.
func Free(dir string) (int64, bool) { return free(dir) }

// Lock takes f for this process until f is closed or the process ends, however it
// ends. It returns false at once if somebody else has it or the file system cannot say.
func Lock(f *os.File) bool { return lock(f) }
