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
// below that folder. Links are followed for reading, as they were when a torrent was
// made of the content: within the folder, and from the name of the content itself to
// wherever the user keeps it. Nothing is written through a link, and content that
// would need it is refused (links.go). Nothing but regular files and folders is
// opened, and nothing is mapped into memory, so that a file that shrinks while
// it is read is an error and not a fault. A file that is longer than the
// torrent says is somebody else's: it is refused and left alone. Of the
// attributes of BEP 47 only "executable" counts: such a file is made with the
// right to be executed, as far as the umask allows.
//
// # Names
//
// One place chooses what files are called that are made, and under which names the
// content is looked for that is there (naming.go, finder.go): those that would be
// made, those in the torrent, and those of other rules. No two files of a torrent
// ever have one path, also where the file system takes different names for one. What
// it can hold is tried (probe.go), once for each folder, when a torrent has names that
// matter.
//
// # Order of things
//
// All blocks of a piece are written before the piece is hashed, and they are
// written and hashed by one worker at a time. Blocks that come in order are
// hashed from their buffers beside the receiving; what came out of order is
// read back from the page cache once the gap before it is filled.
//
// # Unfinished content
//
// With Config.Part the file or folder at the top is called NAME.part until
// Finish, which gives it its name in one step. Where something else has that name,
// it is NAME.HASH.part, which nothing else can be. Several torrents may share the
// folder NAME: one that is complete when the folder is there already moves its files
// into it, by way of NAME.HASH.moving, from where a crash is recovered. The suffix is the one that
// browsers and other clients use; it is on the top and not on every file, so
// that nothing within can collide, content of many files costs one rename, and
// a folder never holds a mixture. Content that lies under its own name already
// is checked and completed in place, unless none of it fits: then it is
// something else, and is left alone.
//
// # Files that are not wanted
//
// With Config.Wanted the files that are not wanted are never made, and those
// that are there are read and never changed. A piece that lies in files of both
// kinds is whole all the same: its bytes in files that are not wanted lie in the
// side file beside the record, where each piece that several files
// share has its slot. The file is sparse and holds nothing but those bytes. Which
// of them are there, the record knows; without it whatever has data in the side
// file and none in its own file is hashed. A file that is wanted at a later start
// gets its bytes from there; one that is no longer wanted stays where it is.
//
// The side file stays as long as something in it is of use, also when all that is
// wanted is complete: without it the shared pieces could neither be served nor be
// found again. Check removes it when nothing lies there any more, as when all
// files have come to be wanted; Tidy does when the content has been gone for long. Without
// a folder for state it is a temporary file until Close, and the shared pieces
// are fetched again after that.
//
// # One writer
//
// Open and Check only look, unless there is nothing or something is missing; so
// complete content needs no right to write. A Store that writes holds an advisory
// lock on the top of the content, the folder or the only file, from before its first
// write until Finish or Close. It goes with the process, needs no file of its own,
// and holds whatever folders for state the two nodes have. Those that only read take
// none: complete content is not written to.
//
// # What outlasts a crash
//
// The record (see Resume) holds the pieces whose data was synced before the
// record was written, and how the files were left. A checkpoint syncs and
// records every few seconds, or when many bytes were written. After Close it is
// clean, and if sizes and times still agree nothing is hashed at the next start.
// After a crash the pieces that it lacks and that are not holes are hashed. Files
// that others changed are hashed, and what is known from a record alone is
// hashed before it is first read from, so that no record, damaged, outdated or
// forged, makes a node send data that it has not seen to be right. The same goes
// for pieces of a complete file that is found changed while it is served.
package storage
