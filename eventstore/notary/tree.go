package notary

import (
	"crypto/sha256"

	"golang.org/x/mod/sumdb/tlog"
)

// An edge is the right edge of the tree: at each level the hashes of the tile that
// isn't full yet. It is all that is needed to go on, and to say the root.
type edge struct {
	size   uint64
	levels [][]tlog.Hash // each has fewer than tileWidth
}

// A grown is a tile that an append made longer, or full.
type grown struct {
	level  int
	n      uint64
	hashes []tlog.Hash
}

// add appends a leaf; full is called for each tile that it makes full, from level 0
// up.
func (e *edge) add(leaf tlog.Hash, full func(grown)) {
	n := e.size / tileWidth // of the tile at level 0
	e.size++
	for level, h := 0, leaf; ; level++ {
		if level == len(e.levels) {
			e.levels = append(e.levels, nil)
		}
		e.levels[level] = append(e.levels[level], h)
		if len(e.levels[level]) < tileWidth {
			return
		}
		full(grown{level, n, e.levels[level]})
		h = subtree(e.levels[level])
		e.levels[level] = nil
		n /= tileWidth
	}
}

// partial are the tiles at the edge that aren't full, none of them empty.
func (e *edge) partial() (tiles []grown) {
	n := e.size
	for level, hashes := range e.levels {
		if n /= tileWidth; len(hashes) > 0 {
			tiles = append(tiles, grown{level, n, hashes})
		}
	}
	return tiles
}

// has says whether a partial tile was at this edge already, as long as it is now.
func (e *edge) has(g grown) bool {
	n := e.size / tileWidth
	for range g.level {
		n /= tileWidth
	}
	return n == g.n && g.level < len(e.levels) && len(e.levels[g.level]) == len(g.hashes)
}

// root is the tree's hash (RFC 6962, section 2.1). A subtree that isn't full stands
// behind the full ones of the level above as one of them: the same splits.
func (e *edge) root() tlog.Hash {
	var rest []tlog.Hash // the one subtree that isn't full, if there is one
	for _, hashes := range e.levels {
		all := append(hashes[:len(hashes):len(hashes)], rest...)
		if len(all) > 0 {
			rest = []tlog.Hash{subtree(all)}
		}
	}
	if rest == nil {
		return sha256.Sum256(nil)
	}
	return rest[0]
}

// subtree is the hash of a tree over these, of which there is at least one.
func subtree(hashes []tlog.Hash) tlog.Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	k := 1
	for 2*k < len(hashes) {
		k *= 2
	}
	return tlog.NodeHash(subtree(hashes[:k]), subtree(hashes[k:]))
}

// clone is an edge that goes on by itself.
func (e *edge) clone() *edge {
	c := &edge{size: e.size, levels: make([][]tlog.Hash, len(e.levels))}
	for i, hashes := range e.levels {
		c.levels[i] = append([]tlog.Hash(nil), hashes...)
	}
	return c
}
