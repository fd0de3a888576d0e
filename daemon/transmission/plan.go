package transmission

import (
	"sync"
)

// A field is something about a torrent that clients ask for.
type field struct {
	names names
	keys  keyed
	needs needs
	put   func(w *writer, v *view)
}

// f returns a field.
func f(legacyName, modernName string, need needs, put func(w *writer, v *view)) field {
	n := names{legacyName, modernName}
	return field{n, n.keys(), need, put}
}

// fieldsByName has all fields by their names in both dialects.
var fieldsByName = sync.OnceValue(func() map[string]*field {
	byName := make(map[string]*field)
	for _, table := range fieldTables {
		for i := range table {
			for _, name := range table[i].names {
				byName[name] = &table[i]
			}
		}
	}
	return byName
})

// A plan is a list of fields as a client asks for them. It does not change.
type plan struct {
	fields []planned
	needs  needs
	table  bool // an array per torrent in place of an object
}

// A planned field has the key that the client uses.
type planned struct {
	name string
	key  string
	put  func(w *writer, v *view)
}

const (
	// fieldsMax bounds the fields of a request. There are about 100.
	fieldsMax = 256
	// plansMax bounds the plans that are kept, and planBytesMax the list of fields that one is
	// kept for. A client has fewer than five lists.
	plansMax     = 64
	planBytesMax = 4096
)

// plans keeps the plans that clients use again and again. It is safe for concurrent use.
type plans struct {
	mu   sync.Mutex
	kept [2]map[string]*plan // by the list of fields as it was sent; the second for tables
}

// of returns the plan for a list of fields.
func (p *plans) of(fields value, table bool) (*plan, error) {
	kind := 0
	if table {
		kind = 1
	}
	p.mu.Lock()
	kept := p.kept[kind][string(fields)]
	p.mu.Unlock()
	if kept != nil {
		return kept, nil
	}
	made, err := newPlan(fields, table)
	if err != nil || len(fields) > planBytesMax {
		return made, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept[kind] == nil || len(p.kept[kind]) >= plansMax {
		p.kept[kind] = make(map[string]*plan)
	}
	p.kept[kind][string(fields)] = made
	return made, nil
}

// newPlan reads a list of fields. Unknown ones are left out: several clients ask for fields
// that are gone for years.
func newPlan(fields value, table bool) (*plan, error) {
	p := &plan{table: table}
	for element := range fields.elements() {
		name, _ := element.text()
		known := fieldsByName()[name]
		if known == nil {
			continue
		}
		if len(p.fields) == fieldsMax {
			return nil, invalid("too many fields")
		}
		p.fields = append(p.fields, planned{name, `"` + name + `":`, known.put})
		p.needs |= known.needs
	}
	if len(p.fields) == 0 {
		return nil, invalid("no fields specified")
	}
	return p, nil
}

// head appends what comes before the torrents: the names of the fields, in a table.
func (p *plan) head(w *writer) {
	if !p.table {
		return
	}
	w.open('[')
	for i := range p.fields {
		w.text(p.fields[i].name)
	}
	w.shut(']')
}

// write appends one torrent.
func (p *plan) write(w *writer, v *view) {
	if p.table {
		w.open('[')
		for i := range p.fields {
			p.fields[i].put(w, v)
		}
		w.shut(']')
		return
	}
	w.open('{')
	for i := range p.fields {
		w.sep()
		w.b = append(w.b, p.fields[i].key...)
		p.fields[i].put(w, v)
	}
	w.shut('}')
}
