package norm

import "net/netip"

const (
	// fairLimit is how much a fairQueue holds, in bytes, and fairItem what each item
	// counts beside what it holds.
	fairLimit = 1 << 20
	fairItem  = 4 << 10
)

// A fairQueue is what hosts have sent and nobody has taken yet, oldest first. When it is
// full, the oldest of the host that has most in it gives way: a flood drives out only
// itself.
type fairQueue[T any] struct {
	items  []fair[T]
	weight int
	hosts  map[netip.Addr]int // weight of what each has in it
}

type fair[T any] struct {
	host   netip.Addr
	weight int
	value  T
}

// push adds what a host has sent, of so many bytes. It returns how many gave way.
func (q *fairQueue[T]) push(host netip.Addr, size int, v T) (gone uint64) {
	if q.hosts == nil {
		q.hosts = make(map[netip.Addr]int)
	}
	w := size + fairItem
	q.items = append(q.items, fair[T]{host, w, v})
	q.weight += w
	q.hosts[host] += w
	for q.weight > fairLimit {
		greedy := host
		for h, n := range q.hosts {
			if n > q.hosts[greedy] {
				greedy = h
			}
		}
		for i := range q.items {
			if q.items[i].host == greedy {
				q.remove(i)
				gone++
				break
			}
		}
	}
	return gone
}

func (q *fairQueue[T]) pop() (v T, ok bool) {
	if len(q.items) == 0 {
		return v, false
	}
	v = q.items[0].value
	q.remove(0)
	return v, true
}

func (q *fairQueue[T]) remove(i int) {
	x := q.items[i]
	q.weight -= x.weight
	if q.hosts[x.host] -= x.weight; q.hosts[x.host] == 0 {
		delete(q.hosts, x.host)
	}
	copy(q.items[i:], q.items[i+1:])
	q.items[len(q.items)-1] = fair[T]{}
	q.items = q.items[:len(q.items)-1]
}
