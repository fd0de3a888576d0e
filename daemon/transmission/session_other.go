package transmission

import (
	"math"

	"swarmnode"
	"swarmnode/daemon"
)

const (
	// version is what clients compare with the versions of Transmission.
	version = "4.1.0 (swarmnode " + swarmnode.Version + ")"
	// rpcVersion and its like are the versions of the protocol that 4.1.0 has.
	rpcVersion        = 18
	rpcVersionMinimum = 14
	rpcVersionSemver  = "6.0.0"
	// cacheDefault is the size of a cache that only Transmission has, in MiB.
	cacheDefault = 4
	// wrongPasswordsMax is how many wrong passwords lead to a lockout; see package control.
	wrongPasswordsMax = 10
	// noteNumberMax bounds numbers that are remembered.
	noteNumberMax = 1 << 31
)

// otherSettings are the rest. Commands that run at events can be seen and never be changed:
// that would let whoever knows the password run programs.
var otherSettings = []setting{
	fixed("version", "version", func(w *writer, _ *session) { w.text(version) }),
	fixed("rpc-version", "rpc_version", func(w *writer, _ *session) { w.int(rpcVersion) }),
	fixed("rpc-version-minimum", "rpc_version_minimum",
		func(w *writer, _ *session) { w.int(rpcVersionMinimum) }),
	fixed("rpc-version-semver", "rpc_version_semver",
		func(w *writer, _ *session) { w.text(rpcVersionSemver) }),
	fixed("session-id", "session_id", func(w *writer, s *session) { w.text(s.h.id) }),
	fixed("units", "units", func(w *writer, _ *session) { putUnits(w) }),
	fixed("anti-brute-force-enabled", "anti_brute_force_enabled",
		func(w *writer, _ *session) { w.bool(true) }),
	fixed("anti-brute-force-threshold", "anti_brute_force_threshold",
		func(w *writer, _ *session) { w.int(wrongPasswordsMax) }),

	scriptOn("script-torrent-added-enabled", "script_torrent_added_enabled", onAdded),
	script("script-torrent-added-filename", "script_torrent_added_filename", onAdded),
	scriptOn("script-torrent-done-enabled", "script_torrent_done_enabled", onComplete),
	script("script-torrent-done-filename", "script_torrent_done_filename", onComplete),
	scriptOn("script-torrent-done-seeding-enabled", "script_torrent_done_seeding_enabled", never),
	script("script-torrent-done-seeding-filename", "script_torrent_done_seeding_filename", never),

	settable("start-added-torrents", "start_added_torrents",
		func(w *writer, s *session) { w.bool(!s.all.AddPaused) },
		func(_ *call, v value) (func(s *daemon.Settings), error) {
			is, ok := v.truth()
			if !ok {
				return nil, nil
			}
			return func(s *daemon.Settings) { s.AddPaused = !is }, nil
		}),
	noteTruth("sequential_download", "sequential_download"),
	noteNumber("cache-size-mb", "cache_size_mib", cacheDefault),
}

func onAdded(s *daemon.Settings) []string    { return s.OnAdded }
func onComplete(s *daemon.Settings) []string { return s.OnComplete }
func never(*daemon.Settings) []string        { return nil }

func scriptOn(legacyName, modernName string, of func(s *daemon.Settings) []string) setting {
	return fixed(legacyName, modernName,
		func(w *writer, s *session) { w.bool(len(of(&s.all)) > 0) })
}

func script(legacyName, modernName string, of func(s *daemon.Settings) []string) setting {
	return fixed(legacyName, modernName, func(w *writer, s *session) {
		if command := of(&s.all); len(command) > 0 {
			w.text(command[0])
			return
		}
		w.text("")
	})
}

// noteTruth returns a truth value that the daemon remembers for clients, and does not use.
func noteTruth(legacyName, modernName string) setting {
	return settable(legacyName, modernName,
		func(w *writer, s *session) { w.bool(s.note(modernName) == "true") },
		func(_ *call, v value) (func(s *daemon.Settings), error) {
			is, ok := v.truth()
			if !ok {
				return nil, nil
			}
			note := ""
			if is {
				note = "true"
			}
			return func(s *daemon.Settings) { setNote(&s.Notes, modernName, note) }, nil
		})
}

// noteNumber returns a number that the daemon remembers for clients, and does not use.
func noteNumber(legacyName, modernName string, otherwise float64) setting {
	return settable(legacyName, modernName,
		func(w *writer, s *session) { w.int(int64(noted(s.note(modernName), otherwise))) },
		func(_ *call, v value) (func(s *daemon.Settings), error) {
			n, ok := v.within(0, noteNumberMax)
			if !ok {
				return nil, nil
			}
			return func(s *daemon.Settings) {
				setNote(&s.Notes, modernName, numeral(math.Trunc(n)))
			}, nil
		})
}

// putUnits appends the units that clients show sizes and speeds in.
func putUnits(w *writer) {
	w.open('{')
	w.name("memory-bytes", "memory_bytes")
	w.int(1024)
	w.name("memory-units", "memory_units")
	w.texts([]string{"B", "KiB", "MiB", "GiB", "TiB"})
	w.name("size-bytes", "size_bytes")
	w.int(1000)
	w.name("size-units", "size_units")
	w.texts([]string{"B", "kB", "MB", "GB", "TB"})
	w.name("speed-bytes", "speed_bytes")
	w.int(speedUnit)
	w.name("speed-units", "speed_units")
	w.texts([]string{"B/s", "kB/s", "MB/s", "GB/s", "TB/s"})
	w.shut('}')
}
