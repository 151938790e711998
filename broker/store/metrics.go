package store

import (
	"sync/atomic"
	"time"
)

// CommitBounds are the upper bounds of the classes of Metrics.CommitTimes. The last class has none.
var CommitBounds = [...]time.Duration{
	100 * time.Microsecond, 300 * time.Microsecond, time.Millisecond, 3 * time.Millisecond, 10 * time.Millisecond,
	30 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond, time.Second, 3 * time.Second,
}

// Metrics are the figures of a store since it was opened.
type Metrics struct {
	Commits     uint64                        // synced ones
	CommitTime  time.Duration                 // of all of them together
	CommitTimes [len(CommitBounds) + 1]uint64 // how many took how long: each up to its bound of CommitBounds, none counted twice

	LogBytes     uint64 // written to the log
	FlushBytes   uint64 // written to tables from memory
	CompactBytes uint64 // written to tables from tables

	UsedBytes   uint64 // what the store takes on disk
	FreeBytes   uint64 // what is free on the file system; 0 in memory
	DeviceBytes uint64 // size of the file system; 0 in memory
}

type commitMetrics struct {
	n     atomic.Uint64
	total atomic.Int64
	times [len(CommitBounds) + 1]atomic.Uint64
}

func (c *commitMetrics) add(d time.Duration) {
	i := 0
	for i < len(CommitBounds) && d > CommitBounds[i] {
		i++
	}
	c.n.Add(1)
	c.total.Add(int64(d))
	c.times[i].Add(1)
}

// Metrics returns the figures. It takes some microseconds: ask once a second, not once a message.
func (s *Store) Metrics() Metrics {
	p := s.db.Metrics()
	m := Metrics{
		Commits: s.commit.n.Load(), CommitTime: time.Duration(s.commit.total.Load()),
		LogBytes: p.WAL.BytesWritten, UsedBytes: p.DiskSpaceUsage(),
	}
	for i := range m.CommitTimes {
		m.CommitTimes[i] = s.commit.times[i].Load()
	}
	for i := range p.Levels {
		m.FlushBytes += p.Levels[i].TableBytesFlushed
		m.CompactBytes += p.Levels[i].TableBytesCompacted
	}
	if u, err := s.fs.GetDiskUsage(s.dir); err == nil {
		m.FreeBytes, m.DeviceBytes = u.AvailBytes, u.TotalBytes
	}
	return m
}
