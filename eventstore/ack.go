package eventstore

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
)

// An Ack tells how an append ended. Its methods may be called from any goroutine.
type Ack struct {
	done chan struct{}
	err  error // written before done is closed
}

// NewAck makes an Ack, and the function that ends it: once, for a log of another
// making.
func NewAck() (*Ack, func(error)) {
	a := &Ack{done: make(chan struct{})}
	return a, a.end
}

func (a *Ack) end(err error) {
	a.err = err
	close(a.done)
}

// Done is closed when it is known, or known to be unknown.
func (a *Ack) Done() <-chan struct{} { return a.done }

// Err waits for Done. Nil: all of the entries are on disk (clustered: on a
// quorum's disks) where they were to stand, with all that was appended before.
// ErrFenced: none was recorded. ErrUnknown: Settle tells. Anything else: the
// entries are none that a log takes, and nothing was sent.
func (a *Ack) Err() error {
	<-a.done
	return a.err
}

// A pubAck is an acknowledgement with all that may stand in it.
type pubAck struct {
	Stream    string `json:"stream"`
	Seq       Seq    `json:"seq"`
	Domain    string `json:"domain"`
	Duplicate bool   `json:"duplicate"`
	Value     string `json:"val"`
	Batch     string `json:"batch"`
	Count     int    `json:"count"`
}

// An apiError is the server's.
type apiError struct {
	Code        int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string { return fmt.Sprintf("%s (%d)", e.Description, e.Code) }

// fences says whether the append was refused because the log's end is elsewhere.
func (e *apiError) fences() bool {
	switch e.Code {
	case 10070, // the last message has another id
		10071, // or another sequence
		10164: // or, in a cluster, so has one in flight
		return true
	}
	return false
}

// verdict is what an answer means for an append that is to end at seq, in a batch
// of that id and number of entries, or in none.
func verdict(m *nats.Msg, seq Seq, batch string, count int) error {
	var buf [160]byte
	if bytes.Equal(m.Data, foreseen(buf[:0], seq, batch, count)) {
		return nil
	}
	if len(m.Data) == 0 {
		return unknown("status %q %s", m.Header.Get("Status"), m.Header.Get("Description"))
	}
	var got struct {
		Error *apiError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &got); err != nil {
		return unknown("an acknowledgement that can't be read: %v", err)
	}
	if got.Error != nil {
		if got.Error.fences() {
			return fmt.Errorf("eventstore: %w: %w", ErrFenced, got.Error)
		}
		return unknown("%v", got.Error)
	}
	// It may be spelled otherwise and say the same.
	want := pubAck{Stream: Stream, Seq: seq, Batch: batch}
	if batch != "" {
		want.Count = count
	}
	var ack pubAck
	if err := json.Unmarshal(m.Data, &ack, json.RejectUnknownMembers(true)); err != nil || ack != want {
		return unknown("an acknowledgement of something else: %s", m.Data)
	}
	return nil
}

// foreseen is how the server spells the acknowledgement.
func foreseen(b []byte, seq Seq, batch string, count int) []byte {
	b = append(b, `{"stream":"`+Stream+`","seq":`...)
	b = strconv.AppendUint(b, seq, 10)
	if batch != "" {
		b = append(b, `,"batch":"`...)
		b = append(b, batch...)
		b = append(b, `","count":`...)
		b = strconv.AppendInt(b, int64(count), 10)
	}
	return append(b, '}')
}

func unknown(format string, a ...any) error {
	return fmt.Errorf("eventstore: %w: %s", ErrUnknown, fmt.Sprintf(format, a...))
}
