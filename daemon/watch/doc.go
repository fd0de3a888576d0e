// Package watch looks through folders for files that somebody puts there for us, and takes them.
//
// Run watches folders until its context ends: by notifications of the system, and every ten
// seconds by looking, since a network file system sends none. A file is taken once it has
// settled, that is, when its size and its time of change have stayed the same for a second. A
// file that was taken gets the suffix ".added"; one that nobody can use gets ".invalid", but
// only ten seconds after its last change, in case its writer was slow.
//
// The package does not know what is in a file: that is for Config.Take. Other users may be able
// to put things into a watched folder. So symbolic links, pipes and devices are never opened,
// the size of a file and the number of files that wait have bounds, and whatever happens to
// the folder, it is watched again when it is back.
package watch
