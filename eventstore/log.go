package eventstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Seq is where a message stands in the log: the first is 1.
type Seq = uint64

// Bounds of an append.
const (
	// MaxData is how many bytes an entry has at most.
	MaxData = 65_535
	// MaxBatch is how many entries are appended together at most: the server's
	// own bound.
	MaxBatch = 1_000
)

// An Entry is to be appended. Its subject is a literal one below assent.evt.
type Entry struct {
	Subject string
	Data    []byte
}

// A Message is as it was read. Data is the caller's.
type Message struct {
	Seq     Seq
	Subject string
	Data    []byte
}

var (
	// ErrFenced says that the log's end is not where the append begins: another
	// writer was there first. Nothing of it was recorded.
	ErrFenced = errors.New("the log went on without this writer")
	// ErrUnknown says that nobody knows whether the entries were recorded. Settle
	// finds out.
	ErrUnknown = errors.New("whether it was recorded isn't known")
	// ErrGap says that a message isn't there or can't be read though later ones
	// were recorded: something was lost or damaged below this package.
	ErrGap = errors.New("the log has a gap")
	// ErrNoMessage says that nothing can be read at a sequence.
	ErrNoMessage = errors.New("no message at this sequence")
	// ErrNoLog says that there is no stream.
	ErrNoLog = errors.New("there is no log")
	// ErrConfig says that the stream is configured otherwise than a log is; the
	// error names the field.
	ErrConfig = errors.New("the stream is configured otherwise")
	// ErrOtherLedger says that the stream is another ledger's.
	ErrOtherLedger = errors.New("the log is another ledger's")
	// ErrClosed says that the Log was closed.
	ErrClosed = errors.New("the log is closed")
)

// An Option changes a Log from the start.
type Option func(*Log)

// AckWithin says how long an append waits for its acknowledgement before it is
// ErrUnknown: 5 s if nothing is said. The server forgets a batch after 10 s in
// which nothing of it comes, so longer than that is no use.
func AckWithin(d time.Duration) Option {
	return func(l *Log) { l.within = d }
}

const ackWithin = 5 * time.Second

// Restage says what is called when a batch isn't recorded though Settle tried it again:
// what it is staged in may be gone, or full.
func Restage(otherwise func()) Option {
	return func(l *Log) { l.restage = otherwise }
}

// A Log is the stream as one writer and any number of readers see it. Append and
// Settle are for one goroutine, all else is for any.
type Log struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	stream  jetstream.Stream
	within  time.Duration
	publish func(*nats.Msg) error // nc.PublishMsg; a test may lose what it likes
	check   func(Message) error   // Check's; nil: what is read is believed
	restage func()                // nil: nothing can be done about it
	inbox   string                // acknowledgements come to inbox ‖ token of the append
	ids     string                // message and batch ids begin so
	acks    *nats.Subscription

	// mu is held while publishing too, which writes into the connection's buffer:
	// the order of flight is the order on the wire.
	mu     sync.Mutex
	flight []*attempt  // guarded by mu: in the order of their entries
	out    int         // guarded by mu: how many of flight are sent whole
	token  uint64      // guarded by mu: of the last attempt
	tip    Seq         // guarded by mu: the last sequence known to be as this writer has it
	known  bool        // guarded by mu: whether there is a tip; without one an append may begin anywhere
	broken error       // guarded by mu: why nothing is appended until Settle
	lost   Seq         // guarded by mu: where Settle found a stranger's entry; 0: nowhere
	expiry *time.Timer // guarded by mu: nil until the first append
	closed bool        // guarded by mu
}

// Create makes the stream for a new ledger, and opens it. An earlier attempt that
// was killed anywhere, and one that wasn't, are finished. Errors as for Open.
func Create(ctx context.Context, nc *nats.Conn, ledger string, options ...Option) (*Log, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("eventstore: create: %w", err)
	}
	_, err = js.CreateStream(ctx, config(ledger))
	if err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return nil, fmt.Errorf("eventstore: create: %w", err)
	}
	return Open(ctx, nc, ledger, options...)
}

// Open opens the log of the ledger and checks how the stream is configured, to its
// last field. ErrNoLog: there is none. ErrConfig, ErrOtherLedger: it is not as
// Create makes it, and was left alone.
func Open(ctx context.Context, nc *nats.Conn, ledger string, options ...Option) (*Log, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("eventstore: open: %w", err)
	}
	l := &Log{nc: nc, js: js, within: ackWithin, publish: nc.PublishMsg, ids: rand.Text()[:10]}
	for _, o := range options {
		o(l)
	}
	info, err := l.info(ctx)
	if err != nil {
		return nil, fmt.Errorf("eventstore: open: %w", err)
	}
	if err = info.check(ledger); err != nil {
		return nil, fmt.Errorf("eventstore: open: %w", err)
	}
	if l.stream, err = js.Stream(ctx, Stream); err != nil {
		return nil, fmt.Errorf("eventstore: open: %w", err)
	}
	l.inbox = nats.NewInbox() + "."
	if l.acks, err = nc.Subscribe(l.inbox+"*", l.acknowledged); err != nil {
		return nil, fmt.Errorf("eventstore: open: %w", err)
	}
	return l, nil
}

// Check has each message looked at when it is read, before it is given to anybody:
// an error is what the reader gets instead. It is called before the Log is shared.
func (l *Log) Check(each func(Message) error) { l.check = each }

// Close gives up what is in flight, as unknown, and takes no append any more. The
// connection stays open.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	if l.expiry != nil {
		l.expiry.Stop()
	}
	for _, a := range l.flight {
		if !a.done {
			a.finish(fmt.Errorf("eventstore: append after %d: %w: %w", a.after, ErrUnknown, ErrClosed))
		}
	}
	l.flight, l.out, l.broken = nil, 0, ErrClosed
	if err := l.acks.Unsubscribe(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		return fmt.Errorf("eventstore: close: %w", err)
	}
	return nil
}
