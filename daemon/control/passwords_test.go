package control

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The hashes of other programs are taken: these are vectors of the argon2 command and of
// RFC 7914.
func TestHashesOfOthers(t *testing.T) {
	for _, c := range []struct{ password, hash string }{
		{"password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$" +
			"nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"},
		{"pleaseletmein", "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$" +
			"cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw"},
	} {
		h, err := parseHash(c.hash)
		if err != nil {
			t.Errorf("%s: %v", c.hash, err)
			continue
		}
		if !h.matches(c.password) || h.matches(c.password+"x") {
			t.Errorf("%s does not fit %q alone", c.hash, c.password)
		}
		if h.String() != c.hash {
			t.Errorf("written again: %s, want %s", h, c.hash)
		}
	}
}

// A hash that would cost more than the daemon has is refused.
func TestHashCostIsBounded(t *testing.T) {
	const tail = "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for _, hash := range []string{
		"$argon2id$v=19$m=4194304,t=1,p=1" + tail, "$argon2id$v=19$m=65536,t=1000,p=1" + tail,
		"$argon2id$v=19$m=65536,t=1,p=255" + tail, "$argon2id$v=18$m=64,t=1,p=1" + tail,
		"$argon2id$v=19$m=0,t=1,p=1" + tail, "$argon2id$v=19$t=1,m=64,p=1" + tail,
		"$scrypt$ln=30,r=8,p=1" + tail, "$scrypt$ln=10,r=2000000,p=1" + tail,
		"$scrypt$ln=10,r=8,p=100000" + tail, "$scrypt$ln=10,r=8" + tail,
		"$scrypt$ln=10,r=8,p=1$$", "$sha256$00", "$sha256$" + strings.Repeat("x", 64),
		"$1$abc$def", "plain", "", "$argon2id$v=19$m=64,t=1,p=1$!$!",
	} {
		if _, err := parseHash(hash); err == nil {
			t.Errorf("taken: %s", hash)
		}
	}
}

// Changing one entry leaves the rest of the file as it is.
func TestEditPasswords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "passwords")
	_, hash := NewToken()
	first := Entry{Name: "a", Scope: Read, Hash: hash, Expires: time.Unix(2e9, 0)}
	if err := SetPassword(path, first); err != nil {
		t.Fatal(err)
	}
	const comment = "# kept: as it is\n\n"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := comment + strings.TrimSpace(string(doc))
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	password, err := HashPassword("x")
	if err != nil {
		t.Fatal(err)
	}
	if err := SetPassword(path, Entry{Name: "a", Scope: Admin, Hash: password}); err != nil {
		t.Fatal(err)
	}
	entries, err := ReadPasswords(path)
	if err != nil || len(entries) != 2 || !entries[0].Token() || entries[1].Token() ||
		!entries[0].Expires.Equal(first.Expires) || entries[1].Scope != Admin {
		t.Fatalf("%+v, %v", entries, err)
	}
	if found, err := RemovePassword(path, "a", true); !found || err != nil {
		t.Errorf("removing: %v, %v", found, err)
	}
	if found, err := RemovePassword(path, "a", true); found || err != nil {
		t.Errorf("removing again: %v, %v", found, err)
	}
	doc, err = os.ReadFile(path)
	if want := comment + "a:admin:" + password + "\n"; err != nil || string(doc) != want {
		t.Errorf("the file has %q, want %q, %v", doc, want, err)
	}
	if _, err := ReadPasswords(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for _, name := range []string{"", "a:b", "a b", "ä", "#a", strings.Repeat("x", 65)} {
		if err := SetPassword(path, Entry{Name: name, Scope: Read, Hash: hash}); err == nil {
			t.Errorf("the name %q was taken", name)
		}
	}
	if err := SetPassword(path, Entry{Name: "b", Hash: hash}); err == nil {
		t.Error("an entry without a scope was taken")
	}
}

// Each mistake in the file is named with its line.
func TestPasswordMistakes(t *testing.T) {
	_, hash := NewToken()
	good := "a:read:" + hash
	for doc, line := range map[string]int{
		"#\n" + good + "\nx": 2 + 1, "a:read\n": 1, "a:write:" + hash: 1, ":read:" + hash: 1,
		good + "\n\n" + good: 3, good + ":tomorrow": 1, "a:read:plain": 1,
	} {
		_, err := parsePasswords("file", []byte(doc))
		if e, ok := errors.AsType[*PasswordsError](err); !ok || e.Line != line {
			t.Errorf("%q: %v, want line %d", doc, err, line)
		}
	}
	var many strings.Builder
	for i := range entriesMax + 1 {
		many.WriteString(strings.Replace(good, "a", "a"+strings.Repeat("b", i%60)+
			string(rune('A'+i/60)), 1) + "\n")
	}
	if _, err := parsePasswords("file", []byte(many.String())); err == nil {
		t.Error("too many entries were taken")
	}
}

// The sources of wrong passwords are bounded, and count by what one user has.
func TestLockoutIsBounded(t *testing.T) {
	var l lockout
	now := time.Unix(1e9, 0)
	at := func(s string) netip.Addr { return netip.MustParseAddr(s) }
	for i := range wrongMax {
		l.failed(now, at("2001:db8::1").Next())
		if i == wrongMax-1 {
			break
		}
	}
	if l.wait(now, at("2001:db8::ffff")) != lockFirst {
		t.Error("another address of the same network is not locked out")
	}
	if l.wait(now, at("2001:db8:0:1::1")) != 0 {
		t.Error("another network is locked out")
	}
	ip := at("10.0.0.0")
	for range 2 * lockedMax {
		now = now.Add(time.Millisecond)
		l.failed(now, ip)
		ip = ip.Next()
	}
	if len(l.sources) != lockedMax {
		t.Errorf("%d sources are remembered, want %d", len(l.sources), lockedMax)
	}
	for range 20 {
		l.failed(now, ip)
	}
	if d := l.wait(now, ip); d != lockMax {
		t.Errorf("locked out for %v, want %v", d, lockMax)
	}
}

func FuzzPasswords(f *testing.F) {
	_, hash := NewToken()
	f.Add([]byte("# users\nalice:admin:$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$" +
		"cCO9yzr9c0hGHAbNgf046/2o+7qQT44\n"))
	f.Add([]byte("t:read,control:" + hash + ":2030-01-31T12:00:00Z"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		entries, err := parsePasswords("file", doc)
		if err != nil {
			return
		}
		for _, e := range entries {
			if _, err := parseHash(e.Hash); err != nil {
				t.Errorf("an entry whose hash is wrong: %v", err)
			}
			again, err := parseEntry(e.line())
			if err != nil || again.Name != e.Name || again.Scope != e.Scope ||
				again.Hash != e.Hash || again.Expires.Unix() != e.Expires.Unix() {
				t.Errorf("%+v becomes %+v, %v", e, again, err)
			}
		}
	})
}

func FuzzHost(f *testing.F) {
	for _, host := range []string{"localhost:80", "[::1]:80", "a.example", "", "[::1", "::1",
		"1.2.3.4."} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if !goodHost(host, nil) {
			return
		}
		// What is good ends in no name that a stranger can own.
		name := strings.ToLower(strings.TrimRight(host, "0123456789"))
		name = strings.Trim(strings.TrimSuffix(name, ":"), "[].")
		if strings.HasSuffix(name, ".example") || strings.HasSuffix(name, ".com") {
			t.Errorf("%q is good", host)
		}
	})
}
