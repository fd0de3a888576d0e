// Package storage keeps the pieces of torrents in files.
//
// It owns what lies on disk: which file a byte of content belongs to, the
// names below the download folder, the open descriptors, the hashing of
// pieces, and the record of what is there. It never talks to peers, never
// decides what to fetch, and never holds blocks back: every block is written
// as soon as a worker is free, so that buffers always come back to their pool.
//
// Its nouns: a Store holds the content of one torrent; Workers write, hash and
// sync for all Stores of an engine; an open piece is one whose blocks are
// coming in; a stamp is the size and the time of the last change of a file as
// the Store left it.
//
// # Confinement
//
// Names come from metainfo.Layout alone, which has cleaned them, and files are
// opened below the download folder through os.Root. No symbolic link is made
// or followed below that folder, nothing but regular files and folders is
// opened, and nothing is mapped into memory, so that a file that shrinks while
// it is read is an error and not a fault. A file that is longer than the
// torrent says is somebody else's: it is refused and left alone.
//
// # Order of things
//
// All blocks of a piece are written before the piece is hashed, and they are
// written and hashed by one worker at a time. Blocks that come in order are
// hashed from their buffers beside the receiving; what came out of order is
// read back from the page cache once the gap before it is filled.
package storage
