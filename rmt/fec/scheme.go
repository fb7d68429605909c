package fec

import (
	"fmt"
	"sync"
)

// A Code makes and uses the parity of source blocks of one length. It may hold
// scratch space: it is not for concurrent use.
type Code interface {
	// Encode writes parity symbol j, 0 for the block's first, to dst. src
	// holds the block's source symbols; a symbol shorter than dst counts as
	// padded with zeros. dst does not overlap src.
	Encode(dst []byte, src [][]byte, j int)

	// Decode recovers source symbols. src holds the block's source symbols,
	// each as long as a parity symbol; the entries of src named by missing
	// are buffers to be overwritten. parity[i] is the received parity symbol
	// number index[i]; there are at least as many as missing ones, all
	// different, and their contents are destroyed.
	Decode(src [][]byte, missing []int, parity [][]byte, index []int) error
}

// A Scheme is one entry of the registry: how a FEC Encoding ID makes its codes.
type Scheme struct {
	ID   EncodingID
	Name string

	// NewCode returns the code for blocks of k source symbols of an object
	// described by o; k is at most o.MaxBlockLen. It is nil for schemes that only
	// work block by block, by NewEncoder and NewDecoder.
	NewCode func(o *OTI, k int) (Code, error)

	// NewEncoder returns an encoder for the blocks of an object described by o.
	NewEncoder func(o *OTI) (BlockEncoder, error)

	// NewDecoder returns a decoder for the blocks of an object described by o.
	// It fails with ErrMemory when Memory says more than limit bytes: 0 is
	// DefaultMemory, negative no limit.
	NewDecoder func(o *OTI, limit int64) (BlockDecoder, error)

	// Memory returns about how many bytes a decoder for o takes beside the
	// block: see [DecoderMemory].
	Memory func(o *OTI) int64
}

// AppendFTI appends the content of the scheme's EXT_FTI: see the function
// [AppendFTI], which needs no registry. o's encoding ID must be the scheme's.
func (s Scheme) AppendFTI(dst []byte, o *OTI) ([]byte, error) {
	if o.EncodingID != s.ID {
		return dst, fmt.Errorf("%w: %v is not %v", ErrFTI, o.EncodingID, s.ID)
	}
	return AppendFTI(dst, o)
}

// ParseFTI reads the content of the scheme's EXT_FTI: see the function [ParseFTI].
func (s Scheme) ParseFTI(b []byte) (OTI, error) { return ParseFTI(s.ID, b) }

var registry struct {
	sync.RWMutex
	schemes map[EncodingID]Scheme
}

// Register makes a scheme known under its ID; a later one replaces it. Packages
// of schemes call it from init.
func Register(s Scheme) {
	registry.Lock()
	defer registry.Unlock()
	if registry.schemes == nil {
		registry.schemes = make(map[EncodingID]Scheme)
	}
	registry.schemes[s.ID] = s
}

// Lookup returns the scheme registered for id, or ErrUnknownScheme.
func Lookup(id EncodingID) (Scheme, error) {
	registry.RLock()
	defer registry.RUnlock()
	s, ok := registry.schemes[id]
	if !ok {
		return Scheme{}, fmt.Errorf("%w: %v", ErrUnknownScheme, id)
	}
	return s, nil
}
