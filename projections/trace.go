package projections

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/qtccc/assent/domain"
)

// A traceItem is one chain (II.1): a right, terms or an approval, back to the paper
// that it rests on, and forward to every access that relied on it.
type traceItem struct {
	Right any `json:"right,omitzero"` // none: the paper alone
	// Instrument is the paper that the question names, or else the one that it rests
	// on; none: it rests on a command alone.
	Instrument *instrument `json:"instrument,omitzero"`
	// From is the paper on which the designation rested that a delegation is from, when
	// it was delegated: any change of the designation ends the delegation.
	From *instrument `json:"from,omitzero"`
	// Others are the other papers that a designation rests and rested on, since it was
	// changed; at most 16 of them, the latest.
	Others []*instrument    `json:"others,omitzero"`
	Relied []jsontext.Value `json:"relied"`
	// More says that the next page begins with this item again, and the accesses that
	// follow.
	More bool `json:"more,omitzero"`
}

// A reliedItem is one access whose decision names what the item is about.
type reliedItem struct {
	Seq       uint64        `json:"seq"`
	Time      time.Time     `json:"time"`
	Party     domain.ID     `json:"party"`
	Record    domain.ID     `json:"record"`
	Action    domain.Action `json:"action"`
	Purpose   domain.ID     `json:"purpose"`
	Decision  string        `json:"decision"` // granted, or denied
	Attempt   domain.UUID   `json:"attempt"`
	Bearer    domain.ID     `json:"bearer,omitzero"`
	Recipient domain.ID     `json:"recipient,omitzero"`
	BehalfOf  domain.ID     `json:"behalfOf,omitzero"`
	// Clause and Code are of the reason that names it, Evidence the papers that this
	// reason rests on.
	Clause   domain.Clause `json:"clause"`
	Code     string        `json:"code"`
	Evidence []domain.ID   `json:"evidence,omitzero"`
}

// A tracing is a trace being answered.
type tracing struct {
	*asking
	listed int                  // accesses on the page
	rested map[string][]resting // of designations, by client and id
}

// full says whether the page takes no more.
func (t *tracing) full() bool { return t.listed >= mostItems || t.asking.full() }

// A traceKey is where a page of a trace begins.
type traceKey struct {
	seq    uint64 // at what this event made,
	link   int    // this one of it,
	relied uint64 // with the accesses after this event
	any    bool   // there was an item before
}

func (k *traceKey) key() []string {
	return []string{number(k.seq), strconv.Itoa(k.link), number(k.relied), strconv.FormatBool(k.any)}
}

func (t *tracing) traceKey() (k traceKey, err error) {
	part, err := t.key(4)
	if err != nil || part == nil {
		return k, err
	}
	var link uint64
	for i, into := range [...]*uint64{&k.seq, &link, &k.relied} {
		if *into, err = strconv.ParseUint(part[i], 10, 53); err != nil {
			return k, wrong("/cursor", errCursor.Error())
		}
	}
	k.link, k.any = int(link), part[3] == "true"
	return k, nil
}

// trace: from a right, a paper or a decision back to the written instrument, and
// forward to every access that relied on it (II.1: the consent must be traceable).
// What it finds it looks up in the trail and reads from the decisions; nothing is
// kept for it.
func (a *asking) trace() error {
	a.ended = true // a right that has ended is shown as well
	t := &tracing{asking: a, rested: map[string][]resting{}}
	if err := t.form(); err != nil {
		return err
	}
	at, err := t.traceKey()
	if err != nil {
		return err
	}
	for more := true; more; {
		var made []making
		if made, more, err = t.makings(at.seq); err != nil {
			return err
		}
		for _, m := range made {
			if m.seq > at.seq {
				at = traceKey{seq: m.seq, any: at.any}
			}
			at.any = at.any || len(m.links) > 0
			if done, err := t.items(m.links, &at); err != nil || !done {
				return err
			}
			at = traceKey{seq: m.seq + 1, any: at.any}
		}
		if t.scanned += len(made); more && t.full() {
			t.next = at.key()
			return nil
		}
	}
	if t.evidence == "" || !t.alone(at.any) {
		return nil
	}
	at.seq = uint64(t.seq) + 1
	_, err = t.items([]traced{{id: t.evidence}}, &at)
	return err
}

// items adds an item for each link from the key on. It says false where the page is
// full.
func (t *tracing) items(links []traced, at *traceKey) (done bool, err error) {
	for ; at.link < len(links); at.link, at.relied = at.link+1, 0 {
		done := !t.full()
		if done {
			done, err = t.item(links[at.link], &at.relied)
		}
		if err != nil || !done {
			t.next = at.key()
			return false, err
		}
	}
	return true, nil
}

// item adds one link's, with its accesses after the event relied, and moves that on.
// It says false where the page has no room for the item, or for all of its accesses.
func (t *tracing) item(l traced, relied *uint64) (done bool, err error) {
	it, err := t.head(l)
	if err != nil {
		return false, err
	}
	head, err := json.Marshal(it)
	if err != nil {
		return false, err
	}
	room := mostAnswer - len(t.asking.items) - len(head) - len(`,"more":true`)
	after := max(*relied, uint64(l.made))
	put := func(done bool) (bool, error) {
		it.More = !done
		ok, err := t.add(it)
		if ok {
			*relied = after
		}
		return ok && done, err
	}
	more := l.wanted() != nil
	if more {
		t.scanned += int(uint64(t.seq)-min(after, uint64(t.seq))) / blockSize / blocksAFact
	}
	for more {
		var seqs []uint64
		if seqs, more, err = t.s.cfg.Store.having(l.wanted(), after+1, uint64(t.seq)+1, chunk); err != nil {
			return false, err
		}
		docs, err := t.s.documents(t.ctx, seqs)
		if err != nil {
			return false, err
		}
		for _, seq := range seqs {
			entry, err := t.reliedOn(l, docs[seq])
			if err != nil {
				return false, err
			}
			if entry != nil {
				if room -= len(entry) + 1; room < 0 || t.listed == mostItems {
					return put(false)
				}
				it.Relied = append(it.Relied, entry)
				t.listed++
			}
			after = seq
		}
		if t.scanned += len(seqs); more && t.full() {
			return put(false)
		}
	}
	return put(true)
}

// reliedOn is the access as the item shows it; nil where its decision doesn't name
// what the item is about.
func (t *tracing) reliedOn(l traced, d recorded) (jsontext.Value, error) {
	e, err := d.Event()
	if err != nil {
		return nil, err
	}
	req := e.Data.(*domain.AccessRequest)
	for i := range e.Decision.Reasons {
		if r := &e.Decision.Reasons[i]; t.names(l, r, req) {
			return json.Marshal(reliedItem{Seq: d.Seq, Time: d.Time, Party: req.Party, Record: req.Record, Action: req.Action,
				Purpose: req.Purpose, Decision: e.Decision.Decision, Attempt: d.ID, Bearer: req.Bearer, Recipient: req.Recipient,
				BehalfOf: req.BehalfOf, Clause: r.Clause, Code: r.Code, Evidence: r.Evidence})
		}
	}
	return nil, nil
}

// wanted are the accesses in whose decisions it may be named, as the trail finds
// them; nil: no decision names it.
func (l *traced) wanted() [][]mention {
	decided := []mention{{byDecision, domain.Granted}, {byDecision, domain.Denied}}
	switch l.kind {
	case "":
		return [][]mention{{{byEvidence, string(l.id)}}, {{byClause, string(modified)}}, decided}
	case tracedUndertaking:
		return nil
	case tracedTerms, tracedApproval:
		return [][]mention{{{byClient, string(l.client)}}, {{byClause, string(special)}}, decided}
	}
	return [][]mention{{{byClient, string(l.client)}}, {{byParty, string(l.party)}}, decided}
}

// The clauses of terms and approvals, and of the confirmations that a modification
// uses.
const (
	special  domain.Clause = "II.6"
	modified domain.Clause = "IV.3"
)

// names says whether the reason of a decision names what the item is about. A
// designation is named by its delegations too. Reasons of one clause and code stand
// as one, which has the earliest of their rights: the right of another kind is known
// by the event that made it.
func (t *tracing) names(l traced, r *domain.Reason, req *domain.AccessRequest) bool {
	made := slices.Contains(r.Refs, l.made)
	switch l.kind {
	case "":
		return r.Clause == modified && slices.Contains(r.Evidence, l.id)
	case tracedTerms:
		return r.Clause == special && made
	case tracedApproval:
		return r.Clause == special && req.Approval == l.id && (r.Code == "approved" || r.Code == "approval-missing")
	case tracedContact:
		return r.Right == l.ref() && made
	}
	kind, id, _ := cutRef(r.Right)
	switch {
	case r.Right == l.ref():
		return true
	case kind == string(domain.Delegated):
		g, _, _ := domain.FindRight(t.view, l.client, domain.Delegated, id)
		return g != nil && l.kind == string(domain.Designated) && g.Designation == l.id
	case r.Right == "" || kind == l.kind || kind == tracedContact:
		return false
	}
	side := req.Party
	if strings.HasPrefix(r.Code, "recipient-") {
		side = req.Recipient
	}
	return made && side == l.party
}
