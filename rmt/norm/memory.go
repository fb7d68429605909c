package norm

// A memory is the content of an object in memory, as its blocks come in, in any order.
// Whatever size was announced, for anybody can announce anything: it takes four times what
// arrived, or two pages for a block where that is more.
type memory struct {
	size  int64
	here  int64            // bytes that arrived
	data  []byte           // from the beginning, in whole pages
	apart map[int64][]byte // pages beyond data in which something is, by number
}

// memoryPage is the least piece that memory is taken in, in bytes.
const memoryPage = 4 << 10

func newMemory(size int64) *memory { return &memory{size: size, data: []byte{}} }

// write stores a block of which so many bytes were not here before.
func (m *memory) write(block []byte, off, fresh int64) {
	m.here += fresh
	if end := off + int64(len(block)); end <= 2*m.here {
		m.reach(end)
	}
	if n := int64(len(m.data)); off < n {
		block = block[copy(m.data[off:], block):]
		off = n
	}
	for len(block) > 0 {
		n := copy(m.page(off / memoryPage)[off%memoryPage:], block)
		block = block[n:]
		off += int64(n)
	}
}

func (m *memory) page(i int64) []byte {
	p := m.apart[i]
	if p == nil {
		if m.apart == nil {
			m.apart = make(map[int64][]byte)
		}
		p = make([]byte, memoryPage)
		m.apart[i] = p
	}
	return p
}

// reach brings what there is up to end into one piece. To what it holds that adds as much at
// least, so that all copies together are no more than the object twice.
func (m *memory) reach(end int64) {
	n := int64(len(m.data))
	if end <= n {
		return
	}
	end = max(end, 2*n)
	end += -end & (memoryPage - 1)
	data := make([]byte, min(end, m.size))
	copy(data, m.data)
	m.data = data
	for i, p := range m.apart {
		if at := i * memoryPage; at < int64(len(data)) {
			copy(data[at:], p)
			delete(m.apart, i)
		}
	}
}
