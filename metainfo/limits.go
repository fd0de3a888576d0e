package metainfo

// The bounds of all input. Each is far above the needs of honest torrents, and
// low enough that the worst document costs memory in proportion to its size.
const (
	// TorrentBytesMax bounds a .torrent file. The largest in use are about 10
	// MiB; the whole document is held in memory.
	TorrentBytesMax = 32 << 20
	// PiecesMax bounds the number of pieces: as many as fit 32 MiB of SHA-1,
	// rounded up. It also bounds the memory for a v2 file length, which costs
	// a peer nothing to claim.
	PiecesMax = 2 << 20
	// PieceLengthMax keeps every offset in a piece within 32 bits. The wire
	// carries them in 32 bits and no client makes pieces above 256 MiB.
	PieceLengthMax = 512 << 20
	// FilesMax bounds the number of files, padding included.
	FilesMax = 1 << 20
	// PathDepthMax bounds the folders above a file, its name included.
	PathDepthMax = 64
	// ElementBytesMax is the longest name that common file systems take; longer
	// names are cut.
	ElementBytesMax = 255
	// PathBytesMax bounds a path below the torrent's name, after cleaning, by
	// PATH_MAX of Linux.
	PathBytesMax = 4096
	// LengthMax bounds the bytes of content, so that sums of offsets and
	// piece lengths never leave 63 bits.
	LengthMax = 1 << 60

	// documentDepthMax is the nesting of lists and dictionaries: a v2 file tree
	// of PathDepthMax folders, and the values around it.
	documentDepthMax = PathDepthMax + 8
	// documentValuesMax never binds before TorrentBytesMax: the shortest value
	// has two bytes.
	documentValuesMax = TorrentBytesMax / 2

	// BlockLength is the unit of transfer (BEP 3, "request") and the leaf of
	// the v2 hash tree (BEP 52, "pieces root").
	BlockLength = 16 << 10
)
