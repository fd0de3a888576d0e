package transmission

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"swarmnode/daemon"
)

const (
	// labelsMax bounds the labels of a torrent, labelBytesMax one of them.
	labelsMax     = 100
	labelBytesMax = 256
	// speedMax bounds a speed limit in kB/s, peersMaxMax the connections of a torrent.
	speedMax    = 1e12
	peersMaxMax = 65535
	// minutesMax bounds a time in minutes: a hundred years.
	minutesMax = 100 * 366 * 24 * 60
	ratioMax   = 1e9
)

// An edit is what a request changes about options of torrents.
type edit []func(o *daemon.Options)

func (e *edit) add(change func(o *daemon.Options)) { *e = append(*e, change) }

func (e edit) apply(o *daemon.Options) {
	for _, change := range e {
		change(o)
	}
}

// setNote remembers something in the notes of options. An empty value forgets it.
func setNote(notes *map[string]string, name, value string) {
	changed := maps.Clone(*notes)
	if changed == nil {
		changed = make(map[string]string)
	}
	if changed[notePrefix+name] = value; value == "" {
		delete(changed, notePrefix+name)
	}
	*notes = changed
}

// numeral returns a number as a note has it.
func numeral(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// within returns the number that v is, at least low and at most high.
func (v value) within(low, high float64) (n float64, ok bool) {
	n, ok = v.number()
	if math.IsNaN(n) {
		return 0, false
	}
	return min(max(n, low), high), ok
}

// editOptions reads the parameters of torrent-set and of torrent-add that are options.
func (c *call) editOptions() (edit, error) {
	var e edit
	if err := c.editLabels(&e); err != nil {
		return nil, err
	}
	c.editLimits(&e)
	if err := c.editGoals(&e); err != nil {
		return nil, err
	}
	p := c.params
	if group, ok := p.get("group").text(); ok {
		e.add(func(o *daemon.Options) { o.Group = group })
	}
	if n, ok := p.get("bandwidthPriority", "bandwidth_priority").within(-1, 1); ok {
		e.add(func(o *daemon.Options) { o.Rank = int(n) })
	}
	if is, ok := p.get("honorsSessionLimits", "honors_session_limits").truth(); ok {
		e.add(func(o *daemon.Options) { o.Alone = !is })
	}
	if n, ok := p.get("peer-limit", "peer_limit").within(1, peersMaxMax); ok {
		e.add(func(o *daemon.Options) { o.Peers = int(n) })
	}
	if is, ok := p.get("sequential_download", "sequentialDownload").truth(); ok {
		e.add(func(o *daemon.Options) { o.Sequential = is })
	}
	if n, ok := p.get("sequential_download_from_piece").within(0, math.MaxInt32); ok {
		e.add(func(o *daemon.Options) {
			setNote(&o.Notes, "sequential_download_from_piece", numeral(math.Trunc(n)))
		})
	}
	return e, nil
}

// editLabels reads labels. A comma separates them in lists that programs show.
func (c *call) editLabels(e *edit) error {
	v := c.params.get("labels")
	if v.kind() != '[' {
		return nil
	}
	labels := []string{}
	for element := range v.elements() {
		s, ok := element.text()
		s = strings.TrimSpace(s)
		switch {
		case !ok:
			continue
		case s == "":
			return invalid("labels cannot be empty")
		case strings.Contains(s, ","):
			return invalid("labels cannot contain comma (,) character")
		case len(s) > labelBytesMax || len(labels) == labelsMax:
			return invalid("too many labels, or one that is too long")
		case !slices.Contains(labels, s):
			labels = append(labels, s)
		}
	}
	e.add(func(o *daemon.Options) { o.Labels = labels })
	return nil
}

// editLimits reads the limits of speed. The number of one that is off is remembered.
func (c *call) editLimits(e *edit) {
	for _, limit := range []struct {
		number, on names
		of         func(o *daemon.Options) *int64
	}{
		{names{"downloadLimit", "download_limit"}, names{"downloadLimited", "download_limited"},
			func(o *daemon.Options) *int64 { return &o.Down }},
		{names{"uploadLimit", "upload_limit"}, names{"uploadLimited", "upload_limited"},
			func(o *daemon.Options) *int64 { return &o.Up }},
	} {
		change := c.limit(limit.number, limit.on)
		if change != nil {
			e.add(func(o *daemon.Options) { change(limit.of(o), &o.Notes) })
		}
	}
}

// limit reads a limit of speed and its switch. It returns how they change the bytes per second
// of the limit and its note; nil if they change nothing.
func (c *call) limit(number, on names) func(bytes *int64, notes *map[string]string) {
	speed, hasSpeed := c.params.get(number[:]...).within(0, speedMax)
	isOn, hasOn := c.params.get(on[:]...).truth()
	if !hasSpeed && !hasOn {
		return nil
	}
	name := number[modern]
	return func(bytes *int64, notes *map[string]string) {
		kept := noted((*notes)[notePrefix+name], limitDefault)
		if *bytes > 0 {
			kept = float64(*bytes) / speedUnit
		}
		if hasSpeed {
			kept = speed
		}
		limited := *bytes > 0
		if hasOn {
			limited = isOn
		}
		*bytes = 0
		if limited {
			*bytes = bytesOf(kept)
		}
		setNote(notes, name, numeral(kept))
	}
}

// bytesOf returns the bytes per second of a limit in kB/s. Clients mean a limit of 0 to let
// nothing through. That is no number of ours, so it becomes one that lets next to nothing
// through.
func bytesOf(speed float64) int64 { return max(1, int64(speed*speedUnit)) }

// editGoals reads at what a torrent stops. The number of a goal that is not its own is
// remembered.
func (c *call) editGoals(e *edit) error {
	ratio, hasRatio := c.params.get("seedRatioLimit", "seed_ratio_limit").within(0, ratioMax)
	mode, hasMode, err := c.goalMode("seedRatioMode", "seed_ratio_mode")
	if err != nil {
		return err
	}
	if hasRatio || hasMode {
		e.add(func(o *daemon.Options) {
			at := noted(o.Notes[notePrefix+"seed_ratio_limit"], ratioDefault)
			if o.Ratio.Mode == daemon.GoalOwn {
				at = o.Ratio.At
			}
			if hasRatio {
				at = ratio
			}
			setGoal(&o.Ratio, mode, hasMode, at)
			setNote(&o.Notes, "seed_ratio_limit", numeral(at))
		})
	}
	idle, hasIdle := c.params.get("seedIdleLimit", "seed_idle_limit").within(0, minutesMax)
	idleMode, hasIdleMode, err := c.goalMode("seedIdleMode", "seed_idle_mode")
	if err != nil {
		return err
	}
	if hasIdle || hasIdleMode {
		e.add(func(o *daemon.Options) {
			at := noted(o.Notes[notePrefix+"seed_idle_limit"], idleDefault)
			if o.Idle.Mode == daemon.GoalOwn {
				at = o.Idle.At.Minutes()
			}
			if hasIdle {
				at = math.Trunc(idle)
			}
			setGoal(&o.Idle, idleMode, hasIdleMode, time.Duration(at)*time.Minute)
			setNote(&o.Notes, "seed_idle_limit", numeral(at))
		})
	}
	return nil
}

// setGoal sets the mode of a goal, if there is a new one, and the number of one that is the
// torrent's own.
func setGoal[T float64 | time.Duration](g *daemon.Goal[T], mode daemon.GoalMode, hasMode bool,
	at T) {
	if hasMode {
		g.Mode = mode
	}
	g.At = 0
	if g.Mode == daemon.GoalOwn {
		g.At = at
	}
}

func (c *call) goalMode(legacyName, modernName string) (daemon.GoalMode, bool, error) {
	v := c.params.get(legacyName, modernName)
	if v.missing() {
		return 0, false, nil
	}
	n, ok := v.integer()
	if !ok || n < 0 || n > int64(daemon.GoalNone) {
		return 0, false, invalid(names{legacyName, modernName}[c.out.d] + " is 0, 1 or 2")
	}
	return daemon.GoalMode(n), true, nil
}

// torrentSet changes options of torrents, their trackers, their place in the queue, and
// where their content lies.
func torrentSet(c *call) error {
	e, err := c.editOptions()
	if err != nil {
		return err
	}
	files, err := c.fileEdits()
	if err != nil {
		return err
	}
	trackers, err := c.trackerEdit()
	if err != nil {
		return err
	}
	var dir string
	if location := c.params.text("location"); location != "" {
		if dir, err = c.folder(location, "new location path is not absolute"); err != nil {
			return err
		}
	}
	place, hasPlace := c.params.get("queuePosition", "queue_position").within(0, math.MaxInt32)
	return c.each(func(t *daemon.Torrent) error {
		if err := c.setOptions(t, e, files, trackers); err != nil {
			return err
		}
		if hasPlace {
			if err := t.Enqueue(int(place)); err != nil {
				return err
			}
		}
		if dir != "" {
			return t.Move(c.ctx, dir)
		}
		return nil
	})
}

// setOptions changes the options of one torrent in one step.
func (c *call) setOptions(t *daemon.Torrent, e edit, files fileEdits, trackers *trackerEdit) error {
	e = slices.Clip(e)
	if len(files) > 0 {
		change, err := c.chooseFiles(t, files)
		if err != nil {
			return err
		}
		e.add(change)
	}
	if trackers != nil {
		tiers, err := trackers.apply(tiersOf(t.Trackers()))
		if err != nil {
			return err
		}
		e.add(func(o *daemon.Options) {
			o.Trackers = tiers
			setNote(&o.Notes, "edit_date", strconv.FormatInt(c.h.now().Unix(), 10))
		})
	}
	if len(e) == 0 {
		return nil
	}
	if from, ok := c.params.get("sequential_download_from_piece").integer(); ok {
		if s := t.State(); s.HaveInfo && (from < 0 || from >= int64(s.Pieces)) {
			return &fault{code: codePieceRange,
				text: "piece to sequentially download from is outside pieces range"}
		}
	}
	return t.Set(c.ctx, e.apply)
}
