package metainfo

import (
	"maps"
	"slices"
	"strings"
	"time"

	"swarmnode/metainfo/bencode"
	"swarmnode/metainfo/weburl"
)

// An original is the .torrent file that a Torrent was read from, without its info
// dictionary. Keys that are not changed are written as they were read, since they may
// mean something to other programs. The zero value means that there was no file.
type original struct {
	entries []entry // in the order of the file
	said    outside // the fields when the file was read
	layers  int     // how many piece layers were known
}

// An entry is a key of a dictionary with its value, encoded. The value of the info
// dictionary, and of piece layers that would be written as they were read, is nil.
type entry struct {
	key  string
	raw  []byte
	gone bool // it is not written; it keeps the place of the key
}

// An outside is a copy of the fields of a Torrent.
type outside struct {
	trackers                [][]string
	webSeeds, nodes         []string
	comment, creator, title string
	created                 time.Time
}

// says returns the fields as they are now.
func (t *Torrent) says() outside {
	o := outside{
		webSeeds: slices.Clone(t.WebSeeds), nodes: slices.Clone(t.Nodes),
		comment: t.Comment, creator: t.Creator, title: t.DisplayName, created: t.Created,
	}
	for _, tier := range t.Trackers {
		o.trackers = append(o.trackers, slices.Clone(tier))
	}
	return o
}

// group returns key and the other keys with the same meaning.
func group(key string) []string {
	switch key {
	case keyAnnounce:
		return []string{key, keyTiers}
	case keyComment, keyCreator, keyName:
		return []string{key, key + utf8Suffix}
	}
	return []string{key}
}

// set gives a key a value. A new key is inserted where it belongs if the keys are sorted.
func (o *original) set(key string, raw []byte) {
	for i := range o.entries {
		if e := &o.entries[i]; e.key == key {
			e.raw, e.gone = raw, false
			return
		}
	}
	at := slices.IndexFunc(o.entries, func(e entry) bool { return e.key > key })
	if at < 0 {
		at = len(o.entries)
	}
	o.entries = slices.Insert(o.entries, at, entry{key: key, raw: raw})
}

// remove removes keys.
func (o *original) remove(keys ...string) {
	for i := range o.entries {
		if slices.Contains(keys, o.entries[i].key) {
			o.entries[i] = entry{key: o.entries[i].key, gone: true}
		}
	}
}

// value returns the value of a key, nil if there is none.
func (o *original) value(key string) []byte {
	for _, e := range o.entries {
		if e.key == key {
			return e.raw
		}
	}
	return nil
}

// Forget removes a key of the file that was read, and other keys with the same meaning,
// even if their values could not be read. If the fields are set, they are written
// instead. The key is one of announce, comment,
// created by, creation date, name, nodes and url-list.
func (t *Torrent) Forget(key string) {
	o := &t.file
	o.remove(group(key)...)
	switch key {
	case keyAnnounce:
		o.said.trackers = nil
	case keyWebSeeds:
		o.said.webSeeds = nil
	case keyNodes:
		o.said.nodes = nil
	case keyComment:
		o.said.comment = ""
	case keyCreator:
		o.said.creator = ""
	case keyName:
		o.said.title = ""
	case keyCreated:
		o.said.created = time.Time{}
	}
}

// Marshal returns the .torrent file.
func (t *Torrent) Marshal() []byte { return t.Append(nil) }

// Append appends the .torrent file to dst. The info dictionary is written as
// it was received, and so is every key whose field was not changed, in the order of
// the file. New keys are inserted in sorted order, as BEP 3 asks.
func (t *Torrent) Append(dst []byte) []byte {
	file := original{entries: slices.Clone(t.file.entries)}
	for key, values := range t.changed() {
		for _, k := range group(key) {
			if values[k] == nil {
				file.remove(k)
			}
		}
		for _, k := range slices.Sorted(maps.Keys(values)) {
			file.set(k, values[k])
		}
	}
	file.set(keyInfo, t.info.raw)
	if l := t.info.layout; l.kind != V1 {
		known := l.layersKnown() == t.file.layers && len(t.file.entries) > 0
		if has := slices.ContainsFunc(file.entries, func(e entry) bool {
			return e.key == keyLayers
		}); !known || has && file.value(keyLayers) == nil {
			file.set(keyLayers, l.appendLayers(nil))
		}
	}
	return bencode.AppendDict(dst, func(dst []byte) []byte {
		for _, e := range file.entries {
			if !e.gone {
				dst = append(bencode.AppendString(dst, e.key), e.raw...)
			}
		}
		return dst
	})
}

// changed returns the new values of the keys whose field was changed, by the first key
// of their group. Keys of the group without a value are removed.
func (t *Torrent) changed() map[string]map[string][]byte {
	all := make(map[string]map[string][]byte)
	said := &t.file.said
	if !slices.EqualFunc(t.Trackers, said.trackers, slices.Equal) {
		values := make(map[string][]byte)
		if urls := slices.Concat(t.Trackers...); len(urls) > 0 {
			values[keyAnnounce] = bencode.AppendString(nil, urls[0])
			if len(urls) > 1 {
				values[keyTiers] = appendTiers(nil, t.Trackers)
			}
		}
		all[keyAnnounce] = values
	}
	text := func(key, now, before string) {
		if now != before {
			all[key] = make(map[string][]byte)
			if now != "" {
				all[key][key] = bencode.AppendString(nil, now)
			}
		}
	}
	text(keyComment, t.Comment, said.comment)
	text(keyCreator, t.Creator, said.creator)
	text(keyName, t.DisplayName, said.title)
	if !t.Created.Equal(said.created) {
		all[keyCreated] = make(map[string][]byte)
		if !t.Created.IsZero() {
			all[keyCreated][keyCreated] = bencode.AppendInt(nil, t.Created.Unix())
		}
	}
	if !slices.Equal(t.Nodes, said.nodes) {
		all[keyNodes] = make(map[string][]byte)
		if nodes := appendNodes(nil, t.Nodes); nodes != nil {
			all[keyNodes][keyNodes] = nodes
		}
	}
	if !slices.Equal(t.WebSeeds, said.webSeeds) {
		all[keyWebSeeds] = make(map[string][]byte)
		if len(t.WebSeeds) > 0 {
			all[keyWebSeeds][keyWebSeeds] = appendStrings(nil, t.WebSeeds)
		}
	}
	return all
}

func appendStrings(dst []byte, list []string) []byte {
	return bencode.AppendList(dst, func(dst []byte) []byte {
		for _, s := range list {
			dst = bencode.AppendString(dst, s)
		}
		return dst
	})
}

func appendTiers(dst []byte, tiers [][]string) []byte {
	return bencode.AppendList(dst, func(dst []byte) []byte {
		for _, tier := range tiers {
			if len(tier) > 0 {
				dst = appendStrings(dst, tier)
			}
		}
		return dst
	})
}

// appendNodes appends the list of [host, port] of BEP 5. It leaves out nodes that are
// not a host:port, and returns nil when no node is left.
func appendNodes(dst []byte, nodes []string) []byte {
	some := false
	dst = bencode.AppendList(dst, func(dst []byte) []byte {
		for _, node := range nodes {
			host, port, err := splitEndpoint(node)
			if err != nil {
				continue
			}
			some = true
			dst = bencode.AppendList(dst, func(dst []byte) []byte {
				return bencode.AppendInt(bencode.AppendString(dst, host), int64(port))
			})
		}
		return dst
	})
	if !some {
		return nil
	}
	return dst
}

// A rawTier is an element of an "announce-list" as it is in the file.
type rawTier struct {
	raw   []byte
	list  bool     // as it should be; some programs write a bare URL
	items []rawURL // of the list, or the bare URL
}

// A rawURL is a value of the file in the place of a URL, and the URL; empty if the value
// is not one.
type rawURL struct {
	raw []byte
	url string
}

// readRawTiers reads the value of an "announce-list". It returns nil if that is not a
// list.
func readRawTiers(value []byte) (tiers []rawTier) {
	r := bencode.NewLenient(value, documentLimits)
	if r.Kind() != bencode.List {
		return nil
	}
	for range r.List() {
		tier := rawTier{list: r.Kind() == bencode.List}
		start := r.Offset()
		if tier.list {
			for range r.List() {
				tier.items = append(tier.items, readRawURL(r.Raw()))
			}
			tier.raw = value[start:r.Offset()]
		} else {
			tier.raw = r.Raw()
			tier.items = []rawURL{readRawURL(tier.raw)}
		}
		tiers = append(tiers, tier)
	}
	return tiers
}

func readRawURL(raw []byte) rawURL {
	b, _ := bencode.NewLenient(raw, documentLimits).TryBytes()
	return rawURL{raw, sameURL(string(b))}
}

// without returns the tier without the URLs that goes selects. ok is false if none is
// left.
func (tier rawTier) without(goes func(url string) bool) (rest rawTier, ok bool) {
	kept := slices.DeleteFunc(slices.Clone(tier.items), func(u rawURL) bool {
		return u.url != "" && goes(u.url)
	})
	if len(kept) == len(tier.items) {
		return tier, true
	}
	tier.items = kept
	tier.raw = bencode.AppendList(nil, func(dst []byte) []byte {
		for _, u := range kept {
			dst = append(dst, u.raw...)
		}
		return dst
	})
	return tier, len(kept) > 0
}

// EditTrackers removes trackers, and adds tiers after the remaining ones. The
// other trackers stay as the file has them, even unusable ones and those
// beyond TrackersMax. A tracker that the file has already is not added.
func (t *Torrent) EditTrackers(remove []string, add [][]string) {
	if values, ok := t.changed()[keyAnnounce]; ok { // the fields take precedence
		t.file.remove(group(keyAnnounce)...)
		for key, raw := range values {
			t.file.set(key, raw)
		}
	}
	gone := make(map[string]bool)
	for _, url := range remove {
		gone[sameURL(url)] = true
	}
	var announce rawURL
	if raw := t.file.value(keyAnnounce); raw != nil {
		announce = readRawURL(raw)
	}
	tiers := readRawTiers(t.file.value(keyTiers))
	if tiers == nil && announce.url != "" {
		tiers = []rawTier{{bencode.AppendList(nil, func(dst []byte) []byte {
			return append(dst, announce.raw...)
		}), true, []rawURL{announce}}}
	}
	there := map[string]bool{"": true}
	var left []rawTier
	for _, tier := range tiers {
		if tier, ok := tier.without(func(url string) bool { return gone[url] }); ok {
			left = append(left, tier)
			for _, u := range tier.items {
				there[u.url] = true
			}
		}
	}
	t.setRawTrackers(announce, append(left, newTiers(add, there)...), gone)
}

// newTiers returns the tiers to add, without the URLs in there.
func newTiers(add [][]string, there map[string]bool) (tiers []rawTier) {
	for _, urls := range add {
		tier := rawTier{list: true}
		var fresh []string
		for _, url := range urls {
			if same := sameURL(url); !there[same] {
				there[same] = true
				fresh = append(fresh, url)
				tier.items = append(tier.items, rawURL{bencode.AppendString(nil, url), same})
			}
		}
		if len(fresh) > 0 {
			tier.raw = appendStrings(nil, fresh)
			tiers = append(tiers, tier)
		}
	}
	return tiers
}

// setRawTrackers writes tiers into the file. "announce" stays unless its URL was removed
// or it was not a URL. The list is written if the file had one, or there is more than
// one URL.
func (t *Torrent) setRawTrackers(announce rawURL, tiers []rawTier, gone map[string]bool) {
	var first []byte
	count := 0
	for _, tier := range tiers {
		for _, u := range tier.items {
			if u.url != "" && first == nil {
				first = u.raw
			}
			count++
		}
	}
	o := &t.file
	had := o.value(keyTiers) != nil
	switch {
	case count == 0:
		o.remove(keyTiers)
	case had || count > 1:
		o.set(keyTiers, bencode.AppendList(nil, func(dst []byte) []byte {
			for _, tier := range tiers {
				dst = append(dst, tier.raw...)
			}
			return dst
		}))
	}
	named := announce.url != ""
	switch {
	case named && !gone[announce.url]:
	case first != nil && (named || !had):
		o.set(keyAnnounce, first)
	case named:
		o.remove(keyAnnounce)
	}
	t.Trackers, t.Unusable = nil, nil
	said := o.said
	fields := Torrent{file: *o}
	fields.readOutside()
	t.Trackers, t.Unusable = fields.Trackers, fields.Unusable
	said.trackers = fields.file.said.trackers
	o.said = said
}

// sameURL maps all ways to write a URL to one.
func sameURL(s string) string {
	if url, err := weburl.Clean(s); err == nil {
		return url
	}
	return strings.TrimSpace(s)
}
