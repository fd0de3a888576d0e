package swarmnode

import (
	"bytes"
	"fmt"
	"strings"

	"swarmnode/swarm/transport/relay"
)

const (
	// relayScheme begins the lines of a bootstrap list that name relays.
	relayScheme = "turn:"
	// relayTextMax bounds the bytes of a list that are read, relaysMax the relays that are taken
	// from it, and relayFaultsMax the faults that are reported one by one.
	relayTextMax   = 1 << 20
	relaysMax      = 100
	relayFaultsMax = 20
)

// A RelayError says what is wrong with a relay of Config.Relays or Config.Bootstrap.
type RelayError struct{ Err error }

func (e *RelayError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *RelayError) Unwrap() error { return e.Err }

// CheckRelay checks the form of a relay: turn:[USER:PASSWORD@]HOST[:PORT][?transport=udp|tcp].
// The error does not repeat user and password.
func CheckRelay(uri string) error {
	_, err := relay.ParseURI(uri)
	return err
}

// ParseRelays returns the relays in the text of a bootstrap list: the lines that begin with
// "turn:". It ignores all others, as dht.ParseBootstrap ignores these. The errors are for lines
// that are wrong.
func ParseRelays(text []byte) (uris []string, faults []error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if len(text) > relayTextMax {
		text = text[:relayTextMax]
		text = text[:bytes.LastIndexByte(text, '\n')+1]
	}
	seen := make(map[string]struct{})
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, relayScheme) {
			continue
		}
		if err := CheckRelay(line); err != nil {
			if len(faults) < relayFaultsMax {
				faults = append(faults, fmt.Errorf("bootstrap list: line %d: %w", number, err))
			}
			continue
		}
		if _, dup := seen[line]; dup {
			continue
		}
		if len(uris) >= relaysMax {
			faults = append(faults, fmt.Errorf("bootstrap list: only the first %d relays are used",
				relaysMax))
			break
		}
		seen[line] = struct{}{}
		uris = append(uris, line)
	}
	return uris, faults
}

// splitBootstrap divides Config.Bootstrap into hosts of the DHT and relays.
func splitBootstrap(list []string) (hosts, uris []string) {
	hosts = []string{}
	for _, s := range list {
		if strings.HasPrefix(s, relayScheme) {
			uris = append(uris, s)
			continue
		}
		hosts = append(hosts, s)
	}
	return hosts, uris
}

// parseURIs parses relays. The error is a *RelayError.
func parseURIs(texts []string) (uris []relay.URI, err error) {
	for _, text := range texts {
		uri, err := relay.ParseURI(text)
		if err != nil {
			return nil, &RelayError{err}
		}
		uris = append(uris, uri)
	}
	return uris, nil
}
