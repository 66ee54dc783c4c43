package cloudevent_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/eventstore/cloudevent"
)

// granted is an access that a gateway's connection stands for, of usual size.
func granted(b *testing.B) (*cloudevent.Document, []byte) {
	for _, s := range samples(b) {
		if s.Connection && s.Decision.Granted() {
			d := s.document(b)
			doc, err := d.Append(nil)
			require.NoError(b, err)
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			return d, doc
		}
	}
	panic("no sample of it")
}

func BenchmarkAppend(b *testing.B) {
	d, doc := granted(b)
	buf := make([]byte, 0, 2*len(doc))
	for b.Loop() {
		if _, err := d.Append(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	_, doc := granted(b)
	for b.Loop() {
		if _, err := cloudevent.Parse(doc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEvent(b *testing.B) {
	d, _ := granted(b)
	for b.Loop() {
		if _, err := d.Event(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseData(b *testing.B) {
	d, _ := granted(b)
	for b.Loop() {
		if _, fault := cloudevent.ParseData(d.Name, d.Data); fault != nil {
			b.Fatal(fault)
		}
	}
}

func BenchmarkCanonical(b *testing.B) {
	d, _ := granted(b)
	for b.Loop() {
		if !cloudevent.Canonical(d.Data) {
			b.Fatal("not canonical")
		}
	}
}

func BenchmarkNATSSubject(b *testing.B) {
	d, _ := granted(b)
	for b.Loop() {
		d.NATSSubject()
	}
}

// BenchmarkParseAgain reads into the memory of the document before.
func BenchmarkParseAgain(b *testing.B) {
	_, doc := granted(b)
	var d cloudevent.Document
	for b.Loop() {
		if err := d.Parse(doc); err != nil {
			b.Fatal(err)
		}
	}
}
