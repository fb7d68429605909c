package ldpc

import (
	"slices"
	"testing"

	"github.com/gomulticast/multicast/rmt/fec"
)

// TestGroups: the packets of several symbols hold every symbol, a receiver finds the
// same symbols in them as the sender, and the order of repair symbols is that of the
// RFC's function.
func TestGroups(t *testing.T) {
	o := fec.OTI{EncodingID: fec.LDPCTriangle, TransferLength: 100, SymbolSize: 1, MaxBlockLen: 100, Parity: 60, Seed: 3, G: 7}
	e, err := newEncoder(&o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Load(0, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	d, err := newDecoder(&o, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := fec.AppendGroup(nil, d, 0, 7); got != nil {
		t.Errorf("no block, but a group: %d", got)
	}
	if err := d.Start(0, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}

	// initialize_tables of RFC 5170 section 5.6, step by step, on a matrix's generator.
	m, err := newMatrix(100, 160, 3, 3, true)
	if err != nil {
		t.Fatal(err)
	}
	idToTx, txToID := make([]int, 60), make([]int, 60)
	for i := range 60 {
		idToTx[i], txToID[i] = i, i
	}
	for i := range 60 {
		r := m.random.below(60)
		backup := idToTx[i]
		idToTx[i] = idToTx[r]
		idToTx[r] = backup
		txToID[idToTx[i]] = i
		txToID[idToTx[r]] = r
	}

	seen := make([]int, 160)
	sources := 15 // packets of seven for 100 symbols
	for packet := range sources + 9 {
		first := e.(fec.Grouper).FirstESI(packet)
		if got := d.(fec.Grouper).FirstESI(packet); got != first {
			t.Errorf("packet %d: first symbol %d, for the decoder %d", packet, first, got)
		}
		group := fec.AppendGroup(nil, e, first, 7)
		if got := fec.AppendGroup(nil, d, first, 7); !slices.Equal(got, group) {
			t.Errorf("packet %d: %d, for the decoder %d", packet, group, got)
		}
		for i, esi := range group {
			want := (packet*7 + i) % 100
			if packet >= sources {
				want = 100 + txToID[((packet-sources)*7+i)%60]
			}
			if int(esi) != want {
				t.Fatalf("packet %d, symbol %d: %d, want %d", packet, i, esi, want)
			}
			seen[esi]++
		}
	}
	for esi, n := range seen {
		if n == 0 {
			t.Errorf("symbol %d is in no packet", esi)
		}
	}
	if got := fec.AppendGroup(nil, d, 160, 7); got != nil {
		t.Errorf("symbol 160 of 160 has a group: %d", got)
	}
	if got := fec.AppendGroup(nil, nil, 160, 3); !slices.Equal(got, []uint32{160, 161, 162}) {
		t.Errorf("another code's group: %d", got)
	}
}
