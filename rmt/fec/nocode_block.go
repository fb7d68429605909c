package fec

// noCodeEncoder is the BlockEncoder of Compact No-Code: the block's own bytes.
type noCodeEncoder struct {
	part  Partition
	block []byte
	k     int
}

func newNoCodeEncoder(o *OTI) (BlockEncoder, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	p, err := o.Partition()
	return &noCodeEncoder{part: p}, err
}

func (e *noCodeEncoder) Load(sbn uint32, block []byte) (err error) {
	e.block = block
	e.k, err = e.part.CheckLoad(sbn, len(block))
	return err
}

func (e *noCodeEncoder) Symbol(dst []byte, esi uint32) int {
	if uint64(esi) >= uint64(e.k) {
		panicSymbol(esi, e.k)
	}
	size := e.part.SymbolSize()
	s := e.block[int(esi)*size : min((int(esi)+1)*size, len(e.block))]
	return copy(dst[:len(s)], s)
}

func (e *noCodeEncoder) MaxESI() uint32 { return uint32(e.k) }

// noCodeDecoder is the BlockDecoder of Compact No-Code: it waits for every symbol.
type noCodeDecoder struct {
	part  Partition
	have  []uint64 // a bit for each symbol at hand
	block []byte
	sbn   uint32
	k     int
	n     int // symbols at hand
}

func newNoCodeDecoder(o *OTI, limit int64) (BlockDecoder, error) {
	if err := CheckMemory(noCodeMemory(o), limit); err != nil {
		return nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	p, err := o.Partition()
	if err != nil {
		return nil, err
	}
	return &noCodeDecoder{part: p}, nil
}

// noCodeMemory is that of the bits, and it allows for the rest.
func noCodeMemory(o *OTI) int64 {
	p, err := o.Partition()
	if err != nil {
		return 0
	}
	return int64(min(p.large, 1<<16))/8 + 256
}

func (d *noCodeDecoder) Sibling() BlockDecoder { return &noCodeDecoder{part: d.part} }

func (d *noCodeDecoder) Start(sbn uint32, block []byte) (err error) {
	d.block, d.sbn, d.n = block, sbn, 0
	if d.k, err = d.part.CheckStart(sbn, len(block)); err != nil {
		return err
	}
	d.have = startBits(d.have, d.k)
	return nil
}

func (d *noCodeDecoder) Add(esi uint32, symbol []byte) (bool, error) {
	if uint64(esi) >= uint64(d.k) || !d.part.FitsSymbol(d.sbn, esi, len(symbol)) {
		return d.solvable(), ErrBadSymbol
	}
	if bit := uint64(1) << (esi & 63); d.have[esi>>6]&bit == 0 {
		d.have[esi>>6] |= bit
		d.n++
		putSymbol(d.block, int(esi), d.part.SymbolSize(), symbol)
	}
	return d.solvable(), nil
}

func (d *noCodeDecoder) solvable() bool { return d.k > 0 && d.n == d.k }

func (d *noCodeDecoder) Solve() error {
	if !d.solvable() {
		return ErrNeedMore
	}
	return nil
}

func (d *noCodeDecoder) Missing() int { return d.k - d.n }

// startBits returns n bits 0, in the memory of b if it suffices.
func startBits(b []uint64, n int) []uint64 {
	n = (n + 63) / 64
	if cap(b) < n {
		return make([]uint64, n)
	}
	b = b[:n]
	clear(b)
	return b
}

// putSymbol copies a symbol to its place in the block, padded with zeros.
func putSymbol(block []byte, i, size int, symbol []byte) {
	dst := block[i*size:][:size]
	clear(dst[copy(dst, symbol):])
}
