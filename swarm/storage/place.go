package storage

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"sync"

	"swarmnode/metainfo"
)

// A place is where the content of a Store lies, and the right to write there. It
// chooses among the names that content may have, locks what is written to, and gives
// complete content its final name. It is safe for concurrent use.
//
// Until the first write a place only looks: what is there may be complete. So content
// can be served where nothing can be written, and by several Stores.
type place struct {
	cfg     *Config
	layout  *metainfo.Layout
	names   *naming // and the disk
	wanted  *selection
	files   *contentFiles
	known   *ledger
	writers *writers // of the Workers

	locked string // the path that is locked; guarded by writers.mu

	preparing sync.Mutex // serialises writable; taken before names.mu

	// Guarded by names.mu.
	lock     io.Closer // nil when nothing is locked
	lent     io.Closer // the lock of a move, which the first write takes over; or nil
	readOnly bool      // the content is not written to, or no longer
	looking  bool      // nothing was made, locked or changed yet
	wasThere bool      // something had the chosen name when it was chosen
	// twice: unfinished content exists too, and the final name was chosen.
	twice bool
	// dormant: no file was wanted when the Store was opened, and none has been since; the
	// content is only read.
	dormant bool
	// replaced: the record of an earlier run is about content that is gone.
	replaced bool
}

// claimsMax is how often claim and Check begin again because the content has got
// another name meanwhile.
const claimsMax = 3

// errAgain tells that the content has another name by now.
var errAgain = errors.New("check again")

// claim chooses the name that the content lies under, looks what is there, and
// sees whether another Store writes to it. Nothing is made or locked while what is
// there may be complete.
func (p *place) claim() (err error) {
	for range claimsMax { // another Store may finish what was there just now
		err = p.claimOnce()
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrChanged) {
			break
		}
	}
	return err
}

// claimOnce makes one attempt to claim. The error is fs.ErrNotExist or ErrChanged if
// the content got another name meanwhile.
func (p *place) claimOnce() error {
	p.names.setTop(finalName)
	there, err := p.names.exists(p.names.all[finalName])
	if err == nil && p.cfg.Part {
		there, err = p.chooseName(there)
	}
	if err != nil || p.isReadOnly() {
		return err
	}
	p.names.mu.Lock()
	p.looking, p.wasThere = true, there
	p.names.mu.Unlock()
	if !there { // so there is something to write
		err := p.writable()
		if errors.Is(err, ErrInUse) && p.leaveFolder() {
			return nil
		}
		return err
	}
	lock, err := p.names.disk.lock(p.names.topName(), lockLook)
	if err == nil {
		return lock.Close()
	}
	if errors.Is(err, ErrInUse) && (p.leaveFolder() || p.names.hasName(finalName)) {
		return nil // content that others add to may be complete for all we know
	}
	return err
}

// chooseName chooses among the names for unfinished content, and the final one if
// something has that. It reports whether anything has the chosen name.
func (p *place) chooseName(final bool) (there bool, err error) {
	names := &p.names.all
	if p.layout.Multi && !p.isReadOnly() && names[mergeName] != names[finalName] {
		if moving, err := p.names.exists(names[mergeName]); err != nil || moving {
			return true, errors.Join(err, p.merge())
		}
	}
	own, err := p.names.exists(names[ownName])
	if err != nil {
		return false, err
	}
	part, partErr := p.names.exists(names[partName])
	if partErr != nil && !IsInTheWay(partErr) {
		return false, partErr
	}
	switch {
	case own && !(final && p.isReadOnly()):
		p.names.setTop(ownName)
		return true, nil
	case final && part && p.layout.Multi && !p.isReadOnly() && p.names.moreInPart():
		p.names.setTop(partName) // the folder belongs to torrents that share its name
		return true, nil
	case final:
		p.twice = part && !p.layout.Multi && names[partName] != names[finalName]
		return true, nil
	case part || partErr == nil && !p.isReadOnly():
		p.names.setTop(partName)
	case !p.isReadOnly():
		p.warnForeign()
		p.names.setTop(ownName)
	}
	return part, nil
}

// complete reports whether nothing has to be written to have everything that is wanted,
// given the findings of a check.
func (p *place) complete(c *check) bool {
	if !p.names.hasName(finalName) {
		return false
	}
	return p.wanted.within(c.have)
}

// beginWriting prepares to write to content that Check found incomplete, unless the
// content is only read. It returns errAgain if another Store has finished the content
// meanwhile, or writes another torrent there.
func (p *place) beginWriting() error {
	if !p.isLooking() {
		return nil
	}
	err := p.writable()
	switch {
	case errors.Is(err, ErrInUse) && p.leaveFolder():
		return errAgain // what was found there belongs to the other torrent
	case errors.Is(err, ErrChanged):
		return cmp.Or(p.claim(), errAgain)
	}
	return err
}

// writable makes sure that the files may be written to: before the first write, and
// after Finish again when a piece has to be replaced that another program has destroyed;
// Finish is then called again, too.
func (p *place) writable() error {
	p.preparing.Lock()
	defer p.preparing.Unlock()
	if p.isLooking() {
		return p.begin()
	}
	if !p.isReadOnly() {
		return nil
	}
	if p.cfg.ReadOnly || p.isDormant() {
		return &Error{"open", p.names.path(), ErrReadOnly}
	}
	final := p.names.all[finalName]
	there, err := p.names.exists(final)
	if err == nil && !there {
		err = p.makeTop()
	}
	if err != nil {
		return err
	}
	lock := p.takeLent() // a move has locked the content, and nobody else may
	if lock == nil {
		if lock, err = p.names.disk.lock(final, lockWrite); err != nil {
			return err
		}
	}
	p.names.mu.Lock()
	defer p.names.mu.Unlock()
	p.lock, p.readOnly = lock, false
	return nil
}

// lend lets the first write have the lock of a move.
func (p *place) lend(lock io.Closer) {
	p.names.mu.Lock()
	defer p.names.mu.Unlock()
	p.lent = lock
}

// takeLent returns the lock of a move, or nil if there is none or a write has it.
func (p *place) takeLent() (lock io.Closer) {
	p.names.mu.Lock()
	defer p.names.mu.Unlock()
	lock, p.lent = p.lent, nil
	return lock
}

// finish gives complete content its final name and lets go of it.
func (p *place) finish() error {
	p.names.mu.Lock()
	if p.looking && p.names.top == p.names.all[finalName] {
		p.looking, p.readOnly = false, true
	}
	readOnly := p.readOnly
	p.names.mu.Unlock()
	if readOnly {
		return nil
	}
	if err := p.writable(); err != nil {
		return err
	}
	if err := p.takeFinalName(); err != nil {
		return err
	}
	p.files.closeAll() // they are open for writing
	p.unlock()
	return nil
}

// isReadOnly reports whether the content is not written to, or no longer.
func (p *place) isReadOnly() bool {
	p.names.mu.Lock()
	defer p.names.mu.Unlock()
	return p.readOnly
}

// isDormant reports whether no file has been wanted since the Store was opened.
func (p *place) isDormant() bool {
	p.names.mu.Lock()
	defer p.names.mu.Unlock()
	return p.dormant
}

// setDormant records whether nothing of the content is wanted, so that it is only read.
func (p *place) setDormant(dormant bool) {
	p.names.mu.Lock()
	defer p.names.mu.Unlock()
	p.dormant, p.readOnly, p.looking = dormant, dormant || p.cfg.ReadOnly, false
}

// isLooking reports whether nothing was made, locked or changed yet.
func (p *place) isLooking() bool {
	p.names.mu.Lock()
	defer p.names.mu.Unlock()
	return p.looking
}

// couldExist reports whether files may exist that findFiles has to look for.
func (p *place) couldExist() bool {
	p.names.mu.Lock()
	defer p.names.mu.Unlock()
	return p.readOnly || p.wasThere
}

// setReplaced records whether the content that an earlier run left, and recorded when
// it stopped, is gone: then the record does not make ours what is there now.
func (p *place) setReplaced(replaced bool) {
	p.names.mu.Lock()
	defer p.names.mu.Unlock()
	p.replaced = replaced
}
