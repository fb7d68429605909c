package examples

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Where no server answers a source-specific group of the host itself is sent to.
func TestAlloc(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, build(t, "alloc"), "-iface", loopback(t), "-patience", "1s", "-count", "1").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "sending to ") {
		t.Errorf("%v\n%s", err, out)
	}
}
