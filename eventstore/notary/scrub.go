package notary

import (
	"fmt"
	"strconv"
)

// CheckBundle reads a bundle of the archive, and the tile of its leaves, against the
// tree: the error is a *Damage where they are not what was recorded. It says which
// messages the bundle has; none where no checkpoint has any of it yet.
func (n *Notary) CheckBundle(bundle uint64) (first, count uint64, err error) {
	e := n.current().edge
	if bundle*tileWidth >= e.size {
		return 0, 0, nil
	}
	first, count = bundle*tileWidth+1, min(tileWidth, e.size-bundle*tileWidth)
	leaves, err := n.tiles.tile(0, bundle, int(count))
	if err != nil {
		return first, count, err
	}
	for i := range leaves {
		want, err := n.tiles.hash(e, 0, first-1+uint64(i))
		if err != nil {
			return first, count, err
		}
		if leaves[i] != want {
			return first, count, damaged(n.tiles.path(tilePath(0, bundle, int(count))),
				fmt.Sprintf("its hash of event %s is not the one that was recorded", strconv.FormatUint(first+uint64(i), 10)))
		}
	}
	_, err = n.tiles.bundle(new([]byte), bundle, leaves)
	return first, count, err
}
