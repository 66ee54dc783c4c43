package lawtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/qtccc/assent/domain"
)

// A Chance picks a number from 0 to n-1.
type Chance func(n int) int

func pick[T any](c Chance, of ...T) T { return of[c(len(of))] }

// late picks one of the last n.
func late[T any](c Chance, n int, of []T) T { return pick(c, of[max(0, len(of)-n):]...) }

// last is the last of them; none where there are none.
func last(of []domain.ID) domain.ID {
	if len(of) == 0 {
		return "none"
	}
	return of[len(of)-1]
}

// some picks between none and all of the words, in their order.
func some[T any](c Chance, of []T) []T {
	return slices.DeleteFunc(slices.Clone(of), func(T) bool { return c(2) > 0 })
}

// atLeast is some, and the first where that is none.
func atLeast[T any](c Chance, of []T) []T {
	if s := some(c, of); len(s) > 0 {
		return s
	}
	return of[:1]
}

// Step moves the clock by some days, in a long history by hours, or not at all and records one more event, of a
// command that is made up. Settle was called before.
func (l *Ledger) Step(c Chance) *domain.Event {
	if c(6) == 0 {
		if n := 1 + c(20); l.Now.Year() < 2200 {
			l.Now = l.Now.AddDate(0, 0, n)
		} else { // the year 2262 is the last that a store can look times up in
			l.Now = l.Now.Add(time.Duration(n) * time.Hour)
		}
	}
	for {
		as, data := l.MakeUp(c)
		cmd := l.Command(as, data)
		if c(20) == 0 {
			cmd.Blank = []string{"/need", "/custody"}
		}
		if f, ok := data.(*domain.EvidenceFile); ok && f.Custody == domain.InLedger {
			there := c(5) > 0
			cmd.Content = &there
		}
		if _, e := l.Send(cmd); e != nil {
			return e
		}
	}
}

// MakeUp makes up a command and who issues it.
func (l *Ledger) MakeUp(c Chance) (domain.ID, domain.Data) {
	data := l.makeUp(c)
	return l.who(c, data), data
}

func (l *Ledger) makeUp(c Chance) domain.Data {
	if l.made.leaving != nil && c(3) == 0 {
		return l.leave(c)
	}
	if g := l.fresh(); g != nil && c(3) == 0 {
		if c(8) == 0 {
			return &domain.ApprovalWithdraw{Client: g.Client, Approval: g.Approval, Reason: Text(1)}
		}
		return l.approved(c, g)
	}
	if p, ok := l.Events[len(l.Events)-1].Data.(*domain.PolicyPublish); ok && p.Effective.IsZero() && c(4) == 0 {
		return l.publish(c) // twice in one moment
	}
	if of := l.made.bare; of != "" && c(6) == 0 {
		return l.register(c, of, l.next("x"))
	}
	switch n := c(41); {
	case n < 10:
		return l.Request(c)
	case n < 14:
		return l.file(c)
	case n < 17:
		return l.MakeUpTaking(c)
	case n < 21:
		return l.about(c)
	case n < 28:
		return l.give(c)
	case n < 31:
		return l.special(c)
	case n < 34:
		return l.lend(c)
	case n < 37:
		return l.review(c)
	case n < 40:
		return l.watch(c)
	case c(4) == 0:
		return l.leave(c)
	default:
		return l.give(c)
	}
}

// who is one that may issue the command, now and then one that may not.
func (l *Ledger) who(c Chance, data domain.Data) domain.ID {
	row, _ := domain.Find(Name(data))
	roles := row.Roles
	if len(roles) == 0 || c(50) == 0 {
		roles = domain.Roles
	}
	role := pick(c, roles...)
	for range 4 { // else one named after the role
		if a := pick(c, l.made.actors...); a.role == role {
			return a.id
		}
	}
	return domain.ID(role)
}

// next is an id that nothing has yet.
func (l *Ledger) next(letter string) domain.ID { return domain.ID(fmt.Sprint(letter, len(l.Events))) }

// client is mostly acme, now and then one that is being erased, or was.
func (l *Ledger) client(c Chance) domain.ID {
	if of := l.made.leaving; of != nil && of.Client != "" && c(6) == 0 {
		return of.Client
	}
	if n := len(l.made.gone); n > 0 && c(30) == 0 {
		return l.made.gone[c(n)]
	}
	if len(l.made.clients) == 0 {
		return "none"
	}
	if c(3) > 0 {
		return l.made.clients[0]
	}
	return pick(c, l.made.clients...)
}

// party is any, one of those that were registered first or last rather than between,
// now and then one that was erased.
func (l *Ledger) party(c Chance) domain.ID {
	if n := len(l.made.erased); n > 0 && c(30) == 0 {
		return l.made.erased[c(n)]
	}
	all := l.made.parties
	return pick(c, pick(c, all[:min(14, len(all))]...), pick(c, all...), late(c, 6, all))
}

// a party of that category, mostly one that is in service.
func (l *Ledger) a(c Chance, of domain.Category) (id domain.ID) {
	all := l.made.of[of]
	if len(all) == 0 || c(20) == 0 {
		return l.party(c)
	}
	for range 3 {
		id = pick(c, pick(c, all[:min(6, len(all))]...), late(c, 3, all))
		if known, _ := l.View().Get(domain.Key{Kind: domain.KindParty, C: string(id)}); !known.Fact.(*domain.Party).Retired || c(8) == 0 {
			break
		}
	}
	return id
}

// outsider is mostly an external party.
func (l *Ledger) outsider(c Chance) domain.ID {
	if c(10) == 0 {
		return l.a(c, domain.Authority)
	}
	return l.a(c, domain.External)
}

// record is mostly one of the client's that is not destroyed, if such a one is soon
// found.
func (l *Ledger) record(c Chance, of domain.ID) (id domain.ID) {
	all := l.made.records[of]
	if len(all) == 0 {
		l.made.bare = of
	}
	if len(all) == 0 || c(40) == 0 {
		return "none"
	}
	for range 3 {
		id = pick(c, pick(c, all...), late(c, 8, all))
		if known, _ := l.View().Get(domain.Key{Kind: domain.KindRecord, A: string(of), C: string(id)}); known.Fact.(*domain.Record).Destroyed == 0 {
			return id
		}
	}
	l.made.bare = of
	return id
}

func (l *Ledger) engagement(c Chance, of domain.ID) domain.ID {
	if n := len(l.made.engagements[of]); n > 0 && c(20) > 0 {
		return late(c, 3, l.made.engagements[of])
	}
	return "none"
}

func (l *Ledger) right(c Chance, kind domain.RightKind) right {
	return late(c, 8, append(l.made.rights[kind], right{client: "acme", id: "none"}))
}

// paper is mostly one of that kind filed for the client or party, the last more
// likely than those before. Where there is none, it is likely to be filed next.
func (l *Ledger) paper(c Chance, kind domain.EvidenceKind, of domain.ID) domain.ID {
	fits := func(e *domain.EvidenceFile) bool { return e.Kind == kind && (e.Client == of || e.Party == of) }
	for i := len(l.made.filed) - 1; i >= 0 && c(30) > 0; i-- {
		e := l.made.filed[i]
		if !fits(e) || c(3) == 0 {
			continue
		}
		known, _ := l.View().Get(domain.Key{Kind: domain.KindEvidence, C: string(e.Evidence)})
		if e.Signed && known.Fact.(*domain.Evidence).Voided == 0 || c(3) == 0 {
			return e.Evidence
		}
	}
	if i := slices.IndexFunc(l.made.filed, fits); i >= 0 && c(4) > 0 {
		return l.made.filed[i].Evidence
	}
	l.made.missing = append(l.made.missing, missing{kind, of})
	return pick(c, append(l.made.papers, "none")...)
}

// attached is a paper of any kind, or none, for `evidence?`.
func (l *Ledger) attached(c Chance, of domain.ID) domain.ID {
	return pick(c, "", "", l.paper(c, domain.OtherPaper, of))
}

func (l *Ledger) scope(c Chance, of domain.ID) domain.Scope {
	s := domain.Scope{Sensitive: c(2) == 0}
	switch c(4) {
	case 0:
		s.Records = []domain.ID{l.record(c, of)}
	case 1:
		s.Engagements = []domain.ID{l.engagement(c, of)}
	default:
		s.All = true
	}
	return s
}

func (l *Ledger) purposes(c Chance) []domain.Purpose {
	if c(2) == 0 {
		return nil
	}
	return append(some(c, domain.Purposes[1:]), domain.Purposes[0])
}

func (l *Ledger) actions(c Chance) []domain.Action {
	switch c(12) {
	case 0, 1, 2, 3:
		return nil
	case 4:
		return atLeast(c, domain.Actions[1:])
	}
	return append([]domain.Action{domain.Consult}, some(c, domain.Actions[1:])...)
}

// until is the end of a day, the same for many, or none.
func (l *Ledger) until(c Chance) domain.Time {
	if c(3) == 0 {
		return domain.Time{}
	}
	return l.day(c, 120)
}

// day is the end of one of the days from now on.
func (l *Ledger) day(c Chance, days int) domain.Time {
	return domain.Time{Time: l.Now.Truncate(24*time.Hour).AddDate(0, 0, c(days))}
}
