package domain

import "slices"

// bars is every bar of the contract's section 3, in its order; II.0 for what is not
// registered stands in look. Adding a rule is adding a line.
var bars = []func(*access) []Reason{
	partyRetired,
	untrained,
	noUndertaking,
	unknownPurpose,
	recipientMissing,
	recordDestroyed,
	termsForbid,
	approvalMissing,
	notOfParty,
	notNotified,
	confirmation,
	recipientUnknown,
	recipientBarred,
}

// partyRetired: P.1. Nobody comes near data by one that is out of service.
func partyRetired(a *access) []Reason {
	r := Reason{Clause: "P.1", Code: "party-retired"}
	any := false
	for _, p := range [...]*Party{a.sender.party, a.bearer, a.principal} {
		if p != nil && p.Retired {
			r.Refs, any = append(r.Refs, p.RetiredAt), true
		}
	}
	return oneIf(any, r)
}

// untrained: P.2. It is the person that is trained: the bearer, or where none comes
// the party itself.
func untrained(a *access) []Reason {
	who := a.Party
	if a.Bearer != "" {
		who = a.Bearer
	}
	return a.sender.untrained(a, who)
}

func (s side) untrained(a *access, who ID) []Reason {
	return oneIf(s.party.Category == Staff && !trained(a, who, a.at), Reason{Clause: "P.2", Code: "untrained"})
}

// noUndertaking: P.3.
func noUndertaking(a *access) []Reason { return a.sender.noUndertaking(a) }

func (s side) noUndertaking(a *access) []Reason {
	return oneIf(s.party.Category == Contractor && !undertaken(a, s.id, a.at), Reason{Clause: "P.3", Code: "no-undertaking"})
}

// unknownPurpose: I.3 names all purposes; rights aren't looked through for another.
func unknownPurpose(a *access) []Reason {
	return oneIf(a.purpose == "", Reason{Clause: "I.3", Code: "unknown-purpose"})
}

// recipientMissing: II.1. A transfer is to somebody.
func recipientMissing(a *access) []Reason {
	return oneIf(a.Action == Transfer && a.Recipient == "", Reason{Clause: "II.1", Code: "recipient-missing"})
}

// recordDestroyed: II.5.
func recordDestroyed(a *access) []Reason {
	if a.record.Destroyed == 0 {
		return nil
	}
	return []Reason{{Clause: "II.5", Code: "destroyed", Refs: []Seq{a.record.Destroyed}}}
}

// termsForbid: II.6. A `forbid` rule in force matches, or an `only` rule does and
// doesn't allow.
func termsForbid(a *access) []Reason { return a.sender.termsForbid(a) }

func (s side) termsForbid(a *access) (why []Reason) {
	for _, t := range a.terms {
		if slices.ContainsFunc(t.Rules, func(r TermsRule) bool {
			return r.Effect != Approve && r.matches(a, s) && (r.Effect == Forbid || !r.allows(s, a.principal))
		}) {
			why = append(why, Reason{Clause: "II.6", Code: "terms-forbid", Refs: []Seq{t.by}, Evidence: papers(t.Evidence)})
		}
	}
	return why
}

// approvalMissing: II.6. What terms want approved, for the sender or the recipient,
// needs an approval of this very access, which it spends.
func approvalMissing(a *access) (why []Reason) {
	missing := Reason{Clause: "II.6", Code: "approval-missing"}
	for _, t := range a.terms {
		if slices.ContainsFunc(t.Rules, func(r TermsRule) bool {
			return r.Effect == Approve && (r.matches(a, a.sender) || a.recipient.party != nil && r.matches(a, a.recipient))
		}) {
			missing.Refs, missing.Evidence = append(missing.Refs, t.by), append(missing.Evidence, t.Evidence)
		}
	}
	if missing.Refs == nil {
		return nil
	}
	g, given := approval(a, a.Client, a.Approval)
	if g == nil || !g.allows(a) {
		return []Reason{missing}
	}
	if g.Spent != 0 {
		missing.Refs = append(missing.Refs, g.Spent)
		return []Reason{missing}
	}
	a.used = append(a.used, Reason{Clause: "II.6", Code: "approved", Refs: []Seq{given.First}, Evidence: papers(g.Evidence)})
	return nil
}

// notOfParty: III.5. Whoever comes in a party's place is registered as of it.
func notOfParty(a *access) []Reason {
	return oneIf(a.Bearer != "" && a.bearer.Of != a.Party, Reason{Clause: "III.5", Code: "not-of-party"})
}

// notNotified: III.6. The client is told of an assignee first.
func notNotified(a *access) []Reason { return a.sender.notNotified(a) }

func (s side) notNotified(a *access) []Reason {
	if s.party.Category != Assignee {
		return nil
	}
	told, _ := get[Notified](a, notifiedKey(a.Client, s.id))
	return oneIf(told == nil, Reason{Clause: "III.6", Code: "not-notified"})
}

// confirmation: IV.3. Each modification has a written confirmation of its own.
func confirmation(a *access) []Reason {
	if a.Action != Modify {
		return nil
	}
	e, filed := evidence(a, a.Confirmation)
	if e == nil || !e.fits(ModificationConfirmation, Subject{Client: a.Client}) || e.Record != "" && e.Record != a.AccessRequest.Record {
		return []Reason{{Clause: "IV.3", Code: "confirmation-missing"}}
	}
	paper := []ID{a.Confirmation}
	if s, spent := get[Spent](a, spentKey(a.Client, e.Kind, e.SHA256)); s != nil {
		return []Reason{{Clause: "IV.3", Code: "confirmation-used", Refs: []Seq{spent.First}, Evidence: paper}}
	}
	a.used = append(a.used, Reason{Clause: "IV.3", Code: "confirmed", Refs: []Seq{filed.First}, Evidence: paper})
	return nil
}

// recipientUnknown: II.0.
func recipientUnknown(a *access) []Reason {
	return oneIf(a.Recipient != "" && a.recipient.party == nil, Reason{Clause: "II.0", Code: "recipient-unknown-party"})
}

// recipientBarred: whoever is sent data must be one that could consult it for this
// purpose.
func recipientBarred(a *access) []Reason {
	s := a.recipient
	if a.Recipient == "" || s.party == nil {
		return nil
	}
	why := oneIf(s.party.Retired, Reason{Clause: "P.1", Code: "party-retired", Refs: nonzero(s.party.RetiredAt)})
	why = append(why, s.untrained(a, s.id)...)
	why = append(why, s.noUndertaking(a)...)
	why = append(why, s.termsForbid(a)...)
	why = append(why, s.notNotified(a)...)
	if serves, basis := a.basis(s); !serves {
		why = append(why, basis...)
	}
	return prefixed(why)
}

func oneIf(stands bool, r Reason) []Reason {
	if !stands {
		return nil
	}
	return []Reason{r}
}
