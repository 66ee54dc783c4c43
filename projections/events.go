package projections

import "errors"

// errFull ends a reading where the page takes no more.
var errFull = errors.New("the page is full")

// events: the record itself, byte for byte as the stream has it. A page holds as
// many as fit, and its cursor, or else its `at`, says where the next one begins.
func (a *asking) events() error {
	after, err := a.seqKey()
	if err != nil {
		return err
	}
	if a.cursor == nil {
		after = a.after
	}
	if a.client != "" || a.kind != "" {
		return a.someEvents(after)
	}
	return a.allEvents(after)
}

func (a *asking) allEvents(after uint64) error {
	if after >= a.n {
		return nil
	}
	last := min(a.n, after+mostItems) // nothing is read that no page can hold
	err := a.s.read(a.ctx, after+1, last, func(m message) error {
		d, err := parsed(m, after+1)
		if err != nil {
			return err
		}
		if !a.addRaw(d.raw) {
			a.next = []string{number(after)}
			return errFull
		}
		after = d.Seq
		return nil
	})
	switch {
	case err != nil && !errors.Is(err, errFull):
		return err
	case err == nil && last < a.n:
		a.next = []string{number(last)}
	}
	return nil
}

// someEvents are those that the trail finds.
func (a *asking) someEvents(after uint64) error {
	q := TrailQuery{Client: a.client, Type: a.kind, To: a.n + 1}
	for {
		seqs, more, err := a.s.cfg.Store.Trail(q, after, trailChunk)
		if err != nil {
			return err
		}
		docs, err := a.s.documents(a.ctx, seqs)
		if err != nil {
			return err
		}
		for _, seq := range seqs {
			if a.full() || !a.addRaw(docs[seq].raw) {
				a.next = []string{number(after)}
				return nil
			}
			after = seq
		}
		if !more {
			return nil
		}
	}
}
