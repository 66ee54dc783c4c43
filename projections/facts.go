package projections

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/qtccc/assent/domain"
)

// now is after every event.
const now = domain.Seq(math.MaxUint64)

// A view is the facts of a store after event n. What it can't read it doesn't
// answer: an absent fact may be the bar that isn't seen. It panics with a *broken,
// of which Guard makes an error.
type view struct {
	of used
	n  domain.Seq
}

// used is what has a generation: a store, or one that is being built.
type used interface {
	use() (*generation, error)
	broken(error) error
}

// Live is the view of all that is applied so far, as it grows. Facts that are being
// applied at this moment may be seen as they were or as they are, each by itself;
// what must not change while it is looked at asks At.
//
// A view that can't read answers nothing: it panics, and Guard makes an error of
// it.
func (s *Store) Live() domain.View { return view{s, now} }

// At is the view after event n, for ever the same once n is applied. It panics as
// Live does.
func (s *Store) At(n domain.Seq) domain.View { return view{s, n} }

func (v view) Get(k domain.Key) (domain.Known, bool) {
	g, err := v.of.use()
	if err != nil {
		panic(&broken{err})
	}
	defer g.leave()
	known, ok, err := g.get(k, v.n)
	if err != nil {
		panic(&broken{v.of.broken(err)})
	}
	return known.Known, ok
}

func (v view) List(kind domain.Kind, a, b string) iter.Seq2[domain.Key, domain.Known] {
	return func(yield func(domain.Key, domain.Known) bool) {
		all, err := v.all(kind, a, b)
		if err != nil {
			panic(&broken{err})
		}
		for _, l := range all {
			if !yield(l.key, l.Known) {
				return
			}
		}
	}
}

// listed is a fact in a list.
type listed struct {
	key domain.Key
	version
}

// all is the whole list, since the order isn't that of the keys; nothing stays open
// while its facts are looked at.
func (v view) all(kind domain.Kind, a, b string) ([]listed, error) {
	g, err := v.of.use()
	if err != nil {
		return nil, err
	}
	defer g.leave()
	var all []listed
	err = g.scan(v.n, appendList(nil, kind, a, b), nil, func(l listed) bool {
		all = append(all, l)
		return true
	})
	if err != nil {
		return nil, v.of.broken(err)
	}
	slices.SortFunc(all, func(x, y listed) int {
		return cmp.Or(cmp.Compare(x.First, y.First), cmp.Compare(x.ord, y.ord))
	})
	return all, nil
}

// A Found is one fact of a Scan.
type Found struct {
	Key   domain.Key
	Known domain.Known
}

// Scan is a page of the facts of one kind as they stood after event n, in the order
// of their keys (A, then B, then C, bytewise; the questions turn pages by it), at
// most limit of them, beginning after the key `after` (the zero Key: from the
// start). With a, those of that A; with b too, of that A and B; with neither, all of
// the kind. More says whether others follow.
func (s *Store) Scan(n domain.Seq, kind domain.Kind, a, b string, after domain.Key, limit int) (found []Found, more bool, err error) {
	var from []byte
	if after != (domain.Key{}) {
		prefix, ok := appendPrefix(nil, after)
		if !ok || after.Kind != kind {
			return nil, false, fmt.Errorf("projections: %v is no key of a fact of kind %d", after, kind)
		}
		from = appendSeq(prefix, 0) // no version is that old
	}
	g, err := s.use()
	if err != nil {
		return nil, false, err
	}
	defer g.leave()
	list := []byte{byte(kind)}
	if a != "" {
		list = appendList(nil, kind, a, b)
	}
	err = g.scan(n, list, from, func(l listed) bool {
		if more = len(found) == limit; more {
			return false
		}
		found = append(found, Found{l.key, l.Known})
		return true
	})
	if err != nil {
		return nil, false, s.broken(err)
	}
	return found, more, nil
}

// Lookups are Live for one goroutine that looks up many facts in a row, most of
// which aren't there. Making an iterator costs more than such a look-up, so one
// serves until the store has taken in more (BenchmarkLiveGet), or until Rest.
type Lookups struct {
	s  *Store
	g  *generation // of it, entered
	it *pebble.Iterator
	at uint64 // the store stood there or further when it was made
}

// Lookups are none's yet: one goroutine may use them, and calls Rest when it is done
// for a while.
func (s *Store) Lookups() *Lookups { return &Lookups{s: s} }

// Get is the fact as it stands. It panics as Live does.
func (l *Lookups) Get(k domain.Key) (domain.Known, bool) {
	var room [128]byte
	key, ok := appendPrefix(room[:0], k)
	if !ok {
		return domain.Known{}, false
	}
	known, ok, err := l.get(k.Kind, appendSeq(key, now))
	if err != nil {
		l.Rest()
		panic(&broken{err})
	}
	return known, ok
}

func (l *Lookups) get(kind domain.Kind, key []byte) (domain.Known, bool, error) {
	if pos, _ := l.s.Position(); l.it == nil || pos > l.at || l.g != l.s.gen.Load() {
		l.Rest()
		g, err := l.s.use()
		if err != nil {
			return domain.Known{}, false, err
		}
		l.g, l.at = g, g.position()
		if l.it, err = g.db.NewIter(&pebble.IterOptions{UseL6Filters: true}); err != nil {
			return domain.Known{}, false, l.s.broken(err)
		}
	}
	if !l.it.SeekPrefixGE(key) {
		if err := l.it.Error(); err != nil {
			return domain.Known{}, false, l.s.broken(err)
		}
		return domain.Known{}, false, nil
	}
	_, from, err := parseKey(l.it.Key())
	if err != nil {
		return domain.Known{}, false, l.s.broken(err)
	}
	value, err := l.it.ValueAndErr()
	if err != nil {
		return domain.Known{}, false, l.s.broken(err)
	}
	v, err := parseVersion(kind, from, value)
	if err != nil {
		return domain.Known{}, false, l.s.broken(err)
	}
	return v.Known, true, nil
}

// Newest is the greatest id of the commands that the actor sent; empty: there is none.
// It panics as Live does.
func (l *Lookups) Newest(actor string) string {
	g, err := l.s.use()
	if err != nil {
		panic(&broken{err})
	}
	defer g.leave()
	id, err := g.newest(actor)
	if err != nil {
		panic(&broken{l.s.broken(err)})
	}
	return id
}

// List is Live's.
func (l *Lookups) List(kind domain.Kind, a, b string) iter.Seq2[domain.Key, domain.Known] {
	return l.s.Live().List(kind, a, b)
}

// Rest lets go of what the store would keep for the look-ups to come.
func (l *Lookups) Rest() {
	if l.g == nil {
		return
	}
	if l.it != nil {
		_ = l.it.Close() // what it failed to read was said when it did
	}
	_ = l.g.leave()
	l.g, l.it = nil, nil
}

// get is the fact as it stood after event n.
func (g *generation) get(k domain.Key, n domain.Seq) (version, bool, error) {
	from, value, done, err := g.find(k, n)
	if err != nil || done == nil {
		return version{}, false, err
	}
	v, err := parseVersion(k.Kind, from, value)
	return v, err == nil, closing(err, done)
}

// life is get without the fact.
func (g *generation) life(k domain.Key) (version, bool, error) {
	from, value, done, err := g.find(k, now)
	if err != nil || done == nil {
		return version{}, false, err
	}
	v, _, err := parseLife(from, value)
	return v, err == nil, closing(err, done)
}

// find is the value of the newest version not after n, good until done is called.
// No done: there is none.
func (g *generation) find(k domain.Key, n domain.Seq) (from domain.Seq, value []byte, done func() error, err error) {
	var room [128]byte
	key, ok := appendPrefix(room[:0], k)
	if !ok || g.bulk != nil && k.Kind != domain.KindCommand && !g.bulk.written.Test(key) {
		return 0, nil, nil, nil
	}
	// Most look-ups find nothing (a command's id), and the filter of the lowest
	// level, which Get would leave out, says so without reading a block
	// (BenchmarkLiveGet).
	it, err := g.db.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return 0, nil, nil, err
	}
	if !it.SeekPrefixGE(appendSeq(key, n)) {
		return 0, nil, nil, it.Close()
	}
	_, from, err = parseKey(it.Key())
	if err != nil {
		return 0, nil, nil, closing(err, it.Close)
	}
	value, err = it.ValueAndErr()
	if err != nil {
		return 0, nil, nil, closing(err, it.Close)
	}
	return from, value, it.Close, nil
}

// newest is the greatest id of the commands that an actor sent.
func (g *generation) newest(actor string) (id string, err error) {
	ids := appendList(nil, domain.KindCommand, actor, "")
	it, err := g.db.NewIter(&pebble.IterOptions{LowerBound: ids, UpperBound: beyond(ids)})
	if err != nil {
		return "", err
	}
	defer func() { err = closing(err, it.Close) }()
	if !it.Last() {
		return "", it.Error()
	}
	k, _, err := parseKey(it.Key())
	return k.C, err
}

// scan gives each the facts whose keys begin with list as they stood after event n,
// in the order of their keys and from the key `from` on, until it says false.
func (g *generation) scan(n domain.Seq, list, from []byte, each func(listed) bool) (err error) {
	it, err := g.db.NewIter(&pebble.IterOptions{LowerBound: list, UpperBound: beyond(list)})
	if err != nil {
		return err
	}
	defer func() { err = closing(err, it.Close) }()
	ok := it.First()
	if from != nil {
		ok = it.SeekGE(from)
	}
	var prefix, key []byte
	for ok {
		key = append(key[:0], it.Key()...)
		k, seq, err := parseKey(key)
		if err != nil {
			return err
		}
		prefix = append(prefix[:0], key[:len(key)-seqLen]...)
		if seq > n {
			if ok = it.SeekGE(appendSeq(key[:len(prefix)], n)); !ok || !hasPrefix(it.Key(), prefix) {
				continue // not yet known then
			}
			if _, seq, err = parseKey(it.Key()); err != nil {
				return err
			}
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		v, err := parseVersion(k.Kind, seq, value)
		if err != nil {
			return err
		}
		if !each(listed{k, v}) {
			return nil
		}
		ok = it.NextPrefix()
	}
	return it.Error()
}

func hasPrefix(key, prefix []byte) bool {
	return len(key) == len(prefix)+seqLen && string(key[:len(prefix)]) == string(prefix)
}

// beyond is the first key beyond all that begin with the prefix.
func beyond(prefix []byte) []byte {
	end := slices.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// closing is the first error of the two.
func closing(err error, c func() error) error {
	if closeErr := c(); err == nil {
		err = closeErr
	}
	return err
}
