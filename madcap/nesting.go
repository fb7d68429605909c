package madcap

// Nesting is the data of a Multicast Scope Nesting State option (RFC 2907): which of
// the scopes in the message's list nest inside which. It views the message.
type Nesting struct {
	n    int // scopes
	data []byte
}

// NewNesting encodes for n scopes, 255 at most, what inside tells: whether scope x nests
// inside scope y, both by their place in the scope list. It is not asked for x == y.
func NewNesting(n int, inside func(x, y int) bool) Nesting {
	n = min(n, 255)
	t := Nesting{n: n, data: make([]byte, 1+n*rowSize(n))}
	t.data[0] = byte(n)
	for x := range n {
		for y := range n {
			if x != y && inside(x, y) {
				at, bit := t.place(x, y)
				t.data[at] |= bit
			}
		}
	}
	return t
}

// rowSize is the bytes of a row: a bit for each scope but the row's own.
func rowSize(n int) int { return (n - 1 + 7) / 8 }

// place returns where the bit of X/Y is: the diagonal is left out (figure 4).
func (t Nesting) place(x, y int) (at int, bit byte) {
	if y > x {
		y--
	}
	return 1 + x*rowSize(t.n) + y/8, 0x80 >> (y % 8)
}

func (t Nesting) fits() bool {
	return t.n > 0 && len(t.data) == 1+t.n*rowSize(t.n) && int(t.data[0]) == t.n
}

// Len returns the number of scopes; 0 when the option is missing or does not fit the
// scope list.
func (t Nesting) Len() int { return t.n }

// Inside reports whether scope x nests inside scope y, by their places in the scope
// list. Both inside each other have the same border. What is not known is false.
func (t Nesting) Inside(x, y int) bool {
	if x < 0 || y < 0 || x >= t.n || y >= t.n || x == y {
		return false
	}
	at, bit := t.place(x, y)
	return t.data[at]&bit != 0
}
