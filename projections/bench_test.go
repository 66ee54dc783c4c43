package projections

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore"
	"github.com/qtccc/assent/eventstore/cloudevent"
)

// The benchmarks run on a ledger like a gateway's: 10,000 clients with ten records
// each, and access requests, one in ten denied. `-events 1000000` is the size that
// the promises are about.
var benchEvents = flag.Int("events", 200_000, "how many events the benchmarks' ledger has")

const benchClients = 10_000

func benchID(format string, n uint64) domain.ID { return domain.ID(fmt.Sprintf(format, n)) }

// benchDocument is one event of the mix: the clients come first.
func benchDocument(seq uint64) *cloudevent.Document {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(seq) * 1234567 * time.Nanosecond)
	h := seq * 0x9e3779b97f4a7c15
	client := benchID("client-%05d", h>>32%benchClients)
	d := &cloudevent.Document{Ledger: ledgerID, ID: domain.UUID(fmt.Sprintf("0191e7a4-8000-7000-8000-%012x", seq)), Time: at, Seq: seq,
		Actor: benchID("gateway-%d", h%4), Command: domain.UUID(uuid(binary16(h, seq))), Rules: 1, Issued: at.Format(time.RFC3339Nano),
		Name: "access.request", Type: "access.granted", Subject: domain.Subject{Client: client}}
	if seq <= benchClients {
		client = benchID("client-%05d", seq-1)
		d.Subject.Client = client
		d.Name, d.Type, d.Signature = "client.register", "client.registered", make([]byte, 64)
		d.Data = fmt.Appendf(nil, `{"client":%q,"contacts":["party-%05d"],"name":"sha256:%s"}`, client, seq, sum(string(client)))
		return d
	}
	d.Connection = adminKey
	party := benchID("party-%05d", h>>32%benchClients)
	d.Data = fmt.Appendf(nil, `{"action":"consult","client":%q,"party":%q,"purpose":"service","record":"record-%02d"}`, client, party, h>>20%10)
	d.Decision = &domain.Decision{Decision: domain.Granted, Attempt: d.ID, Edition: 6, Rules: 1, Reasons: []domain.Reason{{
		Clause: "III.3", Code: "designated", Right: "designation/d1", Refs: []domain.Seq{17, 18}, Evidence: []domain.ID{benchID("letter-%05d", h>>32%benchClients)}}}}
	if h>>13%10 == 0 {
		d.Type = "access.denied"
		d.Decision.Decision, d.Decision.Violation = domain.Denied, d.ID
		d.Decision.Reasons = []domain.Reason{{Clause: "IV.1", Code: "not-designated", Refs: []domain.Seq{17}, Evidence: []domain.ID{}}}
	}
	return d
}

func binary16(a, b uint64) []byte {
	s := sha256.Sum256(fmt.Append(nil, a, b))
	return s[:16]
}

func benchMessage(room []byte, seq uint64) eventstore.Message {
	d := benchDocument(seq)
	b, err := d.Append(room)
	if err != nil {
		panic(err)
	}
	return eventstore.Message{Seq: seq, Subject: d.NATSSubject(), Data: b}
}

// held is traffic in memory.
type held struct{ messages []eventstore.Message }

func (l held) Last(context.Context) (uint64, error) { return uint64(len(l.messages)), nil }

func (l held) Read(_ context.Context, from, to uint64, each func(eventstore.Message) error) error {
	for _, m := range l.messages[from-1 : to] {
		if err := each(m); err != nil {
			return err
		}
	}
	return nil
}

var inMemory = sync.OnceValue(func() held {
	var l held
	for seq := uint64(1); seq <= uint64(*benchEvents); seq++ {
		l.messages = append(l.messages, benchMessage(nil, seq))
	}
	return l
})

// BenchmarkReplay is a rebuild of all models from messages in memory.
func BenchmarkReplay(b *testing.B) {
	l := inMemory()
	b.ReportMetric(float64(len(l.messages[len(l.messages)-1].Data)), "B/message")
	for b.Loop() {
		s, err := OpenStore(b.TempDir(), Config{})
		require.NoError(b, err)
		t := time.Now()
		require.NoError(b, Replay(b.Context(), l, s, nil))
		b.ReportMetric(float64(len(l.messages))/time.Since(t).Seconds(), "events/s")
		require.NoError(b, s.Close())
	}
}

// benchStore is one with all events.
func benchStore(b *testing.B) *Store {
	s, err := OpenStore(b.TempDir(), Config{})
	require.NoError(b, err)
	require.NoError(b, Replay(b.Context(), inMemory(), s, nil))
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	return s
}

// BenchmarkApply takes in groups as the writer makes them.
func BenchmarkApply(b *testing.B) {
	for _, size := range []int{1, 16, 256} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s, err := OpenStore(b.TempDir(), Config{})
			require.NoError(b, err)
			require.NoError(b, Replay(b.Context(), nothing{}, s, nil))
			facts := NewOverlay(s.Live(), kept)
			seq, events := uint64(0), 0
			for b.Loop() {
				b.StopTimer()
				batch := make([]Applied, size)
				for i := range batch {
					seq++
					d := benchDocument(seq)
					e, err := d.Event()
					require.NoError(b, err)
					m := benchMessage(nil, seq)
					batch[i] = Applied{Doc: d, Event: e, Changes: domain.Apply(facts, e), Message: m.Data}
					facts.Set(e.Seq, batch[i].Changes)
				}
				b.StartTimer()
				require.NoError(b, s.Apply(batch))
				facts.Clean(domain.Seq(seq))
				events += size
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
			require.NoError(b, s.Close())
		})
	}
}

// BenchmarkLiveGet reads what a cache lacks.
func BenchmarkLiveGet(b *testing.B) {
	s := benchStore(b)
	v := s.Live()
	n := uint64(0)
	b.Run("fact", func(b *testing.B) {
		for b.Loop() {
			n++
			_, ok := v.Get(domain.Key{Kind: domain.KindClient, C: string(benchID("client-%05d", n*7919%benchClients))})
			require.True(b, ok)
		}
	})
	b.Run("command that was", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			n++
			d := benchDocument(n%uint64(*benchEvents) + 1)
			b.StartTimer()
			_, ok := v.Get(domain.Key{Kind: domain.KindCommand, A: string(d.Actor), C: string(d.Command)})
			require.True(b, ok)
		}
	})
	b.Run("command that is new", func(b *testing.B) {
		for b.Loop() {
			n++
			v.Get(domain.Key{Kind: domain.KindCommand, A: "gateway-1", C: aUUID(n * 0x9e3779b97f4a7c15)})
		}
	})
	b.Run("command that is new, of many in a row", func(b *testing.B) {
		l := s.Lookups()
		defer l.Rest()
		for b.Loop() {
			n++
			l.Get(domain.Key{Kind: domain.KindCommand, A: "gateway-1", C: aUUID(n * 0x9e3779b97f4a7c15)})
		}
	})
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			n++
			for range v.List(domain.KindContact, string(benchID("client-%05d", n*7919%benchClients)), "") {
			}
		}
	})
}

// BenchmarkTrail asks for first pages.
func BenchmarkTrail(b *testing.B) {
	s := benchStore(b)
	for _, q := range []struct {
		name string
		q    TrailQuery
	}{
		{"client", TrailQuery{Client: "client-04711"}},
		{"record of a client", TrailQuery{Client: "client-04711", Record: "record-03"}},
		{"nobody", TrailQuery{Party: "nobody"}},
		{"evidence", TrailQuery{Evidence: "letter-04711"}},
		{"type", TrailQuery{Type: "access.denied"}},
		{"nothing in common", TrailQuery{Type: "access.denied", Decision: "granted"}},
		{"seven filters", TrailQuery{Client: "client-04711", Party: "party-04711", Actor: "gateway-1", Record: "record-03",
			Type: "access.granted", Clause: "III.3", Decision: "granted"}},
	} {
		b.Run(q.name, func(b *testing.B) {
			for b.Loop() {
				_, _, err := s.Trail(q.q, 0, 100)
				require.NoError(b, err)
			}
		})
	}
	b.Run("SeqAt", func(b *testing.B) {
		for b.Loop() {
			_, err := s.SeqAt(time.Date(2026, 1, 1, 0, 1, 7, 0, time.UTC))
			require.NoError(b, err)
		}
	})
	b.Run("TimeOf", func(b *testing.B) {
		for b.Loop() {
			_, err := s.TimeOf(7777)
			require.NoError(b, err)
		}
	})
}

func BenchmarkFactCodec(b *testing.B) {
	v := version{Known: domain.Known{Fact: aFact(domain.KindRight, 9), First: 3, From: 9}}
	var room []byte
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			room, _ = appendVersion(room[:0], v)
		}
		b.ReportMetric(float64(len(room)), "B")
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			_, err := parseVersion(domain.KindRight, 9, room)
			require.NoError(b, err)
		}
	})
}

// BenchmarkDecode is what a replay does with a message before it is applied.
func BenchmarkDecode(b *testing.B) {
	m := benchMessage(nil, benchClients+5)
	b.SetBytes(int64(len(m.Data)))
	for b.Loop() {
		require.NoError(b, new(Applied).read(&m))
	}
}

func BenchmarkMentions(b *testing.B) {
	e, err := benchDocument(benchClients + 5).Event()
	require.NoError(b, err)
	var m mentions
	for b.Loop() {
		m = m[:0]
		_ = m.of(e, nil)
	}
}

// BenchmarkKeepDocuments is what keeping the messages adds to each event.
func BenchmarkKeepDocuments(b *testing.B) {
	all := make([]Applied, 1024)
	for i := range all {
		m := benchMessage(nil, benchClients+uint64(i))
		all[i] = Applied{Message: m.Data}
	}
	for _, size := range []int{1, 16, 256} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			d := newDocuments(&Config{fs: vfs.Default}, b.TempDir())
			seq := uint64(1)
			for b.Loop() {
				require.NoError(b, d.append(seq, all[:size]))
				seq += uint64(size)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(seq-1), "ns/event")
			require.NoError(b, d.close())
		})
	}
}
