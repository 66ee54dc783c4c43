package natsd

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// piped is a pipe, and the server's end of it. Each test is a bubble: a goroutine of
// the pipe that doesn't end fails it.
func piped(t *testing.T, test func(t *testing.T, p *pipe, server net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		test(t, newPipe(client), server)
		_ = server.Close()
	})
}

// pour writes b in pieces of any size.
func pour(t *testing.T, r *rand.Rand, w io.Writer, b []byte) {
	for len(b) > 0 {
		n, err := w.Write(b[:min(len(b), 1+r.IntN(100_000))])
		if err != nil {
			t.Error(err)
			return
		}
		b = b[n:]
	}
}

// drawn reads all of want in pieces of any size.
func drawn(t *testing.T, r *rand.Rand, from io.Reader, want []byte) {
	b := make([]byte, 100_000)
	for len(want) > 0 {
		n, err := from.Read(b[:1+r.IntN(len(b))])
		if err != nil || n > len(want) || !bytes.Equal(b[:n], want[:n]) {
			t.Errorf("%d bytes before the end others come, or %v", len(want), err)
			return
		}
		want = want[n:]
	}
}

func TestAPipeCarriesAllInItsOrder(t *testing.T) {
	piped(t, func(t *testing.T, p *pipe, server net.Conn) {
		all := make([]byte, 20*pipeBytes)
		r := rand.New(rand.NewPCG(1, 1))
		for i := range all {
			all[i] = byte(r.Uint32())
		}
		done := make(chan struct{}, 4)
		for i, step := range []func(*rand.Rand){
			func(r *rand.Rand) { pour(t, r, p, all) },
			func(r *rand.Rand) { drawn(t, r, server, all) },
			func(r *rand.Rand) { pour(t, r, server, all[1:]) },
			func(r *rand.Rand) { drawn(t, r, p, all[1:]) },
		} {
			go func() {
				step(rand.New(rand.NewPCG(uint64(i), 2)))
				done <- struct{}{}
			}()
		}
		for range 4 {
			<-done
		}
		require.NoError(t, p.Close())
	})
}

// What was written before Close reaches a server that reads, and what the server
// wrote before it closed is read.
func TestAPipeThatIsClosedLosesNothing(t *testing.T) {
	piped(t, func(t *testing.T, p *pipe, server net.Conn) {
		_, err := p.Write(make([]byte, 100_000))
		require.NoError(t, err)
		got := make(chan int)
		go func() {
			b, _ := io.ReadAll(server)
			got <- len(b)
		}()
		require.NoError(t, p.Close())
		require.Equal(t, 100_000, <-got)
		_, err = p.Write([]byte("more"))
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = p.Read(make([]byte, 1))
		require.ErrorIs(t, err, net.ErrClosed)
		require.NoError(t, p.Close(), "again")
	})
	piped(t, func(t *testing.T, p *pipe, server net.Conn) {
		_, err := server.Write(make([]byte, 100_000))
		require.NoError(t, err)
		require.NoError(t, server.Close())
		b, err := io.ReadAll(p)
		require.NoError(t, err)
		require.Len(t, b, 100_000)
		_, err = p.Write([]byte("this goes nowhere"))
		require.NoError(t, err)
		synctest.Wait()
		_, err = p.Write([]byte("and it is known now"))
		require.ErrorIs(t, err, io.ErrClosedPipe)
		require.NoError(t, p.Close())
	})
}

// A server that reads nothing holds up whoever writes once the buffer is full, till
// the deadline, and Close for a second.
func TestAServerThatReadsNothingHoldsUpNobodyForEver(t *testing.T) {
	piped(t, func(t *testing.T, p *pipe, server net.Conn) {
		const piece = 10_000
		began := time.Now()
		require.NoError(t, p.SetWriteDeadline(began.Add(time.Minute)))
		written := 0
		for {
			n, err := p.Write(make([]byte, piece))
			written += n
			if err != nil {
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
				break
			}
			synctest.Wait() // the first one is on its way to the server, the rest lies
		}
		require.Equal(t, time.Minute, time.Since(began))
		require.Equal(t, piece+pipeBytes/piece*piece+piece, written)
		require.NoError(t, p.SetWriteDeadline(time.Time{}))
		go func() {
			time.Sleep(time.Hour) // of the bubble: it takes none
			_, _ = io.CopyN(io.Discard, server, piece)
		}()
		_, err := p.Write(make([]byte, piece)) // without a deadline it waits
		require.NoError(t, err)
		require.Equal(t, time.Minute+time.Hour, time.Since(began))
		require.NoError(t, p.Close())
		require.Equal(t, time.Minute+time.Hour+lingering, time.Since(began))
	})
}

// The deadline of reading is the reader's alone: what comes late is not lost.
func TestWhatComesAfterTheDeadlineIsReadLater(t *testing.T) {
	piped(t, func(t *testing.T, p *pipe, server net.Conn) {
		began := time.Now()
		require.NoError(t, p.SetDeadline(began.Add(time.Second)))
		_, err := p.Read(make([]byte, 10))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, time.Second, time.Since(began))
		late := bytes.Repeat([]byte("late"), pipeBytes)
		go func() { _, _ = server.Write(late) }()
		synctest.Wait() // it is more than the buffer takes
		_, err = p.Write([]byte("x"))
		require.NoError(t, err, "there is room")
		require.NoError(t, p.SetDeadline(time.Time{}))
		b := make([]byte, len(late))
		_, err = io.ReadFull(p, b)
		require.NoError(t, err)
		require.Equal(t, late, b)
		_, err = io.ReadFull(server, b[:1])
		require.NoError(t, err)
		require.NoError(t, p.Close())
	})
}

// A read that waits already ends at a deadline that is set then, and at Close.
func TestAPipeWakesWhoeverReads(t *testing.T) {
	piped(t, func(t *testing.T, p *pipe, server net.Conn) {
		read := make(chan error)
		wait := func() {
			go func() {
				_, err := p.Read(make([]byte, 1))
				read <- err
			}()
			synctest.Wait()
		}
		wait()
		require.NoError(t, p.SetReadDeadline(time.Now()))
		require.ErrorIs(t, <-read, os.ErrDeadlineExceeded)
		require.NoError(t, p.SetReadDeadline(time.Time{}))
		wait()
		require.NoError(t, p.Close())
		require.ErrorIs(t, <-read, net.ErrClosed)
	})
}
