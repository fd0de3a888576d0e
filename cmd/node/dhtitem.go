package main

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"swarmnode/dht"
	"swarmnode/metainfo/bencode"
)

// item: a value stored in the DHT, BEP 44.
type itemEvent struct {
	Target string `json:"target"`
	Value  string `json:"value"`         // bencoded, in hexadecimal
	Text   string `json:"text"`          // if the value is a string of text
	Key    string `json:"key,omitempty"` // of a mutable item, hexadecimal
	Salt   string `json:"salt,omitempty"`
	Seq    int64  `json:"seq,omitempty"`
	Stored int    `json:"stored,omitempty"` // nodes that accepted it
}

func dhtGetCommand() *command {
	return &command{
		name: "get", args: "TARGET_OR_KEY", argsMin: 1, argsMax: 1,
		short: "fetch an item, BEP 44: an immutable one by target, a mutable one by key",
		examples: []example{
			{"node dht get TARGET", "40 hexadecimal digits: an immutable item"},
			{"node dht get --salt news KEY",
				"64 hexadecimal digits: the newest version of a mutable one"},
		},
		setup: func(fs *pflag.FlagSet) action {
			var f dhtFlags
			var salt string
			fs.StringVar(&salt, "salt", "", "`SALT` of a mutable item")
			f.register(fs)
			return func(ctx context.Context, c *console, args []string) error {
				b, err := hex.DecodeString(args[0])
				if err != nil || len(b) != len(dht.ID{}) && len(b) != ed25519.PublicKeySize {
					return failWithHint(exitInput, quoteSource(args[0]),
						errors.New("neither a target nor a key"), "40 or 64 hexadecimal digits")
				}
				return f.with(ctx, c, true, func(ctx context.Context, n *dht.Node) error {
					var item dht.Item
					var l dht.Lookup
					var err error
					if len(b) == ed25519.PublicKeySize {
						item, l, err = n.GetMutable(ctx, b, []byte(salt))
					} else {
						item, l, err = n.GetImmutable(ctx, dht.ID(b))
					}
					report(c, l)
					if err != nil {
						return f.failure(ctx, args[0], err)
					}
					c.event("item", describeItem(l.Target, item, 0))
					c.result(valueText(item.Value))
					return nil
				})
			}
		},
	}
}

func describeItem(target dht.ID, item dht.Item, stored int) itemEvent {
	e := itemEvent{Target: target.String(), Value: hex.EncodeToString(item.Value),
		Salt: string(item.Salt), Seq: item.Seq, Stored: stored}
	if text, ok := stringValue(item.Value); ok {
		e.Text = text
	}
	if len(item.Key) > 0 {
		e.Key = hex.EncodeToString(item.Key)
	}
	return e
}

// stringValue returns the text of a bencoded string.
func stringValue(value []byte) (string, bool) {
	r := bencode.NewReader(value, bencode.Limits{})
	b, ok := r.TryBytes()
	return string(b), ok && r.Close() == nil
}

// valueText returns a value as it is printed: text as it is, anything else bencoded. The
// value came from a stranger, so it is made safe to show.
func valueText(value []byte) string {
	if text, ok := stringValue(value); ok {
		return escape(text)
	}
	return escape(string(value))
}

func dhtPutCommand() *command {
	return &command{
		name: "put", args: "VALUE", argsMin: 1, argsMax: 1,
		short: "store an item, BEP 44; with --key a mutable one",
		long: `VALUE is text of at most 1,000 bytes. The target or the public key is printed, by
which others get the item. It is forgotten after two hours unless put again.

The file of --key holds the 64 hexadecimal digits of a private key's seed. It is
made if it does not exist, readable by its owner alone. --salt tells several
items of one key apart; --seq stores that version without asking which is the
newest.`,
		examples: []example{
			{"node dht put 'hello'", "an immutable item; prints its target"},
			{"node dht put --key my.key --salt news 'second edition'",
				"the next version of a mutable one; prints the key"},
		},
		setup: func(fs *pflag.FlagSet) action {
			var f putFlags
			fs.StringVar(&f.key, "key", "", "`FILE` of the private key for a mutable item")
			fs.StringVar(&f.salt, "salt", "", "`SALT` of a mutable item, at most 64 bytes")
			fs.Int64Var(&f.seq, "seq", -1,
				"`VERSION` of a mutable item (default: one above the newest)")
			fs.Lookup("seq").DefValue = "0" // so the help shows no default
			f.register(fs)
			return f.run
		},
	}
}

type putFlags struct {
	dhtFlags
	key  string
	salt string
	seq  int64
}

func (f *putFlags) run(ctx context.Context, c *console, args []string) error {
	value := bencode.AppendString(nil, args[0])
	if f.key == "" {
		if f.salt != "" || f.seq >= 0 {
			return usage(c.command, errors.New("--salt and --seq need --key"))
		}
		return f.with(ctx, c, true, func(ctx context.Context, n *dht.Node) error {
			target, l, err := n.PutImmutable(ctx, value)
			report(c, l)
			if err != nil {
				return f.failure(ctx, "put", err)
			}
			c.event("item", describeItem(target, dht.Item{Value: value}, l.Stored))
			c.result(target.String())
			return nil
		})
	}
	key, err := readKey(f.key)
	if err != nil {
		return err
	}
	return f.with(ctx, c, true, func(ctx context.Context, n *dht.Node) error {
		item, l, err := f.putMutable(ctx, n, key, value)
		report(c, l)
		if err != nil {
			return f.failure(ctx, "put", err)
		}
		c.event("item", describeItem(dht.MutableTarget(item.Key, item.Salt), item, l.Stored))
		c.result(hex.EncodeToString(item.Key))
		c.note("version %d", item.Seq)
		return nil
	})
}

func (f *putFlags) putMutable(ctx context.Context, n *dht.Node, key ed25519.PrivateKey,
	value []byte) (dht.Item, dht.Lookup, error) {
	if f.seq < 0 {
		return n.PutMutable(ctx, key, []byte(f.salt), func(dht.Item) []byte { return value })
	}
	item, err := dht.Sign(key, []byte(f.salt), f.seq, value)
	if err != nil {
		return item, dht.Lookup{}, err
	}
	l, err := n.PutSigned(ctx, item)
	return item, l, err
}

// keyFileMax bounds a key file, in bytes: the digits and a few line breaks.
const keyFileMax = 128

// readKey reads the private key in the file at path, and makes the file first if it does
// not exist.
func readKey(path string) (ed25519.PrivateKey, error) {
	b, err := readInput(path, keyFileMax)
	if errors.Is(err, os.ErrNotExist) {
		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			return nil, fail(exitOther, path, err)
		}
		text := hex.EncodeToString(key.Seed()) + "\n"
		if err := replaceFile(path, []byte(text), 0o600); err != nil {
			return nil, fail(exitDisk, path, err)
		}
		return key, nil
	}
	if err != nil {
		return nil, err
	}
	seed, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fail(exitInput, path, fmt.Errorf("not a key of %d hexadecimal digits",
			2*ed25519.SeedSize))
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
