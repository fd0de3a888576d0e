package stream

import (
	"path"
	"strings"
)

// A kind says what a file is.
type kind struct {
	media string // its type
	show  bool   // browsers may show it; they save everything else
	play  bool   // players play it
}

// unknown is the kind of files with any other name.
var unknown = kind{media: "application/octet-stream"}

// kinds are the kinds by the end of the name. The machine's own table does not count: it would
// give the same file another type elsewhere.
var kinds = tableOf(
	map[string]string{ // videos
		"3g2": "video/3gpp2", "3gp": "video/3gpp", "asf": "video/x-ms-asf",
		"avi": "video/x-msvideo", "divx": "video/x-msvideo", "f4v": "video/mp4",
		"flv": "video/x-flv", "m1v": "video/mpeg", "m2t": "video/mp2t", "m2ts": "video/mp2t",
		"m2v": "video/mpeg", "m4v": "video/mp4", "mk3d": "video/matroska-3d",
		"mkv": "video/matroska", "mov": "video/quicktime", "mp4": "video/mp4",
		"mpeg": "video/mpeg", "mpg": "video/mpeg", "mts": "video/mp2t", "mxf": "application/mxf",
		"ogm": "video/ogg", "ogv": "video/ogg", "qt": "video/quicktime",
		"rm": "application/vnd.rn-realmedia", "rmvb": "application/vnd.rn-realmedia-vbr",
		"ts": "video/mp2t", "vob": "video/mpeg", "webm": "video/webm", "wmv": "video/x-ms-wmv",
	},
	map[string]string{ // sound
		"aac": "audio/aac", "ac3": "audio/ac3", "aif": "audio/aiff", "aiff": "audio/aiff",
		"amr": "audio/amr", "ape": "audio/x-ape", "au": "audio/basic", "caf": "audio/x-caf",
		"dsf": "audio/x-dsf", "dts": "audio/vnd.dts", "eac3": "audio/eac3", "flac": "audio/flac",
		"m4a": "audio/mp4", "m4b": "audio/mp4", "mid": "audio/midi", "midi": "audio/midi",
		"mka": "audio/matroska", "mp1": "audio/mpeg", "mp2": "audio/mpeg", "mp3": "audio/mpeg",
		"mpc": "audio/x-musepack", "oga": "audio/ogg", "ogg": "audio/ogg", "opus": "audio/ogg",
		"spx": "audio/ogg", "tta": "audio/x-tta", "wav": "audio/wav", "weba": "audio/webm",
		"wma": "audio/x-ms-wma", "wv": "audio/x-wavpack",
	},
	map[string]string{ // pictures of pixels: those of lines can have programs in them
		"apng": "image/apng", "avif": "image/avif", "bmp": "image/bmp", "gif": "image/gif",
		"heic": "image/heic", "ico": "image/vnd.microsoft.icon", "jfif": "image/jpeg",
		"jpe": "image/jpeg", "jpeg": "image/jpeg", "jpg": "image/jpeg", "jxl": "image/jxl",
		"png": "image/png", "tif": "image/tiff", "tiff": "image/tiff", "webp": "image/webp",
	},
	map[string]string{ // plain text and subtitles
		"ass": "text/plain; charset=utf-8", "cue": "text/plain; charset=utf-8",
		"diz": "text/plain; charset=utf-8", "log": "text/plain; charset=utf-8",
		"lrc": "text/plain; charset=utf-8", "md": "text/plain; charset=utf-8",
		"md5": "text/plain; charset=utf-8", "nfo": "text/plain; charset=utf-8",
		"sfv": "text/plain; charset=utf-8", "sha1": "text/plain; charset=utf-8",
		"sha256": "text/plain; charset=utf-8", "smi": "text/plain; charset=utf-8",
		"srt": "text/plain; charset=utf-8", "ssa": "text/plain; charset=utf-8",
		"sub": "text/plain; charset=utf-8", "txt": "text/plain; charset=utf-8",
		"vtt": "text/vtt; charset=utf-8",
	},
	map[string]string{ // the rest
		"7z": "application/x-7z-compressed", "apk": "application/vnd.android.package-archive",
		"azw3": "application/vnd.amazon.mobi8-ebook", "bz2": "application/x-bzip2",
		"cbr": "application/vnd.comicbook-rar", "cbz": "application/vnd.comicbook+zip",
		"css": "text/css", "csv": "text/csv", "deb": "application/vnd.debian.binary-package",
		"djvu": "image/vnd.djvu", "dmg": "application/x-apple-diskimage",
		"doc":  "application/msword",
		"docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
		"epub": "application/epub+zip", "exe": "application/vnd.microsoft.portable-executable",
		"fb2": "application/x-fictionbook+xml", "gz": "application/gzip", "htm": "text/html",
		"html": "text/html", "idx": "application/octet-stream",
		"iso": "application/x-iso9660-image", "jar": "application/java-archive",
		"js": "text/javascript", "json": "application/json", "lz4": "application/x-lz4",
		"m3u": "audio/x-mpegurl", "m3u8": "application/vnd.apple.mpegurl",
		"mobi": "application/x-mobipocket-ebook", "msi": "application/x-msi",
		"odt": "application/vnd.oasis.opendocument.text", "pdf": "application/pdf",
		"rar": "application/vnd.rar", "rpm": "application/x-rpm", "rtf": "application/rtf",
		"sup": "application/octet-stream", "svg": "image/svg+xml", "tar": "application/x-tar",
		"tgz": "application/gzip", "torrent": "application/x-bittorrent",
		"wasm": "application/wasm", "xhtml": "application/xhtml+xml",
		"xml": "application/xml", "xz": "application/x-xz", "zip": "application/zip",
		"zst": "application/zstd",
	},
)

// tableOf makes one table of five, whose meanings differ.
func tableOf(videos, sounds, pictures, texts, rest map[string]string) map[string]kind {
	all := make(map[string]kind)
	for _, group := range []struct {
		of         map[string]string
		show, play bool
	}{{videos, true, true}, {sounds, true, true}, {pictures, true, false}, {texts, true, false},
		{rest, false, false}} {
		for end, media := range group.of {
			all[end] = kind{media, group.show, group.play}
		}
	}
	return all
}

// kindOf returns the kind of a file with that name.
func kindOf(name string) kind {
	end := strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))
	if k, ok := kinds[end]; ok {
		return k
	}
	return unknown
}
