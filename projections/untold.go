package projections

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/qtccc/assent/domain"
)

// Clients that were registered before an edition of the statement took effect are
// told of it (V.1). How many are still to be told is kept for each edition, one to
// come too, so that nobody has to look at all clients for it
// (TestStatusCountsWhatTheLawSays).
//
// A client is counted by the time at which it was registered, not by its event:
// where the clock went back, a later event has an earlier time.

// noticeBy is the moment before which a client is told of an edition.
func noticeBy(e *domain.Edition) time.Time { return e.NoticeWithin.After(e.Effective) }

// noticeLate says whether a client that wasn't told of the edition is late.
func noticeLate(e *domain.Edition, at time.Time) bool { return e.Major && !at.Before(noticeBy(e)) }

// concerned says whether the client is to be told of an edition, or was.
func concerned(c *domain.Client, effective time.Time) bool {
	return c.Erased == 0 && c.Registered.Before(effective)
}

// untold are the editions that are known, with what the batch adds.
type untold struct {
	editions []untoldOf
	read     bool
}

// untoldOf counts the clients that are to be told of an edition and weren't.
type untoldOf struct {
	edition   int
	effective time.Time
	clients   uint64
}

// notices takes in what the event, which is in the facts by now, does to who is
// still to be told of an edition.
func (g *generation) notices(b *pebble.Batch, e *Applied) error {
	for _, c := range e.Changes {
		switch c.Fact.(type) {
		case *domain.Edition, *domain.Client, *domain.Told:
		default:
			continue
		}
		if err := g.readUntold(); err != nil {
			return err
		}
		var err error
		isNew := g.versions.facts[c.Key].First == e.Event.Seq
		switch f := c.Fact.(type) {
		case *domain.Edition:
			err = g.published(b, f)
		case *domain.Client:
			switch {
			case isNew:
				err = g.registered(b, c.Key, f)
			case f.Erased == e.Event.Seq:
				err = g.erased(b, c.Key, f)
			}
		case *domain.Told:
			if isNew {
				err = g.told(b, c.Key)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (g *generation) readUntold() error {
	if g.untold.read {
		return nil
	}
	g.untold.read = true
	return dueIn(g.db, dueNotice, func(key, value []byte) bool {
		g.untold.editions = append(g.untold.editions, untoldOf{edition: int(binary.BigEndian.Uint16(key)),
			effective: time12(value), clients: binary.BigEndian.Uint64(value[12:])})
		return true
	})
}

// published counts the clients once, when there is a new edition.
func (g *generation) published(b *pebble.Batch, e *domain.Edition) error {
	u := untoldOf{edition: e.Number, effective: e.Effective}
	it, err := g.db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceDue, dueClient}, UpperBound: appendTime12([]byte{spaceDue, dueClient}, e.Effective)})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		u.clients++
	}
	if err := closing(it.Error(), it.Close); err != nil {
		return err
	}
	for k, v := range g.versions.facts { // what the store doesn't have yet
		c, ok := v.Fact.(*domain.Client)
		switch isNew := uint64(v.First) > g.position(); {
		case !ok || k.Kind != domain.KindClient:
		case isNew && concerned(c, e.Effective):
			u.clients++
		case !isNew && c.Erased != 0 && c.Registered.Before(e.Effective) && uint64(c.Erased) > g.position():
			u.clients--
		}
	}
	g.untold.editions = append(g.untold.editions, u)
	return u.set(b)
}

func (g *generation) registered(b *pebble.Batch, k domain.Key, c *domain.Client) error {
	for i := range g.untold.editions {
		if u := &g.untold.editions[i]; concerned(c, u.effective) {
			u.clients++
			if err := u.set(b); err != nil {
				return err
			}
		}
	}
	return b.Set(clientKey(k, c), nil, nil)
}

func (g *generation) erased(b *pebble.Batch, k domain.Key, c *domain.Client) error {
	for i := range g.untold.editions {
		u := &g.untold.editions[i]
		if !c.Registered.Before(u.effective) {
			continue
		}
		if _, told, err := g.fresh(toldKey(u.edition, k.C)); err != nil || told {
			if err != nil {
				return err
			}
			continue
		}
		u.clients--
		if err := u.set(b); err != nil {
			return err
		}
	}
	return b.Delete(clientKey(k, c), nil)
}

// told is a client's first notice of an edition.
func (g *generation) told(b *pebble.Batch, k domain.Key) error {
	f, ok, err := g.fresh(domain.Key{Kind: domain.KindClient, C: k.C})
	if err != nil || !ok {
		return err
	}
	edition, err := strconv.Atoi(k.A)
	for i := range g.untold.editions {
		if u := &g.untold.editions[i]; u.edition == edition && concerned(f.(*domain.Client), u.effective) {
			u.clients--
			return u.set(b)
		}
	}
	return err
}

func (u *untoldOf) set(b *pebble.Batch) error {
	key := binary.BigEndian.AppendUint16([]byte{spaceDue, dueNotice}, uint16(u.edition))
	return b.Set(key, binary.BigEndian.AppendUint64(appendTime12(nil, u.effective), u.clients), nil)
}

func clientKey(k domain.Key, c *domain.Client) []byte {
	return append(appendTime12([]byte{spaceDue, dueClient}, c.Registered), k.C...)
}

// toldKey and editionKey are the facts' of an edition.
func toldKey(edition int, client string) domain.Key {
	return domain.Key{Kind: domain.KindTold, A: editionKey(edition).C, C: client}
}

func editionKey(edition int) domain.Key {
	return domain.Key{Kind: domain.KindEdition, C: fmt.Sprintf("%04d", edition)}
}
