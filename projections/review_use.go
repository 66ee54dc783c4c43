package projections

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/qtccc/assent/domain"
)

// A use is what was done with an authorisation between two reviews: the accesses
// that were granted on it, and those that it didn't cover and their decision says so.
type use struct {
	Granted  int       `json:"granted"`
	Denied   int       `json:"denied"`
	LastUsed time.Time `json:"lastUsed,omitzero"` // the last grant's
	LastSeq  uint64    `json:"lastSeq,omitzero"`
}

// blocksAFact is how many blocks of the trail without an event that is wanted cost as
// much as a fact.
const blocksAFact = 4

// A snapshotKey is where a page of a review begins: at the authorisations that the
// next chunk of facts holds, of which some are counted, and when all are, some are
// shown.
type snapshotKey struct {
	after   domain.Key // the last fact of the chunk before; the zero Key: at the start
	counted int        // authorisations whose use is known
	seq     uint64     // up to here the next ones' is
	shown   int        // authorisations that are shown
	uses    []use      // of all of the chunk; nil: nothing is counted yet
}

func (k *snapshotKey) key() []string {
	uses := make([]string, len(k.uses))
	for i, u := range k.uses {
		if u != (use{}) {
			uses[i] = fmt.Sprintf("%d.%d.%d", u.Granted, u.Denied, u.LastSeq)
		}
	}
	return []string{k.after.C, number(uint64(k.counted)), number(k.seq), number(uint64(k.shown)), strings.Join(uses, ",")}
}

func (a *asking) snapshotKey() (*snapshotKey, error) {
	part, err := a.key(5)
	if err != nil || part == nil {
		return &snapshotKey{}, err
	}
	k := &snapshotKey{}
	if part[0] != "" {
		k.after = domain.Key{Kind: domain.KindReviewable, C: part[0]}
	}
	if _, err := fmt.Sscanf(strings.Join(part[1:4], " "), "%d %d %d", &k.counted, &k.seq, &k.shown); err != nil {
		return nil, wrong("/cursor", errCursor.Error())
	}
	if part[4] == "" {
		return k, nil // nothing is counted, or nothing was found
	}
	for s := range strings.SplitSeq(part[4], ",") {
		var u use
		if s != "" {
			if _, err := fmt.Sscanf(s, "%d.%d.%d", &u.Granted, &u.Denied, &u.LastSeq); err != nil {
				return nil, wrong("/cursor", errCursor.Error())
			}
		}
		k.uses = append(k.uses, u)
	}
	return k, nil
}

// begin makes room for the counts of the chunk's authorisations, where there are
// none yet.
func (k *snapshotKey) begin(rights []*domain.Right) error {
	if k.uses == nil {
		k.uses = make([]use, len(rights))
	}
	if len(k.uses) != len(rights) || k.counted < 0 || k.counted > len(rights) || k.shown < 0 || k.shown > k.counted {
		return wrong("/cursor", errCursor.Error())
	}
	return nil
}

// countUse counts the use of the chunk's authorisations, a client's all together. It
// says false where the page has looked at enough; what it has counted stands in at.
func (a *asking) countUse(s *sitting, rights []*domain.Right, at *snapshotKey) (done bool, err error) {
	for at.counted < len(rights) {
		if a.full() {
			return false, nil
		}
		n := at.counted + 1
		for n < len(rights) && rights[n].Client == rights[at.counted].Client {
			n++
		}
		done, err := a.countUseAt(s, rights[at.counted:n], at.uses[at.counted:n], &at.seq)
		if err != nil || !done {
			return false, err
		}
		at.counted, at.seq = n, 0
	}
	return true, nil
}

// countUseAt counts the use of authorisations of one client by the events after seq,
// and moves seq on. The first events of a client are all looked at: most clients have
// few, and looking for ten parties in each block of the trail costs more. Of the
// others those alone that name one of the parties.
func (a *asking) countUseAt(s *sitting, rights []*domain.Right, uses []use, seq *uint64) (done bool, err error) {
	of := make(map[string]int, len(rights))
	var parties mentions
	for i, r := range rights {
		of[r.Ref()] = i
		parties.add(byParty, string(r.Party))
	}
	wanted := [][]mention{{{byClient, string(rights[0].Client)}}}
	if *seq > uint64(s.since) {
		wanted = append(wanted, parties)
	}
	*seq = min(max(*seq, uint64(s.since)), uint64(s.opened)-1)
	a.scanned += int(uint64(s.opened)-*seq) / blockSize / blocksAFact
	for {
		seqs, more, err := a.s.cfg.Store.having(wanted, *seq+1, uint64(s.opened), chunk)
		if err != nil {
			return false, err
		}
		docs, err := a.s.documents(a.ctx, seqs)
		if err != nil {
			return false, err
		}
		for _, n := range seqs {
			tell(docs[n], of, uses)
			*seq = n
		}
		a.scanned += len(seqs)
		if !more {
			return true, nil
		}
		if a.full() {
			return false, nil
		}
		wanted = append(wanted[:1], parties)
	}
}

// tell counts a decision, if it is one, for each authorisation that it names, once.
func tell(d recorded, of map[string]int, uses []use) {
	if d.Decision == nil {
		return
	}
	var told []int
	for i := range d.Decision.Reasons {
		n, ok := of[d.Decision.Reasons[i].Right]
		if !ok || slices.Contains(told, n) {
			continue
		}
		told = append(told, n)
		if d.Decision.Decision == domain.Granted {
			uses[n].Granted++
			uses[n].LastSeq = d.Seq
		} else {
			uses[n].Denied++
		}
	}
}

// having is a page of the events from begin to end, half-open, that have one mention
// of each of the wanted.
func (s *Store) having(wanted [][]mention, begin, end uint64, limit int) (seqs []uint64, more bool, err error) {
	if begin >= end {
		return nil, false, nil
	}
	g, err := s.use()
	if err != nil {
		return nil, false, err
	}
	defer g.leave()
	return s.found(g, wanted, begin, min(end, g.position()+1), limit)
}
