//go:build trials

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/stretchr/testify/require"
)

// A faultFS is a directory, seen through a file system of our own that counts what
// changes something, fails as it is told to, and remembers what was not synced. What is
// seen through it is what was written, as with the page cache; what is left after a
// power cut is another matter.
//
// It holds files to what POSIX promises and no more: a write that was not synced may be
// lost, alone or with others, or kept in part. Names are kinder than that: what was made,
// renamed or removed is durable at once, with its directory synced or not.
type faultFS struct {
	at, back string // where it is seen, and what is seen
	server   *fuse.Server
	links    bool // symbolic ones can be made, so that batches are staged in memory

	mu    sync.Mutex // one operation at a time; guards all below
	n     int        // how many changed something
	of    map[string]int
	dead  bool // everything is refused
	fault func(op) syscall.Errno
	files map[uint64]*journal // by inode: those with writes that aren't surely on the disk
}

// An op is something that a process does. A fault is asked twice: before it is done,
// where an error refuses it, and after, where it is done and only the answer is lost.
type op struct {
	kind string // write, sync, create, mkdir, rename, remove, link, symlink, truncate, chmod, allocate; open
	path string // below the directory
	n    int    // the how-manieth that changes something; 0: it changes nothing (open)
	rw   bool   // of open: to write
	pid  int    // of the thread that does it
	done bool
}

var faultFSes atomic.Int32

// newFaultFS makes an empty one. On each other one batches are staged on disk.
func newFaultFS(t testing.TB) *faultFS {
	dir := t.TempDir()
	f := &faultFS{at: filepath.Join(dir, "at"), back: filepath.Join(dir, "back"), links: faultFSes.Add(1)%2 == 1}
	require.NoError(t, os.Mkdir(f.at, 0o700))
	require.NoError(t, os.Mkdir(f.back, 0o700))
	f.files = map[uint64]*journal{}
	f.mount(t)
	t.Cleanup(func() {
		f.unmount(t)
		for _, j := range f.files {
			_ = j.f.Close()
		}
	})
	return f
}

// mount begins to count anew, without a fault.
func (f *faultFS) mount(t testing.TB) {
	f.n, f.of, f.dead, f.fault = 0, map[string]int{}, false, nil
	root := &fs.LoopbackRoot{Path: f.back}
	top := &node{LoopbackNode: fs.LoopbackNode{RootData: root}, f: f}
	root.RootNode = top
	var st syscall.Stat_t
	require.NoError(t, syscall.Stat(f.back, &st))
	root.Dev = uint64(st.Dev)
	var err error
	f.server, err = fs.Mount(f.at, top, &fs.Options{MountOptions: fuse.MountOptions{
		DirectMountStrict: true, FsName: "trial", Name: "trial", DisableXAttrs: true,
	}})
	require.NoError(t, err, "/dev/fuse, as root, is wanted")
	keepToOurselves(t)
}

// keepToOurselves has no process that is started from now on hold the other end of a file
// system of ours: it would wait for itself, for ever, once this process ends.
func keepToOurselves(t testing.TB) {
	fds, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && to == "/dev/fuse" {
			n, err := strconv.Atoi(fd.Name())
			require.NoError(t, err)
			syscall.CloseOnExec(n)
		}
	}
}

func (f *faultFS) unmount(t testing.TB) {
	if f.server == nil {
		return
	}
	// Whoever had a file open has ended, and is let go of in a moment.
	for end := time.Now().Add(5 * time.Second); f.server.Unmount() != nil; <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			_ = exec.Command("umount", "-l", f.at).Run()
			t.Errorf("%s stays in use", f.at)
			break
		}
	}
	f.server = nil
}

// set changes what goes wrong from the next operation on; nil: nothing.
func (f *faultFS) set(fault func(op) syscall.Errno) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// end refuses everything from now on: what is under way is done or isn't.
func (f *faultFS) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = true
}

// do does an operation, unless a fault comes before it.
func (f *faultFS) do(ctx context.Context, kind, path string, do func() syscall.Errno) syscall.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return syscall.EIO
	}
	o := op{kind: kind, path: path}
	if kind == "rewrite" {
		kind, o.kind, o.rw = "open", "open", true
	}
	if c, ok := fuse.FromContext(ctx); ok {
		o.pid = int(c.Pid)
	}
	if kind != "open" {
		f.n++
		f.of[kind]++
		o.n = f.n
	}
	if f.fault == nil {
		return do()
	}
	if errno := f.fault(o); errno != 0 {
		return errno
	}
	errno := do()
	o.done = true
	if failed := f.fault(o); errno == 0 {
		errno = failed
	}
	return errno
}

// refuse is what isn't counted, once everything is refused.
func (f *faultFS) refuse() syscall.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return syscall.EIO
	}
	return 0
}

// killAt has the process killed that does the n-th operation that changes something,
// before it is done, or after. Nothing more is done for it. Whether it came to it is
// what reached says, once it has ended.
func (f *faultFS) killAt(n int, after bool) (reached func() *op) {
	var at *op
	f.set(func(o op) syscall.Errno {
		if o.n != n || o.done != after {
			return 0
		}
		at, f.dead = &o, true
		_ = syscall.Kill(o.pid, syscall.SIGKILL)
		return syscall.EIO
	})
	return func() *op {
		f.mu.Lock()
		defer f.mu.Unlock()
		return at
	}
}

// A node is a file or a directory.
type node struct {
	fs.LoopbackNode
	f *faultFS
}

// WrapChild makes a node of ours of each that the loopback makes.
func (n *node) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	if l, ok := child.(*fs.LoopbackNode); ok {
		return &node{LoopbackNode: fs.LoopbackNode{RootData: l.RootData}, f: n.f}
	}
	return child
}

func (n *node) below(name string) string { return filepath.Join(n.Path(n.Root()), name) }

func (n *node) backing(name string) string { return filepath.Join(n.f.back, n.below(name)) }

func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if errno := n.f.refuse(); errno != 0 {
		return nil, errno
	}
	return n.LoopbackNode.Lookup(ctx, name, out)
}

func (n *node) Open(ctx context.Context, flags uint32) (fh fs.FileHandle, fuseFlags uint32, errno syscall.Errno) {
	kind := "open"
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		kind = "rewrite"
	}
	errno = n.f.do(ctx, kind, n.below(""), func() (errno syscall.Errno) {
		var h fs.FileHandle
		if h, fuseFlags, errno = n.LoopbackNode.Open(ctx, flags); errno == 0 {
			fh = n.handle(h, flags)
		}
		return errno
	})
	return fh, fuseFlags, errno
}

func (n *node) handle(h fs.FileHandle, flags uint32) *handle {
	return &handle{n: n, lf: h.(*fs.LoopbackFile), synced: flags&syscall.O_DSYNC != 0}
}

func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (made *fs.Inode, fh fs.FileHandle, fuseFlags uint32, errno syscall.Errno) {
	errno = n.f.do(ctx, "create", n.below(name), func() (errno syscall.Errno) {
		var h fs.FileHandle
		if made, h, fuseFlags, errno = n.LoopbackNode.Create(ctx, name, flags, mode, out); errno == 0 {
			fh = made.Operations().(*node).handle(h, flags)
		}
		return errno
	})
	return made, fh, fuseFlags, errno
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (made *fs.Inode, errno syscall.Errno) {
	errno = n.f.do(ctx, "mkdir", n.below(name), func() (errno syscall.Errno) {
		made, errno = n.LoopbackNode.Mkdir(ctx, name, mode, out)
		return errno
	})
	return made, errno
}

func (n *node) Symlink(ctx context.Context, to, name string, out *fuse.EntryOut) (made *fs.Inode, errno syscall.Errno) {
	errno = n.f.do(ctx, "symlink", n.below(name), func() (errno syscall.Errno) {
		if !n.f.links {
			return syscall.EPERM
		}
		made, errno = n.LoopbackNode.Symlink(ctx, to, name, out)
		return errno
	})
	return made, errno
}

func (n *node) Mknod(context.Context, string, uint32, uint32, *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return nil, syscall.EPERM
}

func (n *node) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (made *fs.Inode, errno syscall.Errno) {
	errno = n.f.do(ctx, "link", n.below(name), func() (errno syscall.Errno) {
		made, errno = n.LoopbackNode.Link(ctx, target, name, out)
		return errno
	})
	return made, errno
}

func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno {
	return n.f.do(ctx, "remove", n.below(name), func() syscall.Errno { return n.LoopbackNode.Rmdir(ctx, name) })
}

func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	return n.f.do(ctx, "remove", n.below(name), func() syscall.Errno {
		n.f.forget(n.backing(name))
		return n.LoopbackNode.Unlink(ctx, name)
	})
}

func (n *node) Rename(ctx context.Context, name string, parent fs.InodeEmbedder, as string, flags uint32) syscall.Errno {
	to := parent.(*node)
	return n.f.do(ctx, "rename", to.below(as), func() syscall.Errno {
		if flags != 0 {
			return syscall.EINVAL
		}
		n.f.forget(to.backing(as))
		return n.LoopbackNode.Rename(ctx, name, parent, as, flags)
	})
}

func (n *node) Setattr(ctx context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	size, sized := in.GetSize()
	kind := map[bool]string{true: "truncate", false: "chmod"}[sized]
	return n.f.do(ctx, kind, n.below(""), func() syscall.Errno {
		if sized {
			if errno := n.f.remember(n.backing(""), change{off: int64(size), cuts: true}); errno != 0 {
				return errno
			}
		}
		return n.LoopbackNode.Setattr(ctx, nil, in, out)
	})
}

func (n *node) Opendir(context.Context) syscall.Errno { return n.f.refuse() }

// Fsync is that of files and directories.
func (n *node) Fsync(ctx context.Context, _ fs.FileHandle, _ uint32) syscall.Errno {
	errno := n.f.do(ctx, "sync", n.below(""), func() syscall.Errno {
		n.f.settle(n.backing(""), synced)
		return 0
	})
	if errno != 0 && n.f.refuse() == 0 {
		n.f.mu.Lock()
		defer n.f.mu.Unlock()
		n.f.settle(n.backing(""), doomed)
	}
	return errno
}

// OpendirHandle has directories synced by Fsync.
func (n *node) OpendirHandle(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	h, fuseFlags, errno := n.LoopbackNode.OpendirHandle(ctx, flags)
	if errno != 0 {
		return nil, 0, errno
	}
	return struct {
		fs.FileReaddirenter
		fs.FileReleasedirer
		fs.FileSeekdirer
	}{h.(fs.FileReaddirenter), h.(fs.FileReleasedirer), h.(fs.FileSeekdirer)}, fuseFlags, 0
}

// CopyFileRange isn't there: whoever copies reads and writes.
func (n *node) CopyFileRange(context.Context, fs.FileHandle, uint64, *fs.Inode, fs.FileHandle, uint64, uint64, uint64) (uint32, syscall.Errno) {
	return 0, syscall.ENOSYS
}

// A handle is an open file.
type handle struct {
	n      *node
	lf     *fs.LoopbackFile
	synced bool // each write is
}

func (h *handle) Read(ctx context.Context, into []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if errno := h.n.f.refuse(); errno != 0 {
		return nil, errno
	}
	return h.lf.Read(ctx, into, off)
}

func (h *handle) Write(ctx context.Context, b []byte, off int64) (n uint32, errno syscall.Errno) {
	errno = h.n.f.do(ctx, "write", h.n.below(""), func() (errno syscall.Errno) {
		if errno := h.n.f.remember(h.n.backing(""), change{off: off, new: b}); errno != 0 {
			return errno
		}
		n, errno = h.lf.Write(ctx, b, off)
		if errno == 0 && h.synced {
			h.n.f.settle(h.n.backing(""), synced)
		}
		return errno
	})
	return n, errno
}

func (h *handle) Allocate(ctx context.Context, off, size uint64, mode uint32) syscall.Errno {
	const keepSize = 1
	if mode != keepSize {
		return syscall.EOPNOTSUPP
	}
	return h.n.f.do(ctx, "allocate", h.n.below(""), func() syscall.Errno { return h.lf.Allocate(ctx, off, size, mode) })
}

func (h *handle) Getattr(ctx context.Context, out *fuse.AttrOut) syscall.Errno {
	return h.lf.Getattr(ctx, out)
}

func (h *handle) Lseek(ctx context.Context, off uint64, whence uint32) (uint64, syscall.Errno) {
	return h.lf.Lseek(ctx, off, whence)
}

func (h *handle) Flush(context.Context) syscall.Errno { return 0 }

func (h *handle) Release(ctx context.Context) syscall.Errno { return h.lf.Release(ctx) }

// under says whether the operation is on a file of that part of a data directory.
func (o *op) under(part string) bool {
	_, rest, _ := strings.Cut(o.path, "/")
	return part == "" || rest == part || strings.HasPrefix(rest, part+"/")
}

// inode is that of a file that has one name alone.
func inode(path string) (uint64, bool) {
	var st syscall.Stat_t
	err := syscall.Lstat(path, &st)
	return st.Ino, err == nil && st.Mode&syscall.S_IFMT == syscall.S_IFREG && st.Nlink == 1
}

// readUpTo reads what there is of the file from off on.
func readUpTo(f *os.File, b []byte, off int64) (int, error) {
	n, err := f.ReadAt(b, off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}
