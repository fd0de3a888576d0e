package main

import "testing"

func TestMemoryValue(t *testing.T) {
	for _, tt := range []struct {
		text         string
		want, blocks int64 // 0: refused
	}{
		{"32M", 32 << 20, 4 << 20},
		{"1.5G", 3 << 29, 3 << 26},
		{"9T", 9 << 40, blocksMax},
		{"31M", 0, 0}, {"0", 0, 0}, {"-1G", 0, 0}, {"9E", 0, 0}, {"much", 0, 0}, {"", 0, 0},
	} {
		var v memoryValue
		err := v.Set(tt.text)
		if (err == nil) != (tt.want != 0) || int64(v) != tt.want || v.blocks() != tt.blocks {
			t.Errorf("%q: %d with %d of blocks, %v; want %d with %d", tt.text, v, v.blocks(), err, tt.want, tt.blocks)
		}
	}
}
