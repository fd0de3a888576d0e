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
// the Store left it; the record is the file by which a later run knows what need not be
// hashed again; the partfile keeps the bytes of wanted pieces in unwanted files.
//
// # What a Store is made of
//
// Each concern of a Store is a type of its own, which uses those above it:
//
//	selection      which files are wanted, and which are written to   selection.go, select.go
//	naming         what the content and its files are called     naming.go, finder.go
//	contentFiles   the files by index: open, read, write, sync   files.go, handles.go
//	ledger         which pieces are sound, how files were left   ledger.go, late.go
//	place          the name in use, the lock, the final name     place*.go
//	partfile       bytes of wanted pieces in unwanted files      partfile*.go
//	journal        the record, and when it is renewed            journal.go, record.go
//	contentPieces  the content as a row of pieces                pieces.go
//	check          one run of Check                              check*.go, links.go
//	mover          one run of Move or Rename                     move*.go, rename.go
//	placeNote      where moved and renamed content lies          place_note.go
//	openPiece      one piece whose blocks are coming in          openpiece.go, workers.go
//
// Store itself puts them in order (storage.go, finish.go).
//
// # Confinement
//
// Names come from metainfo.Layout alone, which has cleaned them, and files are
// opened below the download folder through os.Root. No symbolic link is made
// below that folder. Links are followed for reading, since torrents are made of content
// that has them: within the folder, and from the name of the content itself to
// wherever the user keeps it. Nothing is written through a link, and content that
// would need it is refused (links.go). Only regular files and folders are opened.
// Nothing is mapped into memory, so that a file that shrinks while
// it is read is an error and not a fault. A file that is longer than the
// torrent says is another file: it is refused and left alone. Of the
// attributes of BEP 47 only "executable" counts: such a file is made with the
// right to be executed, as far as the umask allows.
//
// # Names
//
// One place chooses the names of new files, and the names under which existing
// content is looked for (naming.go, finder.go): those that new files would get, those in
// the torrent, and those of other rules. No two files of a torrent ever have one path,
// not even on a file system that takes different names for one. Which names the file
// system can hold is tried (probe.go), once for each folder, when a torrent has names
// that matter.
//
// # Order of things
//
// All blocks of a piece are written before the piece is hashed, and they are
// written and hashed by one worker at a time. Blocks that come in order are
// hashed from their buffers as they come. Blocks that came out of order are
// read back from the page cache once the gap before them is filled.
//
// # Unfinished content
//
// With Config.Part the file or folder at the top is called NAME.part until
// Finish, which gives it its name in one step. Where something else has that name,
// it is NAME.HASH.part, which nothing else can be. Several torrents may share the
// folder NAME: one that is complete when the folder exists already moves its files
// into it, by way of NAME.HASH.moving, from where it recovers after a crash. Browsers
// and other clients use the same suffix. It is on the top and not on every file, so
// that nothing within can collide, content of many files costs one rename, and
// a folder never holds a mixture. Content that lies under its own name already
// is checked and completed in place, unless none of it is right: then it is
// something else, and is left alone.
//
// # Files that are not wanted
//
// With Config.Wanted the unwanted files are never made, and those that exist are read
// and never changed. A piece that lies in files of both kinds is whole all the same: its
// bytes in unwanted files are kept in the partfile beside the record, where each piece
// that several files share has its slot. The partfile is sparse and holds nothing but
// those bytes. The record knows which of them are there. Without a record, pieces with
// data in the partfile and none in their own file are hashed. A file that is wanted at a
// later start gets its bytes from the partfile. A file that is no longer wanted stays
// where it is.
//
// Select changes what is wanted while pieces are written and read (select.go). Parts move
// from the partfile into files that come to be wanted, those of pieces that are not
// complete, too; the record calls them parts of the partfile until the files are synced. A
// file that the Store has written to is kept when it is no longer wanted: its bytes go to
// its place until Close. So blocks that were requested before have a place, and no piece
// changes its place while it is fetched. A piece of one unwanted file can be written as
// well, and goes to the file. Content keeps its final name when more of it comes to be
// wanted, since other programs know it by that name. Content of which nothing is wanted
// keeps the name of the unfinished.
//
// The partfile stays as long as something in it is useful, even when everything that is
// wanted is complete: without it the shared pieces could neither be served nor be
// found again. Check removes it when it holds nothing any more, as when all
// files have come to be wanted, and Tidy when the content has been gone for long. Without
// a folder for state it is a temporary file until Close, and the shared pieces
// are fetched again after that.
//
// # One writer
//
// Open and Check only look, unless there is nothing or something is missing; so
// complete content needs no right to write. A Store that writes holds an advisory
// lock on the top of the content, the folder or the only file, from before its first
// write until Finish or Close. The lock ends with the process, needs no file of its own,
// and works between nodes with different folders for state. A Store that only reads
// takes no lock: complete content is not written to.
//
// # Moving
//
// Move and Rename keep reads and writes going. Content is renamed in one step where it can
// be; otherwise it is copied to a name of its own, synced, read back and compared, and
// gets its name in one step, which decides where the content lies after a crash. Only then
// is anything of the original removed: files that lie at the new place too, and not what a
// link leads to or another torrent uses (move_original.go). Notes tell the next Open how
// far a move has come. An arrangement excludes everything else that changes where content
// lies, and writes are held while the last of it changes place (move_arrange.go).
//
// # What outlasts a crash
//
// The record (see Resume) holds the pieces whose data was synced before the
// record was written, and how the files were left. A checkpoint syncs and
// records every few seconds, or when many bytes were written. After Close the record is
// clean, and if sizes and times still agree nothing is hashed at the next start.
// After a crash the pieces that it lacks are hashed, unless they are holes. Files
// that others changed are hashed, and a piece that is known from a record alone is
// hashed before it is first read from. So no record, damaged, outdated or
// forged, makes a node send data that it has not seen to be right. The same goes
// for pieces of a complete file that is found changed while it is served.
package storage
