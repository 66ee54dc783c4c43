package natsd

import "sync"

// Replies are the reply subjects of the requests that are under way at all doors. The
// server makes each by chance and has only so many (decision 0014): where two requests
// have the same one, the answer to the earlier would go to whoever sent the later. The
// zero value has none, and may be used from any goroutine.
type Replies struct {
	mu   sync.Mutex
	open map[string]*Reply // guarded by mu: the last request that came with it
}

// A Reply is the reply subject of one request, from Open on.
type Reply struct {
	of      *Replies
	subject string
}

// Open takes a request in that came with the reply.
func (rs *Replies) Open(r *Reply, subject string) {
	r.of, r.subject = rs, subject
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.open == nil {
		rs.open = map[string]*Reply{}
	}
	rs.open[subject] = r
}

// Subject is where the answer goes.
func (r *Reply) Subject() string { return r.subject }

// Close is called once, when the answer is there. False: a later request came with the
// same reply meanwhile, and the answer must not be sent (TestOneReplyHasOneAnswer).
func (r *Reply) Close() bool {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	if r.of.open[r.subject] != r {
		return false
	}
	delete(r.of.open, r.subject)
	return true
}
