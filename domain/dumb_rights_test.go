package domain_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/qtccc/assent/domain"
)

// A literalRight is a right as the commands on it left it.
type literalRight struct {
	kind, id, client, party, evidence, engagement, designation domain.ID
	made                                                       domain.Seq
	issuedBy                                                   domain.ID
	reviewed                                                   time.Time // issued, kept or narrowed last
	scope                                                      domain.Scope
	purposes                                                   []domain.Purpose
	actions                                                    []domain.Action // left out: consult
	until                                                      domain.Time
	ended                                                      bool
}

func (l literal) rights() (rs []*literalRight) {
	one := func(kind, client, id domain.ID, do func(*literalRight)) {
		for _, r := range rs {
			if r.kind == kind && r.client == client && r.id == id {
				do(r)
			}
		}
	}
	end := func(r *literalRight) { r.ended = true }
	decided := map[[3]domain.ID]bool{} // in this review, of this client, this authorisation
	for _, e := range l.events {
		if e.Refusal != nil {
			continue
		}
		switch d := e.Data.(type) {
		case *domain.EngagementConfirm:
			for _, n := range d.Designees {
				p := n.Purposes
				if p == nil {
					p = d.Purposes
				}
				rs = append(rs, &literalRight{kind: "designation", id: n.Designation, client: d.Client, party: n.Party, evidence: d.Evidence,
					made: e.Seq, scope: n.Scope, purposes: p, actions: n.Actions, until: n.Until})
			}
		case *domain.DesignationMake:
			p := d.Purposes
			if p == nil {
				p = domain.Purposes
			}
			rs = append(rs, &literalRight{kind: "designation", id: d.Designation, client: d.Client, party: d.Party, evidence: d.Evidence,
				made: e.Seq, scope: d.Scope, purposes: p, actions: d.Actions, until: d.Until})
		case *domain.DesignationChange:
			one("designation", d.Client, d.Designation, func(r *literalRight) {
				r.scope, r.purposes, r.actions, r.until, r.evidence = d.Scope, d.Purposes, d.Actions, d.Until, d.Evidence
			})
			for _, r := range rs {
				r.ended = r.ended || r.kind == "delegation" && r.client == d.Client && r.designation == d.Designation
			}
		case *domain.DesignationRevoke:
			one("designation", d.Client, d.Designation, end)
		case *domain.DelegationAuthorize:
			rs = append(rs, &literalRight{kind: "delegation", id: d.Delegation, client: d.Client, party: d.Delegate, evidence: d.Evidence,
				made: e.Seq, designation: d.Designation, until: d.Until})
		case *domain.DelegationRevoke:
			one("delegation", d.Client, d.Delegation, end)
		case *domain.ConsentGive:
			rs = append(rs, &literalRight{kind: "consent", id: d.Consent, client: d.Client, party: d.Party, evidence: d.Evidence,
				made: e.Seq, scope: d.Scope, purposes: d.Purposes, actions: d.Actions, until: d.Until})
		case *domain.ConsentWithdraw:
			one("consent", d.Client, d.Consent, end)
		case *domain.AuthorizationIssue:
			rs = append(rs, &literalRight{kind: "authorization", id: d.Authorization, client: d.Client, party: d.Party, evidence: d.Evidence, issuedBy: e.Actor,
				engagement: d.Engagement, made: e.Seq, reviewed: e.Time, scope: d.Scope, purposes: d.Purposes, actions: d.Actions, until: d.Until})
		case *domain.AuthorizationRevoke:
			one("authorization", d.Client, d.Authorization, end)
		case *domain.ReviewDecide:
			again := decided[[3]domain.ID{d.Review, d.Client, d.Authorization}]
			decided[[3]domain.ID{d.Review, d.Client, d.Authorization}] = true
			one("authorization", d.Client, d.Authorization, func(r *literalRight) {
				if d.Verdict == domain.Revoke {
					r.ended = true
					return
				}
				if !again { // deciding again changes the verdict, not the day of review
					r.reviewed = e.Time
				}
				if d.Scope != nil {
					r.scope = *d.Scope
				}
				if d.Purposes != nil {
					r.purposes = d.Purposes
				}
				if d.Actions != nil {
					r.actions = d.Actions
				}
				if !d.Until.IsZero() {
					r.until = d.Until
				}
			})
		case *domain.EngagementClose:
			for _, r := range rs {
				r.ended = r.ended || r.kind == "authorization" && r.client == d.Client && r.engagement == d.Engagement
			}
		case *domain.ErasureApprove:
			for _, r := range rs {
				r.ended = r.ended || d.Client != "" && r.client == d.Client
			}
		}
	}
	return rs
}

func (l literal) inForce(r *literalRight) bool {
	_, void := l.paper(r.evidence)
	return !r.ended && !void && (r.until.IsZero() || l.at.Before(r.until.Time))
}

// edition is the highest whose day has come.
func (l literal) edition() (n int, reviewEvery domain.Period) {
	for _, e := range l.events {
		if e.Refusal != nil {
			continue
		}
		switch d := e.Data.(type) {
		case *domain.LedgerOpen:
			n, reviewEvery = d.Policy.Edition, d.Policy.ReviewEvery
		case *domain.PolicyPublish:
			effective := d.Effective.Time
			if effective.IsZero() {
				effective = e.Time
			}
			if !l.at.Before(effective) && d.Edition > n {
				n, reviewEvery = d.Edition, d.ReviewEvery
			}
		}
	}
	return n, reviewEvery
}

// overdue: reviewed as long ago as the edition's reviewEvery, or longer.
func (l literal) overdue(r *literalRight) bool {
	_, every := l.edition()
	return r.kind == "authorization" && !l.at.Before(later(r.reviewed, every))
}

// later is some months and days after a day, by the calendar of UTC; in a month that
// is too short, from its last day.
func later(t time.Time, p domain.Period) time.Time {
	if p.Years != 0 || p.Clock != 0 {
		panic("these histories count months and days alone")
	}
	day := t.UTC().Day()
	for {
		u := time.Date(t.Year(), t.Month()+time.Month(p.Months), day, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
		if u.Day() == day {
			return u.Add(time.Duration(p.Days) * 24 * time.Hour)
		}
		day--
	}
}

var checks = strings.Fields("exists force reviewed scope sensitive purpose action serves")

// passes is the first of the checks that the right fails.
func (l literal) passes(r *literalRight, q *domain.AccessRequest, action domain.Action) int {
	record, _, _ := l.record(q.Client, q.Record)
	actions := r.actions
	if actions == nil {
		actions = []domain.Action{domain.Consult}
	}
	purpose := domain.Purpose(q.Purpose)
	for i, passed := range []bool{
		true,
		l.inForce(r),
		!l.overdue(r),
		l.reaches(r, q.Record, record.Engagement),
		record.Class != domain.Sensitive || r.scope.Sensitive,
		!slices.Contains(domain.Purposes, purpose) || slices.Contains(r.purposes, purpose),
		slices.Contains(actions, action),
	} {
		if !passed {
			return i
		}
	}
	return len(checks) - 1
}

// reaches: the scope has the record, which is of that engagement or of none.
func (l literal) reaches(r *literalRight, record, engagement domain.ID) bool {
	if r.kind == "authorization" && r.engagement != "" && engagement != "" && engagement != r.engagement {
		return false
	}
	return bool(r.scope.All) || slices.Contains(r.scope.Records, record) || engagement != "" && slices.Contains(r.scope.Engagements, engagement)
}

// furthest is how far the party's rights of the kind got, and the earliest that did.
func (l literal) furthest(kind domain.ID, q *domain.AccessRequest, party domain.ID, action domain.Action) (check, right string) {
	best := 0
	for _, r := range l.rights() {
		if r.kind == kind && r.client == q.Client && r.party == party {
			if n := l.passes(r, q, action); n > best {
				best, right = n, fmt.Sprint(kind, "/", r.id)
			}
		}
	}
	return checks[best], right
}

var literalFailures = map[domain.ID]map[string]string{
	"designation": {"exists": "IV.1 not-designated", "force": "IV.1 designation-ended", "scope": "IV.1 outside-scope", "action": "IV.1 action-not-covered"},
	"authorization": {"exists": "II.2 no-authorization", "force": "II.2 authorization-ended", "reviewed": "II.2 review-overdue", "scope": "II.2 outside-scope",
		"action": "II.2 action-not-covered"},
	"consent": {"force": "II.1 consent-ended", "scope": "II.1 outside-scope", "action": "II.1 action-not-covered"},
}

func literalFailure(kind domain.ID, check, right string) string {
	switch check {
	case "sensitive":
		return "II.4 sensitive-not-covered " + right
	case "purpose":
		return "I.3 purpose-not-covered " + right
	}
	return literalFailures[kind][check] + " " + right
}

func (l literal) everDesignated(client domain.ID) (ever bool) {
	rest := func(paper domain.ID) {
		_, void := l.paper(paper)
		ever = ever || !void
	}
	each(l, func(_ *domain.Event, d *domain.EngagementConfirm) {
		if d.Client == client && d.Designees != nil {
			rest(d.Evidence)
		}
	})
	each(l, func(_ *domain.Event, d *domain.DesignationMake) {
		if d.Client == client {
			rest(d.Evidence)
		}
	})
	each(l, func(_ *domain.Event, d *domain.DesignationChange) {
		if d.Client == client {
			rest(d.Evidence)
		}
	})
	return ever
}

func (l literal) contact(client, party domain.ID) (is bool) {
	for _, e := range l.events {
		if e.Refusal != nil {
			continue
		}
		switch d := e.Data.(type) {
		case *domain.ClientRegister:
			is = is || d.Client == client && slices.Contains(d.Contacts, party)
		case *domain.ContactName:
			is = is || d.Client == client && d.Party == party
		case *domain.ContactDrop:
			is = is && (d.Client != client || d.Party != party)
		case *domain.ErasureApprove:
			is = is && d.Client != client
		}
	}
	return is
}

// basis is the first that serves, or why none does.
func (l literal) basis(q *domain.AccessRequest, id domain.ID, action domain.Action, behalfOf domain.ID) (bool, []string) {
	p, _ := l.party(id)
	if behalfOf != "" {
		return l.delegated(q, p, action, behalfOf)
	}
	var why []string
	early, kind := !l.everDesignated(q.Client), domain.ID("authorization")
	if p.Category == domain.External {
		kind = "designation"
		if early && l.contact(q.Client, id) {
			if action == domain.Consult {
				return true, []string{"IV.2 contact contact/" + string(id)}
			}
			why, kind = append(why, "IV.2 action-not-covered contact/"+string(id)), ""
		}
	}
	if kind != "" {
		switch check, right := l.furthest(kind, q, id, action); {
		case check == "serves" && kind == "designation":
			return true, []string{"III.3 designated " + right}
		case check == "serves":
			clause := map[domain.Category]string{"staff": "III.1", "contractor": "III.2", "authority": "III.4", "assignee": "III.6"}[p.Category]
			return true, []string{"II.2 authorized " + right, clause + " " + string(p.Category) + " "}
		case check == "exists" && kind == "designation" && early:
			why = append(why, "IV.2 not-contact ")
		default:
			why = append(why, literalFailure(kind, check, right))
		}
	}
	if p.Category != domain.Staff && p.Category != domain.Contractor {
		check, right := l.furthest("consent", q, id, action)
		if check == "serves" {
			return true, []string{"II.1 consented " + right}
		}
		if check != "exists" {
			why = append(why, literalFailure("consent", check, right))
		}
	}
	return false, why
}

func (l literal) delegated(q *domain.AccessRequest, p literalParty, action domain.Action, behalfOf domain.ID) (bool, []string) {
	ever, best, of := "", -1, ""
	for _, r := range l.rights() {
		for _, from := range l.rights() {
			if r.kind != "delegation" || from.kind != "designation" || r.client != q.Client || from.client != q.Client || r.party != p.Party ||
				from.id != r.designation || from.party != behalfOf {
				continue
			}
			if ever == "" {
				ever = "delegation/" + string(r.id)
			}
			if n := l.passes(from, q, action); l.inForce(r) && n > best {
				best, of = n, "delegation/"+string(r.id)
			}
		}
	}
	_, there := l.party(behalfOf)
	switch {
	case p.Category != domain.External || ever == "" || !there:
		return false, []string{"III.5 not-delegated "}
	case best < 0:
		return false, []string{"III.5 delegation-ended " + ever}
	case checks[best] == "serves":
		return true, []string{"III.5 delegated " + of}
	}
	return false, []string{literalFailure("designation", checks[best], of)}
}
