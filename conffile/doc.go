// Package conffile reads configuration files in TOML, and changes single keys of them.
//
// A file has keys at its top and in tables. Their names are those of the flags of a program and
// of its commands; this package knows none of them. A value is a string, a number, a boolean, or
// a list of these, which is what a flag takes. What else TOML has, such as dates and arrays of
// tables, is a mistake here. Each mistake is an *Error with its line.
//
// A change keeps every other byte of the file, with its comments, order and line ends.
package conffile
