package projections

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/qtccc/assent/domain"
)

// An answer has at most this many items and bytes; the server carries 1 MiB.
const (
	mostItems  = 1000
	mostAnswer = 900 << 10
)

// mostScanned bounds how many facts one page looks at, however few of them fit the
// question: then the page is short, and its cursor goes on.
const mostScanned = 4000

// chunk is how many facts are read, and shown, at a time.
const chunk = 250

// An asking is one question being answered: one goroutine owns it.
type asking struct {
	*asked
	s   *Service
	ctx context.Context
	// n is the last event that the answer knows, for all pages of it.
	n uint64
	// seq and moment are what `at` says: the facts after event seq, bounds judged
	// at that moment.
	seq    domain.Seq
	moment time.Time
	view   domain.View // after event seq

	items   []byte // of the page, with commas
	count   int
	scanned int
	next    []string // where the next page begins; nil: this is the last one
}

// start settles at which event and which moment the question is answered; latest is
// the last event that is applied.
func (a *asking) start(latest uint64) error {
	a.n = latest
	c := a.cursor
	switch {
	case c != nil:
		if c.Mark != a.s.mark(a.asked) || c.N > latest {
			return wrong("/cursor", errCursor.Error())
		}
		a.n, a.seq, a.moment = c.N, domain.Seq(c.At), c.Time
	case a.at.seq > latest:
		return wrong("/at", fmt.Sprintf("the last event is %d", latest))
	case a.at.seq != 0:
		t, err := a.s.cfg.Store.TimeOf(a.at.seq)
		if err != nil {
			return err
		}
		a.seq, a.moment = domain.Seq(a.at.seq), t
	case a.at.given():
		n, err := a.s.cfg.Store.SeqAt(a.at.time)
		if err != nil {
			return err
		}
		a.seq, a.moment = domain.Seq(min(n, latest)), a.at.time
	default:
		t, err := a.s.now(latest)
		if err != nil {
			return err
		}
		a.seq, a.moment = domain.Seq(latest), t
	}
	a.view = &once{View: a.s.cfg.Store.At(a.seq)}
	return nil
}

// key is where the page begins, of n parts; nil: at the start.
func (a *asking) key(n int) ([]string, error) {
	if a.cursor == nil {
		return nil, nil
	}
	if len(a.cursor.Key) != n {
		return nil, wrong("/cursor", errCursor.Error())
	}
	return a.cursor.Key, nil
}

// seqKey is the event after which the page begins.
func (a *asking) seqKey() (uint64, error) {
	k, err := a.key(1)
	if err != nil || k == nil {
		return 0, err
	}
	n, err := strconv.ParseUint(k[0], 10, 64)
	if err != nil {
		return 0, wrong("/cursor", errCursor.Error())
	}
	return n, nil
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// full says whether the page takes no more.
func (a *asking) full() bool { return a.count >= mostItems || a.scanned >= mostScanned }

// add adds an item. It says false, and adds nothing, where the page has no room for
// it; a page takes one item at least.
func (a *asking) add(item any) (bool, error) {
	b, err := json.Marshal(item)
	if err != nil {
		return false, fmt.Errorf("write an item of %s: %w", a.Ask, err)
	}
	return a.addRaw(b), nil
}

func (a *asking) addRaw(item []byte) bool {
	if a.count > 0 && (a.count >= mostItems || len(a.items)+1+len(item) > mostAnswer) {
		return false
	}
	if a.count > 0 {
		a.items = append(a.items, ',')
	}
	a.items = append(a.items, item...)
	a.count++
	return true
}

// encode is the whole answer.
func (a *asking) encode() []byte {
	b := fmt.Appendf(make([]byte, 0, len(a.items)+256), `{"ok":true,"at":%d,`, a.seq)
	if a.One {
		return append(append(append(b, `"item":`...), a.items...), '}')
	}
	b = append(append(append(b, `"items":[`...), a.items...), ']')
	if a.next != nil {
		c := cursor{Mark: a.s.mark(a.asked), N: a.n, At: uint64(a.seq), Time: a.moment, Key: a.next}
		b = append(append(append(b, `,"cursor":"`...), c.String()...), '"')
	}
	return append(b, '}')
}

// refusal is the answer to a question that failed.
func refusal(f *domain.Fault) []byte {
	b := append([]byte(`{"ok":false,"error":`), `{"code":"`...)
	b = append(append(b, f.Code...), '"')
	if f.Field != "" {
		b, _ = jsontext.AppendQuote(append(b, `,"field":`...), f.Field)
	}
	b, _ = jsontext.AppendQuote(append(b, `,"message":`...), f.Message)
	return append(b, "}}"...)
}

// fault is the error as it leaves the house. What isn't a fault is the operator's
// to know; the asker hears that nothing can be answered.
func (s *Service) fault(q *asked, err error) *domain.Fault {
	if f := (*domain.Fault)(nil); errors.As(err, &f) {
		return f
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, ErrClosed) {
		return unavailable("the ledger could not answer in time; ask again")
	}
	s.cfg.Logger.Error("a question could not be answered", "ask", q.Ask, "err", err)
	return unavailable("the ledger can't read what it knows; its log says why")
}

// once asks the view for each fact once. A page of rights asks for the same papers
// over and over. One goroutine owns it.
type once struct {
	domain.View
	facts map[domain.Key]domain.Known // an absent one has no Fact
}

func (o *once) Get(k domain.Key) (domain.Known, bool) {
	known, ok := o.facts[k]
	if !ok {
		known, _ = o.View.Get(k)
		if o.facts == nil {
			o.facts = map[domain.Key]domain.Known{}
		}
		o.facts[k] = known
	}
	return known, known.Fact != nil
}

// fact is the fact under the key, nil where there is none.
func fact[F any](v domain.View, k domain.Key) (*F, domain.Known) {
	known, ok := v.Get(k)
	if !ok {
		return nil, domain.Known{}
	}
	return any(known.Fact).(*F), known
}
