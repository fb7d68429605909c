package pace_test

import (
	"fmt"
	"time"

	"github.com/gomulticast/multicast/internal/pace"
)

func ExampleBucket() {
	var b pace.Bucket
	b.SetRate(8_000_000, 0) // a byte takes a microsecond
	now := time.Unix(0, 0)
	for b.Ready(now) {
		b.Take(now, 1000)
		fmt.Println("sent 1000 bytes")
	}
	fmt.Println("next worth a try in", b.Next().Sub(now))
	// Output:
	// sent 1000 bytes
	// sent 1000 bytes
	// sent 1000 bytes
	// sent 1000 bytes
	// sent 1000 bytes
	// next worth a try in 3ms
}
