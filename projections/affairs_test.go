package projections

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
)

// affairs is a ledger in which everything happened that the agency has to look
// after: violations, destruction, notices, inquiries, terms, approvals, holds,
// editions, erasures.
const affairs = `
clerk party.register {"party":"wu","category":"staff","kind":"person","name":"Wu Min"}
clerk party.register {"party":"chen","category":"staff","kind":"person","name":"Chen Jie"}
clerk party.register {"party":"li","category":"external","kind":"person","name":"Li Hua"}
clerk client.register {"client":"acme","name":"Acme","contacts":["li"]}
clerk client.register {"client":"beta","name":"Beta","contacts":["li"]}
clerk record.register {"client":"acme","record":"label","title":"Label","class":"ordinary","medium":"electronic","encrypted":false,"retention":{"after":"registration","keep":"P10D"}}
clerk record.register {"client":"acme","record":"sample","title":"Sample","class":"ordinary","medium":"physical","custody":"safe","encrypted":false,"retention":{"after":"registration","keep":"P10D"}}
clerk record.register {"client":"beta","record":"label","title":"Beta's label","class":"ordinary","medium":"electronic","encrypted":false,"retention":{"after":"registration","keep":"P10D"}}
clerk evidence.file {"evidence":"st-1","client":"acme","kind":"special-terms"}
clerk evidence.file {"evidence":"st-2","client":"acme","kind":"special-terms"}
officer terms.agree {"client":"acme","terms":"t1","evidence":"st-1","rules":[{"effect":"approve","actions":["consult"]}],"duties":"Lock it away.","until":"2026-02-20T00:00:00Z"}
officer terms.agree {"client":"beta","terms":"t1","evidence":"st-1","rules":[]}
clerk evidence.file {"evidence":"st-3","client":"beta","kind":"special-terms"}
officer terms.agree {"client":"beta","terms":"t1","evidence":"st-3","rules":[],"duties":"None."}
officer approval.give {"client":"acme","approval":"ok1","party":"li","record":"sample","action":"consult","purpose":"service","until":"2026-02-01T00:00:00Z"}
officer approval.give {"client":"acme","approval":"ok2","party":"li","record":"label","action":"consult","purpose":"service","until":"2026-02-01T00:00:00Z"}
officer approval.give {"client":"acme","approval":"ok3","party":"wu","record":"label","action":"consult","purpose":"service","until":"2026-02-01T00:00:00Z"}
gateway access.request {"client":"acme","record":"sample","party":"li","action":"consult","purpose":"service"}
gateway access.request {"client":"acme","record":"label","party":"li","action":"consult","purpose":"gossip"}
gateway access.request {"client":"ghost","record":"label","party":"li","action":"consult","purpose":"service"}
gateway access.request {"client":"acme","record":"sample","party":"li","action":"consult","purpose":"service","approval":"ok1"}
clerk record.lend {"client":"acme","record":"sample","holder":"li","until":"2026-01-20T00:00:00Z"}
clerk violation.report {"client":"acme","party":"li","record":"sample","note":"It came back wet."}
clerk violation.report {"note":"A window was open.","evidence":"st-1"}
+ 24h
officer approval.withdraw {"client":"acme","approval":"ok3","reason":"not needed"}
officer hold.place {"client":"acme","hold":"h1","reason":"a dispute"}
manager hold.place {"client":"beta","hold":"h1","records":["label"],"reason":"an inspection"}
officer hold.lift {"client":"beta","hold":"h1","reason":"refused"}
manager policy.publish {"edition":7,"effective":"2026-01-15T00:00:00Z","major":true,"sha256":"8e3854b38e3854b38e3854b38e3854b38e3854b38e3854b38e3854b38e3854b3","reviewEvery":"P3M","noticeWithin":"P5D","summary":"Stricter"}
clerk policy.notify {"edition":7,"client":"acme","channel":"letter"}
clerk inquiry.receive {"inquiry":"iq-1","client":"beta","from":"Mr Bo","kind":"access","to":"officer","text":"What do you hold of us?"}
clerk inquiry.receive {"inquiry":"iq-2","from":"a journalist","kind":"policy","to":"managing-director","text":"How long?"}
+ 480h
clerk client.register {"client":"cafe","name":"Café","contacts":[]}
clerk policy.notify {"edition":7,"client":"acme","channel":"telephone"}
clerk record.return {"client":"acme","record":"sample"}
officer hold.lift {"client":"acme","hold":"h1","reason":"settled"}
officer record.destroy {"client":"acme","record":"label","method":"shred","operator":"chen","witness":"wu"}
manager hold.lift {"client":"beta","hold":"h1","reason":"done"}
officer record.destroy {"client":"beta","record":"label","method":"wipe","operator":"wu","witness":"chen"}
officer inquiry.answer {"inquiry":"iq-1","text":"One label."}
officer erasure.request {"client":"beta","reason":"asked for"}
manager erasure.approve {"client":"beta"}
officer inquiry.answer {"inquiry":"iq-2","text":"Ten days."}
officer erasure.request {"inquiry":"iq-2","reason":"asked for"}
manager erasure.approve {"inquiry":"iq-2"}
+ 480h
officer terms.end {"client":"acme","terms":"t1","evidence":"st-2"}
manager policy.publish {"edition":8,"major":false,"sha256":"8e3854b38e3854b38e3854b38e3854b38e3854b38e3854b38e3854b38e3854b4","reviewEvery":"P3M","noticeWithin":"P5D","summary":"A comma"}
`

// Contract, section 5, for what the agency looks after.
func TestThePastOfAffairsIsAnsweredAsItWasThen(t *testing.T) {
	answeredAsThen(t, affairs, []string{
		`{"ask":"violations"}`,
		`{"ask":"violations","open":true}`,
		`{"ask":"violations","client":"acme"}`,
		`{"ask":"violations","party":"li","open":true}`,
		`{"ask":"violations","client":"ghost","party":"li"}`,
		`{"ask":"destruction"}`,
		`{"ask":"destruction","by":"2026-02-01T00:00:00Z"}`,
		`{"ask":"destruction","client":"acme","record":"label"}`,
		`{"ask":"notices","edition":6}`,
		`{"ask":"notices","edition":7}`,
		`{"ask":"notices","edition":8}`,
		`{"ask":"inquiries"}`,
		`{"ask":"inquiries","open":true}`,
		`{"ask":"terms","client":"acme"}`,
		`{"ask":"terms","client":"beta"}`,
		`{"ask":"approvals","client":"acme"}`,
		`{"ask":"holds"}`,
		`{"ask":"holds","client":"beta"}`,
		`{"ask":"editions"}`,
		`{"ask":"records","client":"acme"}`,
		`{"ask":"clients"}`,
		`{"ask":"rights","ended":true}`,
	})
}

// II.3: a violation has every denied attempt that joined it and none that didn't, and
// says so where they are more than are shown.
func TestAViolationHasEveryAttemptThatJoinedIt(t *testing.T) {
	b := newBook(t)
	for _, p := range []string{"li", "bo"} {
		b.given("clerk", "party.register", `{"party":"`+p+`","category":"external","kind":"person","name":"x"}`)
	}
	b.given("clerk", "client.register", `{"client":"acme","name":"Acme","contacts":[]}`)
	for range 4 {
		b.together(func() {
			for i := range 450 { // of li, of bo, and of others whom they come with
				party := []string{`"li"`, `"bo","behalfOf":"li"`, `"li","bearer":"bo"`}[i%3]
				b.given("gateway", "access.request", `{"client":"acme","record":"label","party":`+party+`,"action":"consult","purpose":"service"}`)
			}
			b.given("officer", "violation.close", `{"violation":"`+string(b.violating("li"))+`","finding":"mistake","note":"x"}`)
		})
	}
	for _, d := range b.documents() {
		if d.Decision != nil {
			require.Equal(t, domain.Denied, d.Decision.Decision)
		}
	}
	found, _ := b.all("auditor", `{"ask":"violations"}`)
	require.Len(t, found, 5)
	for _, v := range each[violationItem](t, found) {
		var want []uint64
		for _, d := range b.documents() {
			if d.Decision != nil && d.Decision.Violation == v.Violation {
				want = append(want, d.Seq)
			}
		}
		require.Equal(t, want, v.Attempts)
		require.False(t, v.More)
	}

	b.together(func() {
		for range mostAttempts {
			b.given("gateway", "access.request", `{"client":"acme","record":"label","party":"li","action":"consult","purpose":"service"}`)
		}
	})
	joined, _ := b.all("auditor", `{"ask":"violations","party":"li","open":true}`)
	v := each[violationItem](t, joined)
	require.Len(t, v, 1)
	require.Len(t, v[0].Attempts, mostAttempts)
	require.False(t, v[0].More)
	b.given("gateway", "access.request", `{"client":"acme","record":"label","party":"li","action":"consult","purpose":"service"}`)
	joined, _ = b.all("auditor", `{"ask":"violations","party":"li","open":true}`)
	v = each[violationItem](t, joined)
	require.Len(t, v[0].Attempts, mostAttempts)
	require.True(t, v[0].More)
}

// violating is the party's violation at acme that is open.
func (b *book) violating(party string) domain.UUID {
	known, _ := b.history.At(domain.Seq(b.last)).Get(domain.Key{Kind: domain.KindViolating, A: "acme", C: party})
	return known.Fact.(*domain.Violating).Violation
}

// Lists of many clients go on from page to page where they stopped.
func TestListsOfManyClientsGoOnWhereTheyStopped(t *testing.T) {
	b := newBook(t)
	var want []string
	for c := range 30 {
		b.together(func() {
			client := fmt.Sprintf("c-%02d", c)
			b.given("clerk", "client.register", `{"client":"`+client+`","name":"x","contacts":[]}`)
			for r := range 75 {
				id := fmt.Sprintf("r-%02d", r)
				b.given("clerk", "record.register", `{"client":"`+client+`","record":"`+id+`","title":"x","class":"ordinary","medium":"electronic","encrypted":false,"retention":{"after":"registration","keep":"P`+fmt.Sprint(r%2+1)+`D"}}`)
				b.given("officer", "hold.place", `{"client":"`+client+`","hold":"`+id+`","records":["`+id+`"],"reason":"x"}`)
				want = append(want, client+"/"+id)
			}
		})
	}
	require.Greater(t, len(want), 2*mostItems)
	records := func(question string) (got []string, states []string) {
		found, _ := b.all("auditor", question)
		for _, it := range each[destructionItem](t, found) {
			got, states = append(got, string(it.Client+"/"+it.Record)), append(states, it.State)
		}
		slices.Sort(states)
		return got, slices.Compact(states)
	}
	all, states := records(`{"ask":"destruction"}`)
	require.Equal(t, want, all)
	require.Equal(t, []string{stateHeld}, states)
	some, _ := records(`{"ask":"destruction","by":"` + b.clock.AddDate(0, 0, 2).Format(time.RFC3339) + `"}`)
	require.Len(t, some, 30*38)
	var held []string
	found, _ := b.all("auditor", `{"ask":"holds"}`)
	for _, it := range each[holdItem](t, found) {
		held = append(held, string(it.Client+"/"+it.Hold))
	}
	require.Equal(t, want, held)
}
