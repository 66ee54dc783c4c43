package projections

import (
	"fmt"
	"slices"
	"strings"

	"github.com/qtccc/assent/domain"
)

// chains is a ledger with every kind of thing that a trace goes through: papers that
// carry several rights, designations that are changed, contacts that come back,
// reasons that stand for two rights, terms and approvals, used and not.
const chains = `
clerk party.register {"party":"wu","category":"staff","kind":"person","name":"Wu Min"}
clerk party.register {"party":"li","category":"external","kind":"person","name":"Li Hua"}
clerk party.register {"party":"law","category":"external","kind":"institution","name":"Chen Law"}
clerk party.register {"party":"agent","category":"external","kind":"person","name":"Agent Wang"}
clerk party.register {"party":"bank","category":"authority","kind":"institution","name":"The Bank"}
clerk party.register {"party":"courier","category":"contractor","kind":"institution","name":"Fast"}
clerk evidence.file {"evidence":"nda","party":"courier","kind":"undertaking"}
officer undertaking.give {"party":"courier","evidence":"nda"}
officer undertaking.give {"party":"courier","evidence":"nda","until":"2027-01-01T00:00:00Z"}
officer training.complete {"party":"wu","course":"care","until":"2030-01-01T00:00:00Z"}
clerk client.register {"client":"acme","name":"Acme","contacts":[]}
clerk client.register {"client":"beta","name":"Beta","contacts":["li"]}
clerk record.register {"client":"acme","record":"label","title":"Label","class":"ordinary","medium":"electronic","encrypted":false,"retention":{"after":"registration","keep":"P1Y"}}
clerk record.register {"client":"acme","record":"formula","title":"Formula","class":"sensitive","medium":"physical","custody":"safe","encrypted":false,"retention":{"after":"registration","keep":"P1Y"}}
clerk record.register {"client":"beta","record":"label","title":"Label","class":"ordinary","medium":"electronic","encrypted":false,"retention":{"after":"registration","keep":"P1Y"}}
clerk evidence.file {"evidence":"card","client":"acme","kind":"other","signed":false,"signedOn":"2026-01-01T00:00:00Z"}
clerk contact.name {"client":"acme","party":"li","evidence":"card"}
gateway access.request {"client":"acme","record":"label","party":"li","action":"consult","purpose":"service"}
clerk contact.drop {"client":"acme","party":"li"}
gateway access.request {"client":"acme","record":"label","party":"li","action":"consult","purpose":"service"}
clerk contact.name {"client":"acme","party":"li"}
gateway access.request {"client":"acme","record":"label","party":"li","action":"use","purpose":"service"}
+ 24h
clerk evidence.file {"evidence":"consent-1","client":"acme","kind":"consent","signedBy":"Zhang San"}
clerk consent.give {"client":"acme","consent":"c1","party":"bank","scope":{"all":true},"purposes":["fees"],"evidence":"consent-1"}
clerk consent.give {"client":"acme","consent":"c2","party":"law","scope":{"all":true},"purposes":["fees"],"evidence":"consent-1"}
clerk evidence.file {"evidence":"ec-1","client":"acme","kind":"engagement-confirmation"}
clerk engagement.confirm {"client":"acme","engagement":"reg","evidence":"ec-1","purposes":["service"],"designees":[{"designation":"d1","party":"law","scope":{"all":true}},{"designation":"d2","party":"li","scope":{"engagements":["reg"]}}]}
officer authorization.issue {"client":"acme","authorization":"a1","party":"wu","scope":{"all":true},"purposes":["relationship"],"actions":["consult","transfer"],"need":"keeps in touch"}
officer authorization.issue {"client":"acme","authorization":"c1","party":"bank","scope":{"all":true},"purposes":["relationship"],"need":"keeps an account","evidence":"consent-1"}
gateway access.request {"client":"acme","record":"label","party":"law","action":"consult","purpose":"service"}
gateway access.request {"client":"acme","record":"formula","party":"law","action":"consult","purpose":"service"}
gateway access.request {"client":"acme","record":"formula","party":"bank","action":"consult","purpose":"fees"}
gateway access.request {"client":"acme","record":"label","party":"bank","action":"consult","purpose":"fees"}
gateway access.request {"client":"acme","record":"label","party":"bank","action":"consult","purpose":"relationship"}
gateway access.request {"client":"acme","record":"label","party":"wu","action":"transfer","purpose":"relationship","recipient":"bank"}
gateway access.request {"client":"acme","record":"formula","party":"wu","action":"transfer","purpose":"relationship","recipient":"law"}
gateway access.request {"client":"acme","record":"label","party":"li","action":"consult","purpose":"service"}
+ 1h
clerk evidence.file {"evidence":"special","client":"acme","kind":"special-authorization"}
officer delegation.authorize {"client":"acme","delegation":"g1","designation":"d1","delegate":"agent","evidence":"special"}
gateway access.request {"client":"acme","record":"label","party":"agent","action":"consult","purpose":"service","behalfOf":"law"}
gateway access.request {"client":"acme","record":"formula","party":"agent","action":"consult","purpose":"service","behalfOf":"law"}
clerk evidence.file {"evidence":"letter-2","client":"acme","kind":"confirmation-letter"}
clerk designation.change {"client":"acme","designation":"d1","scope":{"records":["label"]},"purposes":["service"],"actions":["consult","modify"],"evidence":"letter-2"}
clerk designation.change {"client":"acme","designation":"d1","scope":{"records":["label"],"sensitive":true},"purposes":["service"],"actions":["consult","modify"],"evidence":"letter-2"}
gateway access.request {"client":"acme","record":"label","party":"agent","action":"consult","purpose":"service","behalfOf":"law"}
gateway access.request {"client":"acme","record":"label","party":"law","action":"consult","purpose":"service"}
clerk evidence.file {"evidence":"mc-1","client":"acme","kind":"modification-confirmation"}
gateway access.request {"client":"acme","record":"label","party":"law","action":"modify","purpose":"service","confirmation":"mc-1"}
gateway access.request {"client":"acme","record":"label","party":"law","action":"modify","purpose":"service","confirmation":"mc-1"}
clerk evidence.file {"evidence":"st-1","client":"acme","kind":"special-terms"}
officer terms.agree {"client":"acme","terms":"t1","evidence":"st-1","rules":[{"effect":"approve","records":["label"],"purposes":["fees"]}],"duties":"Lock it away."}
officer terms.agree {"client":"acme","terms":"t2","evidence":"st-1","rules":[{"effect":"forbid","parties":["agent"]}]}
gateway access.request {"client":"acme","record":"label","party":"bank","action":"consult","purpose":"fees","approval":"ok1"}
officer approval.give {"client":"acme","approval":"ok1","party":"bank","record":"label","action":"consult","purpose":"fees","until":"2026-06-01T00:00:00Z","evidence":"mc-1"}
gateway access.request {"client":"acme","record":"label","party":"law","action":"consult","purpose":"fees","approval":"ok1"}
gateway access.request {"client":"acme","record":"label","party":"bank","action":"consult","purpose":"fees","approval":"ok1"}
gateway access.request {"client":"acme","record":"label","party":"bank","action":"consult","purpose":"fees","approval":"ok1"}
gateway access.request {"client":"acme","record":"formula","party":"agent","action":"consult","purpose":"service","behalfOf":"law"}
gateway access.request {"client":"beta","record":"label","party":"li","action":"consult","purpose":"service"}
gateway access.request {"client":"ghost","record":"label","party":"li","action":"consult","purpose":"service"}
+ 24h
clerk consent.withdraw {"client":"acme","consent":"c1"}
gateway access.request {"client":"acme","record":"label","party":"bank","action":"consult","purpose":"service"}
officer evidence.void {"evidence":"letter-2","reason":"forged"}
gateway access.request {"client":"acme","record":"label","party":"law","action":"consult","purpose":"service"}
clerk evidence.file {"evidence":"spare","client":"acme","kind":"notice"}
`

// A thing is what a trace is about, found by reading every event.
type thing struct {
	client, id, party domain.ID
	kind              string
	made              domain.Seq
	papers            []domain.ID  // it rests and rested on, the last one last
	since             []domain.Seq // of the papers
	from              domain.ID    // of a delegation: its designation
}

func (g *thing) name() string { return fmt.Sprintf("%s/%s/%s/%d", g.client, g.kind, g.id, g.made) }

// paperAt is the one that it rested on then.
func (g *thing) paperAt(n domain.Seq) (paper domain.ID) {
	for i, id := range g.papers {
		if g.since[i] <= n {
			paper = id
		}
	}
	return paper
}

// things reads them from the events, by nothing but what commands say.
func things(events []*domain.Event) (all []*thing) {
	add := func(e *domain.Event, kind string, client, id, party, paper domain.ID) *thing {
		g := &thing{client: client, id: id, party: party, kind: kind, made: e.Seq}
		if paper != "" {
			g.papers, g.since = []domain.ID{paper}, []domain.Seq{e.Seq}
		}
		all = append(all, g)
		return g
	}
	for _, e := range events {
		if e.Refusal != nil {
			continue
		}
		switch c := e.Data.(type) {
		case *domain.ClientRegister:
			for _, id := range c.Contacts {
				add(e, "contact", c.Client, id, id, c.Evidence)
			}
		case *domain.ContactName:
			add(e, "contact", c.Client, c.Party, c.Party, c.Evidence)
		case *domain.EngagementConfirm:
			for _, d := range c.Designees {
				add(e, "designation", c.Client, d.Designation, d.Party, c.Evidence)
			}
		case *domain.DesignationMake:
			add(e, "designation", c.Client, c.Designation, c.Party, c.Evidence)
		case *domain.DesignationChange:
			for _, g := range all {
				if g.kind == "designation" && g.client == c.Client && g.id == c.Designation {
					g.papers, g.since = append(g.papers, c.Evidence), append(g.since, e.Seq)
				}
			}
		case *domain.DelegationAuthorize:
			add(e, "delegation", c.Client, c.Delegation, c.Delegate, c.Evidence).from = c.Designation
		case *domain.ConsentGive:
			add(e, "consent", c.Client, c.Consent, c.Party, c.Evidence)
		case *domain.AuthorizationIssue:
			add(e, "authorization", c.Client, c.Authorization, c.Party, c.Evidence)
		case *domain.TermsAgree:
			add(e, "terms", c.Client, c.Terms, "", c.Evidence)
		case *domain.ApprovalGive:
			add(e, "approval", c.Client, c.Approval, "", c.Evidence)
		case *domain.UndertakingGive:
			if !slices.ContainsFunc(all, func(g *thing) bool { return g.kind == "undertaking" && g.party == c.Party && g.id == c.Evidence }) {
				add(e, "undertaking", "", c.Evidence, c.Party, c.Evidence)
			}
		}
	}
	return all
}

// reliedOn are the accesses whose decisions name the thing, by docs/questions.md.
func (g *thing) reliedOn(events []*domain.Event, all []*thing) (seqs []uint64) {
	for _, e := range events {
		req, ok := e.Data.(*domain.AccessRequest)
		if !ok || e.Decision == nil || req.Client != g.client || e.Seq < g.made {
			continue
		}
		if slices.ContainsFunc(e.Decision.Reasons, func(r domain.Reason) bool { return g.namedBy(&r, req, all) }) {
			seqs = append(seqs, uint64(e.Seq))
		}
	}
	return seqs
}

func (g *thing) namedBy(r *domain.Reason, req *domain.AccessRequest, all []*thing) bool {
	byEvent := slices.Contains(r.Refs, g.made)
	switch g.kind {
	case "undertaking":
		return false
	case "terms":
		return byEvent && r.Clause == "II.6"
	case "approval":
		return req.Approval == g.id && r.Clause == "II.6" && strings.HasPrefix(r.Code, "approv")
	case "contact":
		return byEvent && r.Right == "contact/"+string(g.id)
	}
	if r.Right == g.kind+"/"+string(g.id) {
		return true
	}
	for _, other := range all {
		if other.client == g.client && r.Right == other.kind+"/"+string(other.id) {
			switch {
			case other.kind == "delegation":
				return g.kind == "designation" && other.from == g.id
			case other.kind == g.kind || other.kind == "contact":
				return false
			}
			return byEvent && other.party == g.party // both gave the reason
		}
	}
	return false
}

// confirmed are the accesses that used the paper up, or couldn't any more.
func confirmed(events []*domain.Event, paper domain.ID) (seqs []uint64) {
	for _, e := range events {
		if e.Decision != nil && slices.ContainsFunc(e.Decision.Reasons, func(r domain.Reason) bool {
			return r.Clause == "IV.3" && slices.Contains(r.Evidence, paper)
		}) {
			seqs = append(seqs, uint64(e.Seq))
		}
	}
	return seqs
}
