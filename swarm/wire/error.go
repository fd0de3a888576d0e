package wire

// A Rule is a rule of the protocol that a peer broke, in words fit for a log. The
// same breach is always the same Rule, so that breaches can be counted by Rule.
type Rule string

// The rules that a single message can break.
const (
	RuleHandshake      Rule = "not a BitTorrent handshake"
	RuleUnknownID      Rule = "unknown message id"
	RuleMessageSize    Rule = "a message has a size that its id does not allow"
	RuleExtHandshake   Rule = "malformed extension handshake"
	RuleMetadata       Rule = "malformed metadata message"
	RulePEX            Rule = "malformed peer exchange message"
	RuleDontHave       Rule = "malformed dont-have message"
	RuleUploadOnly     Rule = "malformed upload-only message"
	RuleHolepunch      Rule = "malformed holepunch message"
	RuleHashes         Rule = "malformed hash message"
	RuleMessageTooLong Rule = "a message is longer than its id allows"
)

// A ProtocolError says that a peer broke a rule. It is comparable, so that
// errors.Is(err, ProtocolError{RuleUnknownID}) finds one.
type ProtocolError struct {
	Rule Rule
}

func (e ProtocolError) Error() string { return "protocol: " + string(e.Rule) }

// ErrUnknownID is the error of Parse for messages that this package does not
// know. Peers in the wild send them; the caller may ignore them.
var ErrUnknownID error = ProtocolError{RuleUnknownID}

// The errors of the message parser, made once: a flood of bad messages costs
// no memory.
var (
	errMessageSize    error = ProtocolError{RuleMessageSize}
	errMessageTooLong error = ProtocolError{RuleMessageTooLong}
)
