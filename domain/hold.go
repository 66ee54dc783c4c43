package domain

import (
	"slices"
	"strconv"
)

// HoldPlace keeps records from being destroyed, those named or all of the client's,
// later ones too (II.5).
type HoldPlace struct {
	Client  ID   `json:"client"`
	Hold    ID   `json:"hold"`
	Records []ID `json:"records,omitzero"`
	Reason  Text `json:"reason"`
}

func (c *HoldPlace) about(View) Subject { return Subject{Client: c.Client} }

func (c *HoldPlace) decide(d *deciding) {
	d.client(c.Client)
	for i, id := range c.Records {
		d.record("/records/"+strconv.Itoa(i), c.Client, id)
	}
	if h, _ := hold(d, c.Client, c.Hold); h != nil {
		d.blame(Exists, "/hold", "%s has a hold %s already", c.Client, c.Hold)
	}
}

func (c *HoldPlace) apply(a *applying) {
	h := &Hold{Records: c.Records, Reason: c.Reason, PlacedBy: a.e.Actor}
	if who, _ := actor(a, a.e.Actor); who != nil {
		h.Role = who.Role
	}
	a.set(holdKey(c.Client, c.Hold), h)
}

// HoldLift lets records go that were held.
type HoldLift struct {
	Client ID   `json:"client"`
	Hold   ID   `json:"hold"`
	Reason Text `json:"reason"`
}

func (c *HoldLift) about(View) Subject { return Subject{Client: c.Client} }

func (c *HoldLift) decide(d *deciding) {
	d.client(c.Client)
	switch h, _ := hold(d, c.Client, c.Hold); {
	case h == nil:
		d.blame(Unknown, "/hold", "%s has no hold %s", c.Client, c.Hold)
	case h.Lifted != 0:
		d.blame(Ended, "/hold", "the hold %s was lifted already", c.Hold)
	case h.Role == Manager && d.actor.Role != Manager:
		d.refuse("II.5", "held", "the hold %s was placed by a manager, and only a manager lifts it", c.Hold)
	}
}

func (c *HoldLift) apply(a *applying) {
	change(a, holdKey(c.Client, c.Hold), func(h *Hold) { h.Lifted = a.e.Seq })
}

func holdKey(of, id ID) Key { return Key{Kind: KindHold, A: string(of), C: string(id)} }

func hold(v View, of, id ID) (*Hold, Known) { return get[Hold](v, holdKey(of, id)) }

// Keeps says whether the hold stands over the record; with no record, whether it
// stands at all.
func (h *Hold) Keeps(record ID) bool {
	return h.Lifted == 0 && (record == "" || h.Records == nil || slices.Contains(h.Records, record))
}

// Held is a hold that stands over the client's record, or over any with no record;
// empty where none does.
func Held(v View, of, record ID) ID {
	for k, known := range v.List(KindHold, string(of), "") {
		if known.Fact.(*Hold).Keeps(record) {
			return ID(k.C)
		}
	}
	return ""
}
