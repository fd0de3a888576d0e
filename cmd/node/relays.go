package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"swarmnode"
)

// registerRelay adds the flags that say which relays may lend us an address.
func (f *engineFlags) registerRelay(fs *pflag.FlagSet) {
	f.relay = listValue{kind: "URI"} // checked later: errors repeat what is wrong
	fs.Var(&f.relay, "relay",
		"relay that may lend us an address when peers cannot reach us otherwise, "+
			"turn:[USER:PASSWORD@]HOST[:PORT]; may be repeated, before those that the DHT knows (a "+
			"password is better kept in SWARM_RELAY)")
	fs.BoolVar(&f.noRelay, "no-relay", false, "use no relay, not even when nothing else works")
}

// checkRelays checks the flags of relays together, without a password in an error.
func (f *engineFlags) checkRelays() error {
	if f.noRelay && len(f.relay.items) > 0 {
		return errors.New("--no-relay excludes --relay")
	}
	for _, uri := range f.relay.items {
		if err := swarmnode.CheckRelay(uri); err != nil {
			return fmt.Errorf("--relay: %w", err)
		}
		if f.noDHT && !strings.Contains(uri, "@") {
			return errors.New("a --relay without a user needs the DHT, which gives the password")
		}
	}
	return nil
}

// warnRelays warns of relays that have no effect.
func (f *engineFlags) warnRelays(c *console) {
	switch {
	case len(f.relay.items) == 0:
	case f.noUTP:
		c.warn("--relay has no effect with --no-utp: a relay carries nothing else")
	case f.listen.network.proxy != "":
		c.warn("--relay has no effect with --proxy")
	}
}
