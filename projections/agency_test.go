package projections

import (
	"strings"
	"testing"
	"time"
)

// agency is a ledger in which every kind of thing has happened: "+ DURATION" moves
// the clock, other lines are an actor, a command and its data. What is refused is
// recorded, what is denied too.
const agency = `
clerk party.register {"party":"agency","category":"staff","kind":"institution","name":"The Agency"}
clerk party.register {"party":"wu","category":"staff","kind":"person","of":"agency","name":"Wu Min"}
clerk party.register {"party":"chen","category":"staff","kind":"person","of":"agency","name":"Chen Jie"}
clerk party.register {"party":"courier","category":"contractor","kind":"institution","name":"Fast Courier"}
clerk party.register {"party":"li","category":"external","kind":"person","name":"Li Hua"}
clerk party.register {"party":"lawyer","category":"external","kind":"institution","name":"Chen Law"}
clerk party.register {"party":"agent","category":"external","kind":"person","name":"Agent Wang"}
clerk party.register {"party":"bank","category":"authority","kind":"institution","name":"The Bank"}
admin identity.add {"actor":"wu","role":"clerk","publicKey":"UCAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","party":"wu"}
+ 24h
clerk client.register {"client":"acme","name":"Acme Cosmetics","contacts":["li"]}
clerk client.register {"client":"beta","name":"Beta Foods","contacts":[]}
clerk record.register {"client":"acme","record":"label","title":"Label","class":"ordinary","medium":"electronic","encrypted":false,"retention":{"after":"registration","keep":"P1M"}}
clerk record.register {"client":"acme","record":"formula","title":"Formula","class":"sensitive","medium":"physical","custody":"safe 2","encrypted":false,"retention":{"after":"registration","keep":"P5Y"}}
clerk record.register {"client":"beta","record":"label","title":"Beta's label","class":"ordinary","medium":"electronic","encrypted":false,"retention":{"after":"registration","keep":"P1D"}}
gateway access.request {"client":"acme","record":"label","party":"li","action":"consult","purpose":"service"}
gateway access.request {"client":"acme","record":"label","party":"lawyer","action":"consult","purpose":"service"}
gateway access.request {"client":"acme","record":"label","party":"lawyer","action":"consult","purpose":"gossip"}
gateway access.request {"client":"ghost","record":"label","party":"lawyer","action":"consult","purpose":"service"}
+ 48h
officer training.complete {"party":"wu","course":"confidentiality","until":"2026-06-01T00:00:00Z"}
clerk evidence.file {"evidence":"nda","party":"courier","kind":"undertaking"}
officer undertaking.give {"party":"courier","evidence":"nda","until":"2026-05-01T00:00:00Z"}
clerk evidence.file {"evidence":"ec-1","client":"acme","kind":"engagement-confirmation","signedBy":"Zhang San"}
clerk engagement.confirm {"client":"acme","engagement":"reg","evidence":"ec-1","purposes":["service","registration"],"designees":[{"designation":"d1","party":"lawyer","scope":{"engagements":["reg"],"sensitive":true},"until":"2026-04-01T00:00:00Z"}]}
clerk record.amend {"client":"acme","record":"formula","title":"Formula of the cream","custody":"safe 3","reason":"moved"}
officer record.amend {"client":"acme","record":"formula","engagement":"reg","reason":"belongs there"}
clerk record.register {"client":"acme","record":"dossier","engagement":"reg","title":"Dossier","class":"ordinary","medium":"electronic","encrypted":false,"retention":{"after":"engagement","keep":"P10D"}}
officer authorization.issue {"client":"acme","authorization":"a1","party":"wu","engagement":"reg","scope":{"engagements":["reg"],"sensitive":true},"purposes":["service"],"actions":["consult","transfer"],"need":"prepares the filing"}
officer authorization.issue {"client":"acme","authorization":"a2","party":"courier","scope":{"records":["label"]},"purposes":["relationship"],"need":"carries it","until":"2026-12-31T00:00:00Z"}
officer authorization.issue {"client":"beta","authorization":"a1","party":"wu","scope":{"all":true},"purposes":["relationship"],"need":"keeps in touch","evidence":"nda"}
officer authorization.issue {"client":"acme","authorization":"a3","party":"lawyer","scope":{"all":true},"purposes":["relationship"],"need":"refused"}
gateway access.request {"client":"acme","record":"formula","party":"wu","action":"consult","purpose":"service"}
gateway access.request {"client":"acme","record":"formula","party":"wu","action":"transfer","purpose":"service","recipient":"lawyer"}
gateway access.request {"client":"acme","record":"formula","party":"lawyer","action":"consult","purpose":"service"}
+ 1h
clerk evidence.file {"evidence":"special","client":"acme","kind":"special-authorization"}
officer delegation.authorize {"client":"acme","delegation":"g1","designation":"d1","delegate":"agent","evidence":"special"}
gateway access.request {"client":"acme","record":"dossier","party":"agent","action":"consult","purpose":"service","behalfOf":"lawyer"}
clerk evidence.file {"evidence":"letter","client":"acme","kind":"confirmation-letter"}
clerk designation.make {"client":"acme","designation":"d2","party":"li","scope":{"all":true},"actions":["consult","modify"],"evidence":"letter"}
clerk evidence.file {"evidence":"mc","client":"acme","kind":"modification-confirmation","record":"label"}
gateway access.request {"client":"acme","record":"label","party":"li","action":"modify","purpose":"service","confirmation":"mc"}
gateway access.request {"client":"acme","record":"label","party":"li","action":"modify","purpose":"service","confirmation":"mc"}
clerk evidence.file {"evidence":"letter-2","client":"acme","kind":"confirmation-letter"}
clerk designation.change {"client":"acme","designation":"d1","scope":{"records":["label"]},"purposes":["service"],"actions":["consult"],"evidence":"letter-2"}
clerk evidence.file {"evidence":"consent-1","client":"acme","kind":"consent"}
clerk consent.give {"client":"acme","consent":"c1","party":"bank","scope":{"records":["label"]},"purposes":["fees"],"evidence":"consent-1"}
gateway access.request {"client":"acme","record":"label","party":"bank","action":"consult","purpose":"fees"}
+ 720h
clerk consent.withdraw {"client":"acme","consent":"c1","reason":"no longer"}
clerk contact.name {"client":"beta","party":"agent"}
clerk contact.drop {"client":"beta","party":"agent"}
clerk contact.name {"client":"beta","party":"li"}
officer client.amend {"client":"acme","name":"Acme GmbH","reason":"new legal form"}
officer party.amend {"party":"agent","name":"Agent Wang Lei","reason":"misspelt"}
officer evidence.void {"evidence":"nda","reason":"not theirs"}
officer evidence.void {"evidence":"letter","reason":"forged"}
officer record.destroy {"client":"beta","record":"label","method":"shred","operator":"chen","witness":"wu"}
officer record.destroy {"client":"acme","record":"formula","method":"shred","operator":"chen","witness":"wu"}
officer engagement.close {"client":"acme","engagement":"reg","reason":"registered"}
+ 240h
officer engagement.reopen {"client":"acme","engagement":"reg","reason":"a query"}
officer engagement.close {"client":"acme","engagement":"reg","reason":"answered"}
officer party.retire {"party":"courier","reason":"dropped"}
officer authorization.revoke {"client":"beta","authorization":"a1","reason":"moved"}
admin identity.revoke {"actor":"wu"}
admin clock.affirm {}
+ 4320h
gateway access.request {"client":"acme","record":"label","party":"wu","action":"consult","purpose":"service"}
officer party.restore {"party":"courier","reason":"back"}
clerk designation.revoke {"client":"acme","designation":"d2","reason":"mandate ended"}
`

// play records the lines.
func (b *book) play(t testing.TB, lines string) {
	for line := range strings.Lines(lines) {
		switch line = strings.TrimSpace(line); {
		case line == "":
		case strings.HasPrefix(line, "+ "):
			d, err := time.ParseDuration(line[2:])
			if err != nil {
				t.Fatal(err)
			}
			b.clock = b.clock.Add(d)
		default:
			actor, rest, _ := strings.Cut(line, " ")
			name, data, _ := strings.Cut(rest, " ")
			if e, f := b.issue(actor, name, withDefaults(t, name, data)); e == nil {
				t.Fatalf("%s: %v", line, f)
			}
		}
	}
}
