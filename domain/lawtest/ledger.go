package lawtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/qtccc/assent/domain"
)

// A Ledger is a history as it grows. One goroutine owns it.
type Ledger struct {
	History domain.History
	Events  []*domain.Event
	// Now is the ledger's clock. Whoever moves it, moves it forward.
	Now time.Time

	commands int
	made     made
}

// Open is a ledger as init leaves it: seven events, an actor of each role named
// after it.
func Open(now time.Time) *Ledger {
	l := &Ledger{Now: now}
	l.Must(domain.ID(domain.Admin), &domain.LedgerOpen{
		Ledger: UUID(4, 1), Name: "assent", Format: domain.Format, Log: Log(1),
		Admin: domain.LedgerAdmin{Actor: domain.ID(domain.Admin), PublicKey: Key(string(domain.Admin))},
		Policy: domain.LedgerPolicy{Edition: 6, Effective: domain.Time{Time: time.Date(2023, 4, 13, 16, 0, 0, 0, time.UTC)},
			SHA256: Digest(6), ReviewEvery: domain.Period{Months: 6}, NoticeWithin: domain.Period{Days: 30}}})
	for _, r := range domain.Roles {
		if r != domain.Admin {
			l.Must(domain.ID(domain.Admin), &domain.IdentityAdd{Actor: domain.ID(r), Role: r, PublicKey: Key(string(r))})
		}
	}
	return l
}

// Last is the sequence of the last event.
func (l *Ledger) Last() domain.Seq { return domain.Seq(len(l.Events)) }

// View is what is known after the last event.
func (l *Ledger) View() domain.View { return l.History.At(l.Last()) }

// Next is the id that the next event would have.
func (l *Ledger) Next() domain.UUID { return UUID(7, len(l.Events)+1) }

// Command is one of the actor's, proven by its key in force and issued now. Blank
// are the † fields that are blank when opened.
func (l *Ledger) Command(as domain.ID, data domain.Data, blank ...string) *domain.Command {
	l.commands++
	key := Key(string(as))
	if known, ok := l.View().Get(domain.Key{Kind: domain.KindActor, C: string(as)}); ok {
		key = known.Fact.(*domain.Actor).PublicKey
	}
	return &domain.Command{ID: UUID(4, l.commands), Actor: as, Name: Name(data), Key: key, Issued: l.Now, Data: data,
		Observed: domain.Observed{Blank: blank}}
}

// Send decides the command and records what becomes of it. The event is nil where
// nothing is recorded.
func (l *Ledger) Send(c *domain.Command) (domain.Outcome, *domain.Event) {
	out := domain.Decide(l.View(), c, l.Now, l.Next())
	if out.Type == "" {
		return out, nil
	}
	e := &domain.Event{Seq: l.Last() + 1, ID: l.Next(), Type: out.Type, Subject: out.Subject, Time: l.Now, Actor: c.Actor, Command: c.ID,
		Name: c.Name, Rules: domain.Rules, Data: c.Data, Decision: out.Decision, Refusal: out.Refusal, Observed: c.Observed}
	l.History.Record(e)
	l.Events = append(l.Events, e)
	l.made.note(e)
	return out, e
}

// Do is Send of the actor's Command.
func (l *Ledger) Do(as domain.ID, data domain.Data, blank ...string) (domain.Outcome, *domain.Event) {
	return l.Send(l.Command(as, data, blank...))
}

// Must is Do of what the caller knows to be accepted. It panics where it isn't.
func (l *Ledger) Must(as domain.ID, data domain.Data) *domain.Event {
	out, e := l.Do(as, data)
	if out.Fault != nil {
		panic(fmt.Sprintf("%s: %s: %v", as, Name(data), out.Fault))
	}
	return e
}

// Fork is a ledger that goes another way from here; l stays as it is. It makes up
// nothing.
func (l *Ledger) Fork() *Ledger {
	return &Ledger{History: *Replay(l.Events), Events: slices.Clone(l.Events), Now: l.Now, commands: l.commands}
}

// Replay makes the history of the events from nothing.
func Replay(events []*domain.Event) *domain.History {
	h := &domain.History{}
	for _, e := range events {
		h.Record(e)
	}
	return h
}

// Name is the command's name of data.
func Name(data domain.Data) string { return names[fmt.Sprintf("%T", data)] }

var names = func() map[string]string {
	m := map[string]string{}
	for _, r := range domain.Catalogue {
		m[fmt.Sprintf("%T", r.New())] = r.Command
	}
	return m
}()

// UUID is the n-th UUID of a version.
func UUID(version, n int) domain.UUID {
	return domain.UUID(fmt.Sprintf("00000000-0000-%d000-8000-%012x", version, n))
}

// Digest is the digest of the n-th paper.
func Digest(n int) domain.Digest { return domain.Digest(fmt.Sprintf("%064x", n)) }

// Text is the n-th commitment.
func Text(n int) domain.Text { return domain.Text("sha256:" + string(Digest(n))) }

// Log is the n-th key of a log.
func Log(n int) domain.LogKey {
	return domain.LogKey(fmt.Sprintf("assent/test+%08x+%s", n, strings.Repeat("A", 44)))
}

// Key is a public key that has the form of one, another for each word of at most 27
// characters. Nothing can be signed by it.
func Key(word string) domain.PublicKey {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	key := []byte("U" + strings.Repeat("A", 55))
	for i := range len(word) {
		key[1+2*i], key[2+2*i] = digits[word[i]>>4], digits[word[i]&15]
	}
	return domain.PublicKey(key)
}
