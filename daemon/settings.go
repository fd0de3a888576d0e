package daemon

import (
	"context"
	"slices"
	"time"
)

// Settings are what the user sets for the daemon as a whole and can change while it runs. The
// tag of a field is the name of its flag, and its name in the configuration file and in
// daemon/api.
type Settings struct {
	// Dir is the folder for content; a torrent may have another one. If it is empty at the start,
	// it is the folder downloads in the state folder. IncompleteDir, unless it
	// is empty, has content until it is complete.
	Dir           string `json:"dir"`
	IncompleteDir string `json:"incomplete-dir"`
	// Roots are the folders below which a control may put or look for content, besides Dir and
	// IncompleteDir.
	Roots []string `json:"root"`
	// Watch are folders that are looked through for .torrent and .magnet files: FOLDER, or
	// FOLDER=DIR with another folder for the content.
	Watch []string `json:"watch"`

	// Rates are in bytes per second; 0 is no limit. AltDown and AltUp are in force instead
	// while Alt is set, or at the times of AltSchedule, such as "mon-fri 08:00-18:30".
	Down        int64  `json:"down"`
	Up          int64  `json:"up"`
	AltDown     int64  `json:"alt-down"`
	AltUp       int64  `json:"alt-up"`
	Alt         bool   `json:"alt"`
	AltSchedule string `json:"alt-schedule"`
	// Peers and TorrentPeers bound connections; 0 means the default.
	Peers        int `json:"max-peers"`
	TorrentPeers int `json:"torrent-peers"`
	// Port is for the addresses to listen on that name none. 0 is a port that was picked once and
	// is remembered, or any port if the daemon was started so.
	Port int `json:"port"`

	// QueueDown and QueueSeed bound how many torrents download and seed at one time; 0 is no
	// limit. A torrent that has moved nothing for QueueStalled does not count; 0 means that
	// every torrent counts.
	QueueDown    int           `json:"queue-downloads"`
	QueueSeed    int           `json:"queue-seeds"`
	QueueStalled time.Duration `json:"queue-stalled"`

	// A torrent stops once it has given SeedRatio times its size, has seeded for SeedTime, or
	// has given nothing for SeedIdle. 0 is no such goal.
	SeedRatio float64       `json:"seed-ratio"`
	SeedTime  time.Duration `json:"seed-time"`
	SeedIdle  time.Duration `json:"seed-idle"`

	// AddPaused adds torrents stopped. Trackers are added to torrents that are not private.
	AddPaused bool     `json:"add-paused"`
	Trackers  []string `json:"default-tracker"`
	// MinFree is how many bytes of a file system stay free; downloads pause before that.
	MinFree int64 `json:"min-free"`

	// OnAdded, OnComplete and OnError are commands, with their arguments; no shell.
	OnAdded    []string `json:"on-added"`
	OnComplete []string `json:"on-complete"`
	OnError    []string `json:"on-error"`

	DHT bool `json:"dht"`
	PEX bool `json:"pex"`
	LSD bool `json:"lsd"`
	// Blocklists are files and URLs; see swarmnode.Config.
	Blocklists []string `json:"blocklist"`

	// Groups are sets of torrents that share a rate; Options.Group names one. Controls change
	// them, and no flag does.
	Groups []Group `json:"groups,omitempty"`

	// Notes are what a control remembers for its users and the daemon does not use, such as
	// the number of a limit that is switched off.
	Notes map[string]string `json:"notes,omitempty"`
}

// Settings returns the settings in force. Nobody may change its slices and maps.
func (d *Daemon) Settings() Settings {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.settings
}

// Change changes the settings by a function that gets a copy, and keeps what is new across
// restarts. If the new settings are wrong, nothing changes, and the error is a *SettingError.
// Otherwise it is ErrClosed, or a *PathError if ctx is confined and a folder is not allowed.
func (d *Daemon) Change(ctx context.Context, by func(*Settings)) error {
	d.keeper.changing.Lock()
	defer d.keeper.changing.Unlock()
	if err := d.ctx.Err(); err != nil {
		return ErrClosed
	}
	old := d.Settings()
	next := old.clone()
	by(&next)
	next = next.clone() // since by may have kept a slice
	if err := next.check(); err != nil {
		return err
	}
	if err := d.admitSettings(ctx, &old, &next); err != nil {
		return err
	}
	if err := d.admitSingle(&old, &next); err != nil {
		return err
	}
	if err := d.useLists(ctx, &old, &next); err != nil {
		return err
	}
	if err := d.usePort(&old, &next); err != nil {
		if e := d.useLists(ctx, &next, &old); e != nil {
			d.log.Warn("the blocklist cannot be what it was", "err", e)
		}
		return err
	}
	if len(next.differing(&old)) > 0 {
		d.keeper.record(&old, &next)
		d.enforce(&old, next)
	}
	return nil
}

// Reload takes new settings of files, flags and the environment, and the names of those that are
// pinned, as Start does. What controls have changed stays, except for settings of which base
// says something new. changed has the names of the settings with new values, and restart those
// that stay as they were until the next start, such as blocklists that cannot be read now. If
// base is wrong, or ctx ends, nothing changes, and the error is a *SettingError or that of ctx.
func (d *Daemon) Reload(ctx context.Context, base Settings, pinned []string) (changed,
	restart []string, err error) {
	d.keeper.changing.Lock()
	defer d.keeper.changing.Unlock()
	if err := d.ctx.Err(); err != nil {
		return nil, nil, ErrClosed
	}
	old := d.Settings()
	next, err := d.keeper.rebase(base, pinned)
	if err != nil {
		return nil, nil, err
	}
	if err := d.useLists(ctx, &old, &next); err != nil {
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		d.log.Warn("the blocklist stays as it was", "err", err)
		next.Blocklists, restart = old.Blocklists, []string{"blocklist"}
	}
	if err := d.usePort(&old, &next); err != nil {
		d.log.Warn("the port stays as it was", "err", err)
		next.Port, restart = old.Port, append(restart, "port")
	}
	if changed = next.differing(&old); len(changed) > 0 {
		d.enforce(&old, next)
	}
	return changed, restart, nil
}

// Changed returns the names of the settings that controls have changed: those that are not as
// files, flags and the environment give them.
func (d *Daemon) Changed() []string {
	s := d.Settings()
	return d.keeper.changed(&s)
}

// Pinned returns the names of the settings that flags or the environment give, so that a change
// of them by controls ends with this run.
func (d *Daemon) Pinned() []string { return d.keeper.pins() }

// listsTime bounds the reading of new blocklists, whose servers may be slow.
const listsTime = time.Minute

// useLists puts new blocklists into force, or returns a *SettingError. Lists that cannot be used
// must not become settings, since the next start would fail.
func (d *Daemon) useLists(ctx context.Context, old, next *Settings) error {
	if slices.Equal(old.Blocklists, next.Blocklists) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, listsTime)
	defer cancel()
	defer context.AfterFunc(d.ctx, cancel)()
	if err := d.node.SetBlocklists(ctx, next.Blocklists); err != nil {
		return &SettingError{"blocklist", err}
	}
	return nil
}

// usePort makes the node listen on another port, or returns a *SettingError. A port that is
// taken must not become a setting, since the next start would fail.
func (d *Daemon) usePort(old, next *Settings) error {
	if old.Port == next.Port {
		return nil
	}
	if err := d.node.SetPort(uint16(next.Port)); err != nil {
		return &SettingError{"port", err}
	}
	return nil
}

// enforce puts settings into force. keeper.changing is held.
func (d *Daemon) enforce(old *Settings, next Settings) {
	d.mu.Lock()
	d.settings = next
	d.mu.Unlock()
	d.enforceInNode(old, &next)
	d.feed.Mark()
	d.folders.lookout.settingsChanged(&next)
}
