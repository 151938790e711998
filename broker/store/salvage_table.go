package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/sstable/colblk"
	"github.com/cockroachdb/pebble/v2/sstable/rowblk"
)

// A table (sstable) in one of Pebble's columnar formats, versions 5 to 7: data blocks, then filter, index, range tombstones and properties, then the
// meta index, which tells where these are, then the footer, which tells where index and meta index are. Each block is followed by how it is compressed (1 octet)
// and the checksum over both (4). salvage reads tables itself, since Pebble's reader gives up a table of which anything but a data block is damaged.
const (
	footerMin      = 1 + 2*20 + 4 + 8  // checksum type, two handles, version, magic
	footerMax      = footerMin + 4 + 4 // from version 6 on a checksum before the version, from 7 on attributes before that
	footerMagic    = "\xf0\x9f\xaa\xb3\xf0\x9f\xaa\xb3"
	checksumCRC32C = 1
	attrTwoLevels  = 1 << 5
	blockTrailer   = 1 + 4
	blockMax       = 1 << 30 // no block is larger, once unpacked
	rangeDelName   = "rocksdb.range_del2"
)

// A handle is where a block lies, without its trailer. Last is a key that no key in the block is above; nil = not known.
type handle struct {
	Off, Len uint64
	Last     []byte
}

func (h handle) String() string {
	return fmt.Sprintf("octets %d to %d", h.Off, h.Off+h.Len+blockTrailer)
}

// A tomb is a range tombstone: keys in [Start, End) that are older than Seq are gone.
type tomb struct {
	Start, End []byte
	Seq        uint64
	src        *origin
}

// A table is an open table whose blocks can be read one by one.
type table struct {
	f      io.ReaderAt
	size   uint64
	data   []handle // in key order
	others []handle // blocks that the meta index names
	tombs  []tomb
	faults []string // what of it did not read
}

// openTable finds the blocks of a table: by its index or, where that does not read, by trying what a block could be. It never fails; an unreadable file has no blocks.
func openTable(f io.ReaderAt, size int64) *table {
	t := &table{f: f, size: uint64(size)}
	index, meta, attrs, err := t.footer()
	if err != nil {
		t.fault("its footer", err)
		t.carve(true)
		return t
	}
	indexErr := t.readIndex(index, attrs)
	metaErr := t.readMeta(meta)
	t.fault("its index", indexErr)
	t.fault("its range tombstones", metaErr)
	if indexErr != nil || metaErr != nil {
		t.carve(indexErr != nil)
	}
	return t
}

func (t *table) fault(what string, err error) {
	if err != nil {
		t.faults = append(t.faults, fmt.Sprintf("%s: %v", what, err))
	}
}

func (t *table) footer() (index, meta handle, attrs uint32, err error) {
	b := make([]byte, min(footerMax, t.size))
	if _, err := t.f.ReadAt(b, int64(t.size)-int64(len(b))); err != nil {
		return index, meta, 0, err
	}
	if len(b) < footerMin || string(b[len(b)-8:]) != footerMagic {
		return index, meta, 0, errNotTable
	}
	version := binary.LittleEndian.Uint32(b[len(b)-12:])
	extra, known := map[uint32]int{5: 0, 6: 4, 7: 8}[version]
	if !known || len(b) < footerMin+extra {
		return index, meta, 0, errNotTable
	}
	b = b[len(b)-footerMin-extra:]
	if version > 5 {
		sum := len(b) - 16
		if cook(crc32.Update(crc32.Checksum(b[:sum], castagnoli), castagnoli, b[sum+4:])) != binary.LittleEndian.Uint32(b[sum:]) {
			return index, meta, 0, errChecksum
		}
	}
	if version > 6 {
		attrs = binary.LittleEndian.Uint32(b[len(b)-20:])
	}
	if b[0] != checksumCRC32C {
		return index, meta, 0, errNotTable
	}
	r := &editReader{b: b[1:]}
	meta = handle{Off: r.uvarint(), Len: r.uvarint()}
	index = handle{Off: r.uvarint(), Len: r.uvarint()}
	return index, meta, attrs, nil
}

var errNotTable = errors.New("it is not that of a table")

var errChecksum = errors.New("its checksum does not match")

// block reads a block and unpacks it.
func (t *table) block(h handle) ([]byte, error) {
	if h.Len > t.size || h.Off > t.size || h.Off+h.Len+blockTrailer > t.size {
		return nil, fmt.Errorf("the file ends before it does")
	}
	b := make([]byte, h.Len+blockTrailer)
	if _, err := t.f.ReadAt(b, int64(h.Off)); err != nil {
		return nil, err
	}
	if checksum(b[:h.Len+1]) != binary.LittleEndian.Uint32(b[h.Len+1:]) {
		return nil, errChecksum
	}
	return unpack(b[:h.Len], b[h.Len])
}

// unpack undoes a block's compression.
func unpack(b []byte, how byte) (out []byte, err error) {
	defer catch(&err)
	kind := block.CompressionIndicator(how)
	switch kind {
	case block.NoCompressionIndicator:
		return b, nil
	case block.SnappyCompressionIndicator, block.ZstdCompressionIndicator, block.MinLZCompressionIndicator:
	default:
		return nil, fmt.Errorf("its compression %d is not known", how)
	}
	n, err := block.DecompressedLen(kind, b)
	if err != nil {
		return nil, err
	}
	if n < 0 || n > blockMax {
		return nil, errLength
	}
	out = make([]byte, n)
	return out, block.DecompressInto(kind, b, out)
}

// catch makes an error of a panic. Pebble's decoders of blocks panic on what they do not understand.
func catch(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("it does not decode: %v", p)
	}
}

// readIndex appends what the index lists to t.data. The first lower-level block that does not read is the error; the others are used.
func (t *table) readIndex(h handle, attrs uint32) error {
	handles, err := t.indexBlock(h)
	if err != nil {
		return err
	}
	if attrs&attrTwoLevels == 0 && !t.leadsToIndex(handles) {
		t.data = handles
		return nil
	}
	for _, lower := range handles {
		more, e := t.indexBlock(lower)
		t.data = append(t.data, more...)
		if err == nil {
			err = e
		}
	}
	return err
}

// leadsToIndex tells whether what an index lists are index blocks themselves. Before version 7 the footer does not say it.
func (t *table) leadsToIndex(handles []handle) bool {
	for _, h := range handles {
		if b, err := t.block(h); err == nil {
			return kindOfBlock(b) == blockIndex
		}
	}
	return false
}

func (t *table) indexBlock(h handle) ([]handle, error) {
	b, err := t.block(h)
	if err != nil {
		return nil, err
	}
	return indexBlock(b)
}

func indexBlock(b []byte) (handles []handle, err error) {
	defer catch(&err)
	if kindOfBlock(b) != blockIndex {
		return nil, errLength
	}
	var it colblk.IndexIter
	if err := it.Init(pebble.DefaultComparer, b, block.NoTransforms); err != nil {
		return nil, err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		bh, err := it.BlockHandleWithProperties()
		if err != nil {
			return nil, err
		}
		handles = append(handles, handle{Off: bh.Offset, Len: bh.Length, Last: append([]byte{}, it.Separator()...)})
	}
	return handles, nil
}

// readMeta reads the range tombstones, which the meta index leads to.
func (t *table) readMeta(h handle) (err error) {
	defer catch(&err)
	b, err := t.block(h)
	if err != nil {
		return err
	}
	each := rowPairs
	if kindOfBlock(b) == blockPairs {
		each = pairs
	}
	var tombs *handle
	each(b, func(name string, where []byte) {
		r := &editReader{b: where}
		h := handle{Off: r.uvarint(), Len: r.uvarint()}
		t.others = append(t.others, h)
		if name == rangeDelName {
			tombs = &h
		}
	})
	if tombs == nil {
		return nil
	}
	dels, err := t.block(*tombs)
	if err != nil {
		return err
	}
	return t.addTombs(dels)
}

// pairs calls f with every name and value in a block of pairs.
func pairs(b []byte, f func(name string, value []byte)) {
	var d colblk.KeyValueBlockDecoder
	d.Init(b)
	for i := range d.BlockDecoder().Rows() {
		f(string(d.KeyAt(i)), d.ValueAt(i))
	}
}

// rowPairs is pairs for a block in the format of rows, in which tables of version 5 have their meta index.
func rowPairs(b []byte, f func(name string, value []byte)) {
	it, err := rowblk.NewRawIter(bytes.Compare, b)
	if err != nil {
		panic(err) // caught
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		f(string(it.Key().UserKey), it.Value())
	}
}

// addTombs reads a block of range tombstones: a column of n boundaries, one that tells at which row the tombstones begin that end at or after it, and
// the rows, of which salvage wants the sequence number.
func (t *table) addTombs(b []byte) (err error) {
	defer catch(&err)
	if kindOfBlock(b) != blockSpans {
		return errLength
	}
	n := int(binary.LittleEndian.Uint32(b))
	d := colblk.DecodeBlock(b, spansHeader)
	bounds := colblk.DecodeColumn(&d, 0, n, colblk.DataTypeBytes, colblk.DecodeRawBytes)
	first := colblk.DecodeColumn(&d, 1, n, colblk.DataTypeUint, colblk.DecodeUnsafeUints)
	rows := d.Uints(2)
	for i := 0; i+1 < n; i++ {
		for row := first.At(i); row < first.At(i+1); row++ {
			t.tombs = append(t.tombs, tomb{
				Start: append([]byte{}, bounds.At(i)...), End: append([]byte{}, bounds.At(i+1)...), Seq: rows.At(int(row)) >> 8,
			})
		}
	}
	return nil
}

// A version is a key with the value that one write gave it.
type version struct {
	Key   []byte
	Seq   uint64
	Kind  pebble.InternalKeyKind
	Value []byte
	src   *origin
}

// versions returns everything in a data block. Keys and values are the caller's. A value that does not stand beside its key, as Pebble keeps one of which the same
// table has a later version, is passed over.
func versions(b []byte, src *origin) (all []version, err error) {
	defer catch(&err)
	if kindOfBlock(b) != blockData {
		return nil, errLength
	}
	d := colblk.DecodeBlock(b, dataHeader)
	prefixes, suffixes, trailers, values, external := d.PrefixBytes(0), d.RawBytes(1), d.Uints(2), d.RawBytes(4), d.Bitmap(5)
	all = make([]version, 0, d.Rows())
	for i := range d.Rows() {
		if external.At(i) {
			continue
		}
		t := pebble.InternalKeyTrailer(trailers.At(i))
		all = append(all, version{
			Key: append(prefixes.At(i), suffixes.At(i)...), Seq: uint64(t.SeqNum()), Kind: t.Kind(), Value: values.At(i), src: src,
		})
	}
	return all, nil
}

// seqs returns the lowest and highest sequence number above 0 in the table; 0 when there are none.
func (t *table) seqs() (low, high uint64) {
	note := func(seq uint64) {
		if seq > 0 && (low == 0 || seq < low) {
			low = seq
		}
		high = max(high, seq)
	}
	for _, h := range t.data {
		b, err := t.block(h)
		if err != nil {
			continue
		}
		vs, _ := versions(b, nil)
		for _, v := range vs {
			note(v.Seq)
		}
	}
	for _, x := range t.tombs {
		note(x.Seq)
	}
	return low, high
}
