package natsd

import (
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// pipeBytes is how much lies in one way of a pipe before whoever writes waits; what
	// is written at a time comes whole, whatever its size.
	pipeBytes = 256 << 10
	// chunk is how much is read from the server at a time; it writes 4 KB.
	chunk = 64 << 10
	// lingering is how long Close waits for what was written to reach the server.
	lingering = time.Second
)

// inProcess connects within this process, by pipes with buffers.
type inProcess struct{ ns *server.Server }

func (p inProcess) InProcessConn() (net.Conn, error) {
	conn, err := p.ns.InProcessConn()
	if err != nil {
		return nil, err
	}
	return newPipe(conn), nil
}

// A pipe is the server's own in-process connection with a buffer each way, as a
// socket has: a net.Pipe alone has none, so each write of 4 KB wakes whoever reads
// and waits for it, and the client holds its lock while the server works on what it
// was given (docs/decisions/0017). One goroutine reads from it, and one writes to it,
// at a time.
type pipe struct {
	net.Conn
	in, out way
	read    []byte // taken from in, and not given on yet
	spare   []byte // the memory that read lies in
}

func newPipe(conn net.Conn) *pipe {
	p := &pipe{Conn: conn}
	p.in.moved.L, p.out.moved.L = &p.in.mu, &p.out.mu
	go p.receive()
	go p.send()
	return p
}

// receive ends when the server, or Close, has closed the connection.
func (p *pipe) receive() {
	b := make([]byte, chunk)
	for {
		n, err := p.Conn.Read(b)
		if n > 0 {
			_ = p.in.put(b[:n]) // the one error: Close
		}
		if err != nil {
			p.in.end(err)
			return
		}
	}
}

// send ends as receive does.
func (p *pipe) send() {
	var b []byte
	for {
		var err error
		if b, err = p.out.take(b); err == nil {
			_, err = p.Conn.Write(b)
		}
		if err != nil {
			p.out.end(err)
			return
		}
	}
}

// Read gives what the server wrote, all of it before its error.
func (p *pipe) Read(b []byte) (int, error) {
	if len(p.read) == 0 {
		all, err := p.in.take(p.spare)
		if err != nil {
			return 0, err
		}
		p.read, p.spare = all, all
	}
	n := copy(b, p.read)
	p.read = p.read[n:]
	return n, nil
}

// Write returns when the buffer has b; what becomes of it then, the next Write says.
func (p *pipe) Write(b []byte) (int, error) {
	if err := p.out.put(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close waits a moment for what was written to reach the server. Nothing of it does
// once Close has returned.
func (p *pipe) Close() error {
	p.out.drain(time.Now().Add(lingering))
	p.in.end(net.ErrClosed)
	p.out.end(net.ErrClosed)
	return p.Conn.Close()
}

func (p *pipe) SetDeadline(t time.Time) error {
	return errors.Join(p.SetReadDeadline(t), p.SetWriteDeadline(t))
}

func (p *pipe) SetReadDeadline(t time.Time) error {
	p.in.until(&p.in.takeBy, t)
	return nil
}

func (p *pipe) SetWriteDeadline(t time.Time) error {
	p.out.until(&p.out.putBy, t)
	return nil
}

// A way is one direction of a pipe. One goroutine puts, one takes.
type way struct {
	mu     sync.Mutex
	moved  sync.Cond // of mu: anything below is otherwise than it was
	lies   []byte    // guarded by mu
	taken  bool      // guarded by mu: whoever takes isn't done with what it took last
	err    error     // guarded by mu: why nothing more is put; what lies is still given
	putBy  time.Time // guarded by mu: zero: put waits for ever
	takeBy time.Time // guarded by mu: zero: take does
}

// put waits for room.
func (w *way) put(b []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.lies) >= pipeBytes && w.err == nil {
		if err := w.wait(w.putBy); err != nil {
			return err
		}
	}
	if w.err != nil {
		return w.err
	}
	w.lies = append(w.lies, b...)
	w.moved.Broadcast()
	return nil
}

// take waits for something and gives all that lies. What it gave before is done with,
// and spare is the memory for what is put next.
func (w *way) take(spare []byte) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken = false
	if len(w.lies) == 0 && w.err == nil {
		w.moved.Broadcast()
		// Whoever puts is often about to, a little at a time.
		w.mu.Unlock()
		runtime.Gosched()
		w.mu.Lock()
	}
	for len(w.lies) == 0 && w.err == nil {
		if err := w.wait(w.takeBy); err != nil {
			return nil, err
		}
	}
	if len(w.lies) == 0 {
		return nil, w.err
	}
	b := w.lies
	w.lies, w.taken = spare[:0], true
	w.moved.Broadcast()
	return b, nil
}

// drain waits until all that was put is done with, an error, or the deadline.
func (w *way) drain(deadline time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for (len(w.lies) > 0 || w.taken) && w.err == nil && w.wait(deadline) == nil {
	}
}

// end has nothing more put. The first reason counts.
func (w *way) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	w.moved.Broadcast()
}

// until sets one of the two deadlines.
func (w *way) until(which *time.Time, t time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*which = t
	w.moved.Broadcast()
}

// wait waits until something has moved, at most until the deadline: then the error is
// os.ErrDeadlineExceeded. The caller holds mu.
func (w *way) wait(deadline time.Time) error {
	if !deadline.IsZero() {
		left := time.Until(deadline)
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		defer time.AfterFunc(left, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.moved.Broadcast()
		}).Stop()
	}
	w.moved.Wait()
	return nil
}
