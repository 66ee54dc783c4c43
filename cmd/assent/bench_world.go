package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// A world is what the bench's ledger is about: clients, each with an Engagement
// Confirmation and two designees, two records, one of them sensitive, and one of the
// staff that is authorised.
type world struct{ clients int }

const (
	worldStaff     = 40
	worldOutsiders = 200
	// perClient are the commands of the clerk that make a client.
	perClient = 5
	// setupParts are how many connections make the clients.
	setupParts = 4
)

// A phase is to be answered before the next one begins. Its parts are issued side by
// side, each in its order.
type phase struct {
	as    string
	parts []part
}

type part struct {
	count int
	make  func(i int) (name, data string)
}

func (w world) phases() []phase {
	return []phase{
		{"clerk", []part{{worldStaff, w.staff}, {worldOutsiders, w.outsider}}},
		{"officer", []part{{worldStaff, w.training}}},
		{"clerk", w.split(perClient, w.client)},
		{"officer", w.split(1, w.authorization)},
	}
}

// split shares the clients among the connections; each client's commands stay on
// one, in their order.
func (w world) split(each int, make func(client, i int) (name, data string)) []part {
	parts := []part{}
	for p := range setupParts {
		mine := (w.clients - p + setupParts - 1) / setupParts
		parts = append(parts, part{mine * each, func(i int) (string, string) {
			return make(i/each*setupParts+p, i%each)
		}})
	}
	return parts
}

func (w world) staff(i int) (string, string) {
	return "party.register", fmt.Sprintf(`{"party":"s-%d","category":"staff","kind":"person","name":"Staff member %d"}`, i, i)
}

func (w world) outsider(i int) (string, string) {
	return "party.register", fmt.Sprintf(`{"party":"x-%d","category":"external","kind":"institution","name":"Outside institution %d"}`, i, i)
}

func (w world) training(i int) (string, string) {
	return "training.complete", fmt.Sprintf(`{"party":"s-%d","course":"confidentiality","until":"%s"}`, i,
		time.Now().AddDate(1, 0, 0).UTC().Format(time.RFC3339))
}

func (w world) client(c, i int) (string, string) {
	switch i {
	case 0:
		return "client.register", fmt.Sprintf(`{"client":"k-%d","name":"Client number %d","contacts":["x-%d"]}`, c, c, (c+7)%worldOutsiders)
	case 1:
		sum := sha256.Sum256(fmt.Appendf(nil, "ec-%d", c))
		return "evidence.file", fmt.Sprintf(`{"evidence":"ec-%d","client":"k-%d","kind":"engagement-confirmation","sha256":"%s","size":48213,`+
			`"mediaType":"application/pdf","signed":true,"stamped":true,"signedOn":"2024-01-02T00:00:00Z","custody":"paper","place":"registry"}`,
			c, c, hex.EncodeToString(sum[:]))
	case 2:
		return "engagement.confirm", fmt.Sprintf(`{"client":"k-%d","engagement":"e-1","evidence":"ec-%d","purposes":["service","registration"],"designees":[`+
			`{"designation":"d-1","party":"x-%d","scope":{"engagements":["e-1"]},"actions":["consult","transfer"]},`+
			`{"designation":"d-2","party":"x-%d","scope":{"engagements":["e-1"]}}]}`, c, c, c%worldOutsiders, (c+1)%worldOutsiders)
	case 3:
		return "record.register", fmt.Sprintf(`{"client":"k-%d","record":"r-1","engagement":"e-1","title":"Label artwork","class":"ordinary",`+
			`"medium":"electronic","encrypted":false,"retention":{"after":"engagement","keep":"P5Y"}}`, c)
	}
	return "record.register", fmt.Sprintf(`{"client":"k-%d","record":"r-2","engagement":"e-1","title":"Formula","class":"sensitive",`+
		`"medium":"electronic","encrypted":true,"retention":{"after":"engagement","keep":"P5Y"}}`, c)
}

func (w world) authorization(c, _ int) (string, string) {
	return "authorization.issue", fmt.Sprintf(`{"client":"k-%d","authorization":"a-1","party":"s-%d","engagement":"e-1",`+
		`"scope":{"engagements":["e-1"]},"purposes":["service","registration"],"need":"prepares the filing"}`, c, c%worldStaff)
}

// access is an access request as it comes by chance, its data in canonical form: of
// a hundred, 80 consultations and 6 transfers that are granted, and 14 denials.
func (w world) access(chance uint64) []byte {
	c := int(chance % uint64(w.clients))
	party, record, action, more := fmt.Sprint("x-", c%worldOutsiders), "r-1", "consult", ""
	switch n := chance / uint64(w.clients) % 100; {
	case n < 60: // a designee consults
	case n < 80: // staff does
		party = fmt.Sprint("s-", c%worldStaff)
	case n < 86: // a designee passes the record on to the other one
		action, more = "transfer", fmt.Sprintf(`,"recipient":"x-%d"`, (c+1)%worldOutsiders)
	case n < 92: // nobody designated it
		party = fmt.Sprint("x-", (c+50)%worldOutsiders)
	case n < 96: // its designation doesn't cover sensitive records
		record = "r-2"
	default: // staff of another desk
		party = fmt.Sprint("s-", (c+1)%worldStaff)
	}
	return fmt.Appendf(nil, `{"action":"%s","client":"k-%d","party":"%s","purpose":"registration"%s,"record":"%s"}`, action, c, party, more, record)
}
