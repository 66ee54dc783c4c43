package commands

import (
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/eventstore/natsd"
)

// A job is one command on its way from the door to its answer. At each moment one
// goroutine has it: the door's, a prover, the writer, the one that waits for acks.
type job struct {
	door domain.ID        // the actor of the subject by which it came
	key  domain.PublicKey // of the connection that sent it; empty: not known
	body []byte           // the request, until it is read

	// Where the answer goes: to a subject that the server made, or to Do.
	conn  *nats.Conn
	reply natsd.Reply
	done  chan *Answer // holds one

	req      *Request         // never nil once the job is proven
	fault    *domain.Fault    // the form is wrong: nothing is decided
	proof    domain.PublicKey // of domain.Command.Key
	unproven string           // why proof is empty, for the log
	// noAttempt says that the access which the command names is none of the ledger's.
	noAttempt bool

	proven   bool // guarded by queue.mu
	answered bool
	answer   Answer     // what is said once all that it rests on is recorded
	again    domain.Seq // the event that answered it before
}

// A queue holds the commands that wait to be decided, at most limit of them. They
// leave in the order in which they came by their door (TestOneDoorKeepsItsOrder);
// a door whose commands are still being proven keeps no other one waiting.
type queue struct {
	limit  int
	wake   chan struct{}      // holds one: there may be something to do for the writer
	work   chan *job          // to be proven; has room for all that may wait
	refuse func(*job, string) // answers unavailable, and why

	mu      sync.Mutex
	jobs    []*job               // guarded by mu: ready to be decided
	lanes   map[domain.ID][]*job // guarded by mu: by door, where the first isn't proven yet
	waiting int                  // guarded by mu: in jobs and lanes
	shut    string               // guarded by mu: why nothing is taken; empty: open
	ended   bool                 // guarded by mu: it stays shut
}

func newQueue(limit int, refuse func(*job, string)) *queue {
	return &queue{limit: limit, wake: make(chan struct{}, 1), work: make(chan *job, limit), refuse: refuse,
		lanes: map[domain.ID][]*job{}}
}

// put takes a job in, one that needs no proof any more, or one for the provers. It
// never blocks: beyond the limit, or where the queue is shut, the job is refused at
// once.
func (q *queue) put(j *job, proven bool) {
	q.mu.Lock()
	why := q.shut
	if why == "" && q.waiting >= q.limit {
		why = "more commands wait than the ledger takes: send it again, with the same id, in a moment"
	}
	if why != "" {
		q.mu.Unlock()
		q.refuse(j, why)
		return
	}
	q.waiting++
	j.proven = proven
	lane, held := q.lanes[j.door]
	switch {
	case proven && !held:
		q.jobs = append(q.jobs, j)
	default:
		q.lanes[j.door] = append(lane, j)
	}
	if !proven {
		q.work <- j // has room
	}
	q.mu.Unlock()
	if proven && !held {
		q.kick()
	}
}

// proved lets a job pass, and those behind it that waited for it alone.
func (q *queue) proved(j *job) {
	q.mu.Lock()
	j.proven = true
	lane := q.lanes[j.door]
	n := 0
	for n < len(lane) && lane[n].proven {
		n++
	}
	ready := lane[:n]
	if n == len(lane) {
		delete(q.lanes, j.door)
	} else {
		q.lanes[j.door] = lane[n:]
	}
	why := q.shut
	if why == "" {
		q.jobs = append(q.jobs, ready...)
	} else {
		q.waiting -= n
	}
	q.mu.Unlock()
	switch {
	case why != "":
		for _, j := range ready {
			q.refuse(j, why)
		}
	case n > 0:
		q.kick()
	}
}

// take moves up to most jobs to into, in order.
func (q *queue) take(into []*job, most int) []*job {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(most, len(q.jobs))
	if n <= 0 {
		return into
	}
	into = append(into, q.jobs[:n]...)
	rest := copy(q.jobs, q.jobs[n:])
	clear(q.jobs[rest:])
	q.jobs = q.jobs[:rest]
	q.waiting -= n
	return into
}

// close refuses what waits and what comes, until open.
func (q *queue) close(why string) {
	q.mu.Lock()
	jobs := q.jobs
	q.jobs, q.shut = nil, why
	q.waiting -= len(jobs)
	q.mu.Unlock()
	for _, j := range jobs {
		q.refuse(j, why)
	}
}

// end closes the queue for good.
func (q *queue) end(why string) {
	q.mu.Lock()
	q.ended = true
	q.mu.Unlock()
	q.close(why)
}

// open takes jobs again, unless the queue has ended.
func (q *queue) open() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.ended {
		q.shut = ""
	}
}

// kick wakes the writer, now or when it next looks.
func (q *queue) kick() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
