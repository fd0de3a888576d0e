// Package feed knows in which order things changed last, for readers that come when they
// like.
//
// A Feed lists its items, each once, in the order of their last changes, and remembers the
// last items that were removed. A change costs the same however many items and readers there
// are, since readers have no queue: a reader gives the number of the last change that it
// knows, and pays for what came after it. The package starts no goroutine, and decides
// nothing about what an item or a change is.
//
// Its nouns: an item, which has an Entry; a moment, which is the number of a change (Seq); a
// kind, which is a bit that says what changed; a tombstone, which stands for an item that was
// removed; a mark, which is a change of something that is no item.
package feed
