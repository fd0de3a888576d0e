package storage

// RecordIn leaves a record in the folder stateDir of content that Trust has taken for whole:
// a later Open with that StateDir does not hash it, as far as the files are as they are now.
// Files that are missing or have another length are not recorded. The record is on stable
// storage when RecordIn returns. The error is an *Error, and stops nothing.
func (s *Store) RecordIn(stateDir string) error {
	path := s.names.finalPath()
	r := Resume{Hash: s.cfg.Hash, Path: path, Have: s.Have(), Files: s.known.fileStates()}
	for i := range r.Files {
		f := &s.layout.Files[i]
		if !hasPlace(s.layout, i) || r.Files[i].Size == f.Length {
			continue
		}
		first, end := s.layout.FilePieces(i)
		for p := first; p < end; p++ {
			r.Have.Remove(p)
		}
	}
	r.Clean = r.Have.All()
	record := newRecord(stateDir, stateStem(s.cfg.Hash, path))
	return wrap("write", record.path(), record.replace(r.Append(nil)))
}
