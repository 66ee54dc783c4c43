package eventstore

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// sized are n entries of 600 bytes, as long as an event is.
func sized(n int) []Entry {
	list := make([]Entry, n)
	for i := range list {
		list[i] = Entry{Subject: "assent.evt.client.3c.access.granted", Data: bytes.Repeat([]byte{'x'}, 600)}
	}
	return list
}

// BenchmarkAppend appends 600-byte entries: a publish that waits for its
// acknowledgement as others do it, and ours one by one; n of them as a pipeline
// and as a batch, each group after the one before it is acknowledged, and with a
// second batch in flight. An op is an entry.
func BenchmarkAppend(b *testing.B) {
	b.Run("raw", func(b *testing.B) {
		l, _ := fresh(b)
		e := sized(1)[0]
		for b.Loop() {
			_, err := l.js.Publish(context.Background(), e.Subject, e.Data)
			require.NoError(b, err)
		}
	})
	b.Run("one", func(b *testing.B) {
		l, _ := fresh(b)
		e, last := sized(1), Seq(0)
		for b.Loop() {
			require.NoError(b, l.Append(last, e).Err())
			last++
		}
	})
	for _, n := range []int{2, 4, 8, 10, 12, 16, 24, 32, 64} {
		b.Run(fmt.Sprintf("pipeline-%d", n), func(b *testing.B) {
			l, _ := fresh(b)
			e, last := sized(1), Seq(0)
			acks := make([]*Ack, 0, n)
			for range perEntry(b, n) {
				acks = acks[:0]
				for range n {
					acks = append(acks, l.Append(last, e))
					last++
				}
				for _, a := range acks {
					require.NoError(b, a.Err())
				}
			}
		})
	}
	for _, n := range []int{2, 4, 8, 10, 12, 16, 24, 32, 64, 256, 1000} {
		b.Run(fmt.Sprintf("batch-%d", n), func(b *testing.B) {
			l, _ := fresh(b)
			e, last := sized(n), Seq(0)
			for range perEntry(b, n) {
				require.NoError(b, l.Append(last, e).Err())
				last += Seq(n)
			}
		})
	}
	for _, n := range []int{24, 64, 256, 1000} {
		b.Run(fmt.Sprintf("batches-%d", n), func(b *testing.B) {
			l, _ := fresh(b)
			e, last := sized(n), Seq(0)
			before := ended(nil)
			for range perEntry(b, n) {
				a := l.Append(last, e)
				last += Seq(n)
				require.NoError(b, before.Err())
				before = a
			}
			require.NoError(b, before.Err())
		})
	}
}

// perEntry gives as many groups of n as make b.N entries.
func perEntry(b *testing.B, n int) int {
	b.ResetTimer()
	return (b.N + n - 1) / n
}

// BenchmarkRead reads 600-byte messages: ours, and the ordered consumer that it is
// measured by. An op is a message.
func BenchmarkRead(b *testing.B) {
	const total = 100_000
	l, _ := fresh(b)
	for last := Seq(0); last < total; last += MaxBatch {
		require.NoError(b, l.Append(last, sized(MaxBatch)).Err())
	}
	b.Run("ours", func(b *testing.B) {
		for left := b.N; left > 0; left -= total {
			require.NoError(b, l.Read(context.Background(), 1, min(total, Seq(left)), func(Message) error { return nil }))
		}
	})
	b.Run("ordered", func(b *testing.B) {
		for left := b.N; left > 0; left -= total {
			c, err := l.js.OrderedConsumer(context.Background(), Stream, jetstream.OrderedConsumerConfig{})
			require.NoError(b, err)
			n, done := 0, make(chan struct{})
			cc, err := c.Consume(func(jetstream.Msg) {
				if n++; n == min(total, left) {
					close(done)
				}
			}, jetstream.PullMaxMessages(5000))
			require.NoError(b, err)
			<-done
			cc.Stop()
			<-cc.Closed()
		}
	})
}

// BenchmarkOverhead is what an append costs besides the server: publishing to
// nobody, and taking in the acknowledgement.
func BenchmarkOverhead(b *testing.B) {
	l, _ := fresh(b)
	l.publish = func(*nats.Msg) error { return nil }
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			e := sized(n)
			for b.Loop() {
				l.mu.Lock()
				tip := l.tip
				l.mu.Unlock()
				a := l.Append(tip, e)
				l.mu.Lock()
				at := l.flight[0]
				l.mu.Unlock()
				m := &nats.Msg{Subject: l.inbox + at.id[len(l.ids):], Data: foreseen(nil, at.end(), at.batch, at.count)}
				l.acknowledged(m)
				require.NoError(b, a.Err())
			}
		})
	}
}
