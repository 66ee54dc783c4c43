package domain_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/domain/lawtest"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// TestDecidingTwiceIsDecidingOnce: the same history, command, time and id give the
// same outcome to the byte, the same changes, and leave what was known as it was.
func TestDecidingTwiceIsDecidingOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := settled(t)
		ch := chance(t)
		for range 10 {
			as, data := l.MakeUp(ch)
			c := l.Command(as, data)
			first := domain.Decide(l.View(), c, l.Now, l.Next())
			second := domain.Decide(l.View(), c, l.Now, l.Next())
			require.Equal(t, first, second)
			if d := first.Decision; d != nil {
				require.Equal(t, string(cloudevent.AppendDecision(nil, d)), string(cloudevent.AppendDecision(nil, second.Decision)))
			}
			_, e := l.Send(c)
			if e == nil {
				continue
			}
			h := lawtest.Replay(l.Events[:len(l.Events)-1])
			again := domain.Apply(l.History.At(e.Seq-1), e)
			require.Equal(t, again, domain.Apply(h.At(e.Seq-1), e))
			for _, change := range again {
				known, _ := l.View().Get(change.Key)
				require.Equal(t, change.Fact, known.Fact)
				require.Equal(t, e.Seq, known.From)
				require.LessOrEqual(t, known.First, known.From)
			}
		}
	})
}

// TestThePastStaysAsItWas: what is decided after event n is what a ledger decides
// that holds the first n events and no more; so an attempt derived anew is, to the
// byte, what was recorded.
func TestThePastStaysAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := settled(t)
		n := rapid.IntRange(0, len(l.Events)).Draw(t, "n")
		short := lawtest.Replay(l.Events[:n])
		for _, r := range requests(t, l) {
			want := domain.DecideAccess(short.At(domain.Seq(n)), r, l.Now, l.Next())
			require.Equal(t, want, domain.DecideAccess(l.History.At(domain.Seq(n)), r, l.Now, l.Next()))
		}
		for _, e := range l.Events {
			if r, ok := e.Data.(*domain.AccessRequest); ok && e.Decision != nil {
				d := domain.DecideAccess(l.History.At(e.Seq-1), r, e.Time, e.ID)
				require.Equal(t, string(cloudevent.AppendDecision(nil, e.Decision)), string(cloudevent.AppendDecision(nil, d)))
			}
		}
	})
}

// TestTheViewAtNIsThatOfALedgerWithNEvents: every fact, its life, and every list, for
// every n.
func TestTheViewAtNIsThatOfALedgerWithNEvents(t *testing.T) {
	type list struct {
		kind domain.Kind
		a, b string
	}
	for seed := range 12 {
		l, c := lawtest.Open(newYear), seeded(seed)
		l.Settle()
		for range 150 {
			l.Step(c)
		}
		short, all := &domain.History{}, map[domain.Key]bool{}
		for _, e := range l.Events {
			for _, change := range short.Record(e) {
				all[change.Key] = true
			}
		}
		keys, lists := map[domain.Kind][]domain.Key{}, map[list]bool{}
		for k := range all {
			keys[k.Kind] = append(keys[k.Kind], k)
			lists[list{k.Kind, k.A, ""}], lists[list{k.Kind, k.A, k.B}] = true, true
		}
		short = &domain.History{}
		for _, e := range l.Events {
			short.Record(e)
			n := e.Seq
			was, is := l.History.At(n), short.At(n)
			for _, of := range keys {
				for _, k := range of {
					a, known := was.Get(k)
					b, also := is.Get(k)
					if known != also || a.First != b.First || a.From != b.From || a.From == n && !reflect.DeepEqual(a.Fact, b.Fact) {
						t.Fatalf("%d, after %d: %+v is %+v, and was %+v", seed, n, k, b, a)
					}
				}
			}
			if n%16 != 0 && int(n) != len(l.Events) {
				continue
			}
			for of := range lists {
				var a, b []domain.Key
				for k := range was.List(of.kind, of.a, of.b) {
					a = append(a, k)
				}
				for k := range is.List(of.kind, of.a, of.b) {
					b = append(b, k)
				}
				if !slices.Equal(a, b) {
					t.Fatalf("%d, after %d: the list %+v is %v, and was %v", seed, n, of, b, a)
				}
			}
		}
	}
}
