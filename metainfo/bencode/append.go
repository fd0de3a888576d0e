package bencode

import "strconv"

// AppendInt appends the integer n to dst.
func AppendInt(dst []byte, n int64) []byte {
	dst = append(dst, 'i')
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, 'e')
}

// AppendString appends the string s to dst.
func AppendString[T string | []byte](dst []byte, s T) []byte {
	dst = strconv.AppendInt(dst, int64(len(s)), 10)
	dst = append(dst, ':')
	return append(dst, s...)
}

// AppendDict appends a dictionary whose pairs body appends. BEP 3 asks for
// sorted keys; body must append them in that order.
func AppendDict(dst []byte, body func(dst []byte) []byte) []byte {
	return append(body(append(dst, 'd')), 'e')
}

// AppendList appends a list whose values body appends.
func AppendList(dst []byte, body func(dst []byte) []byte) []byte {
	return append(body(append(dst, 'l')), 'e')
}
