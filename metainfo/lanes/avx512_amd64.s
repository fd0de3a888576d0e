#include "textflag.h"

// Sixteen messages at once, with AVX-512: each register holds one word of all of
// them. Z16 to Z31 are the sixteen words of a block, in a ring as the message
// schedule goes on.

// Reverses the bytes of each word.
DATA flip<>+0(SB)/8, $0x0405060700010203
DATA flip<>+8(SB)/8, $0x0c0d0e0f08090a0b
GLOBL flip<>(SB), RODATA|NOPTR, $16

// The constants of SHA-1 (FIPS 180-4, section 4.2.1).
DATA k1<>+0(SB)/4, $0x5a827999
DATA k1<>+4(SB)/4, $0x6ed9eba1
DATA k1<>+8(SB)/4, $0x8f1bbcdc
DATA k1<>+12(SB)/4, $0xca62c1d6
GLOBL k1<>(SB), RODATA|NOPTR, $16

// Four rows of a matrix of words become columns, within each quarter of them.
#define WORDS(a, b, c, d) \
	VPUNPCKLDQ b, a, Z8; \
	VPUNPCKHDQ b, a, Z9; \
	VPUNPCKLDQ d, c, Z10; \
	VPUNPCKHDQ d, c, Z11; \
	VPUNPCKLQDQ Z10, Z8, a; \
	VPUNPCKHQDQ Z10, Z8, b; \
	VPUNPCKLQDQ Z11, Z9, c; \
	VPUNPCKHQDQ Z11, Z9, d

// The same for quarters.
#define QUARTERS(a, b, c, d) \
	VSHUFI32X4 $0x44, b, a, Z8; \
	VSHUFI32X4 $0xee, b, a, Z9; \
	VSHUFI32X4 $0x44, d, c, Z10; \
	VSHUFI32X4 $0xee, d, c, Z11; \
	VSHUFI32X4 $0x88, Z10, Z8, a; \
	VSHUFI32X4 $0xdd, Z10, Z8, b; \
	VSHUFI32X4 $0x88, Z11, Z9, c; \
	VSHUFI32X4 $0xdd, Z11, Z9, d

// A block of one message; the next is DX bytes behind it.
#define ROW(w) \
	VMOVDQU32 (R9), w; \
	ADDQ DX, R9

#define FLIP(w) VPSHUFB Z12, w, w

// LOAD takes the next block of all messages, from SI, with the mask in Z12.
#define LOAD \
	MOVQ SI, R9; \
	ROW(Z16); \
	ROW(Z17); \
	ROW(Z18); \
	ROW(Z19); \
	ROW(Z20); \
	ROW(Z21); \
	ROW(Z22); \
	ROW(Z23); \
	ROW(Z24); \
	ROW(Z25); \
	ROW(Z26); \
	ROW(Z27); \
	ROW(Z28); \
	ROW(Z29); \
	ROW(Z30); \
	ROW(Z31); \
	WORDS(Z16, Z17, Z18, Z19); \
	WORDS(Z20, Z21, Z22, Z23); \
	WORDS(Z24, Z25, Z26, Z27); \
	WORDS(Z28, Z29, Z30, Z31); \
	QUARTERS(Z16, Z20, Z24, Z28); \
	QUARTERS(Z17, Z21, Z25, Z29); \
	QUARTERS(Z18, Z22, Z26, Z30); \
	QUARTERS(Z19, Z23, Z27, Z31); \
	FLIP(Z16); \
	FLIP(Z17); \
	FLIP(Z18); \
	FLIP(Z19); \
	FLIP(Z20); \
	FLIP(Z21); \
	FLIP(Z22); \
	FLIP(Z23); \
	FLIP(Z24); \
	FLIP(Z25); \
	FLIP(Z26); \
	FLIP(Z27); \
	FLIP(Z28); \
	FLIP(Z29); \
	FLIP(Z30); \
	FLIP(Z31)

// A round of SHA-1 with the function f of b, c and d, without a word of the
// message; the constant is in Z5. The caller turns the names.
#define BARE1(a, b, c, d, e, f) \
	VPADDD Z5, e, e; \
	VMOVDQA32 b, Z6; \
	VPTERNLOGD $f, d, c, Z6; \
	VPROLD $5, a, Z7; \
	VPADDD Z6, e, e; \
	VPADDD Z7, e, e; \
	VPROLD $30, b, b
#define ROUND1(a, b, c, d, e, f, w) \
	VPADDD w, e, e; \
	BARE1(a, b, c, d, e, f)
// One whose word is to be computed: w is that of 16 rounds ago, w2 of 14, w8 of
// 8 and w13 of 3.
#define NEXT1(a, b, c, d, e, f, w, w2, w8, w13) \
	VPTERNLOGD $0x96, w8, w13, w; \
	VPXORD w2, w, w; \
	VPROLD $1, w, w; \
	ROUND1(a, b, c, d, e, f, w)

#define TAKE1 \
	VMOVDQU32 0(AX), Z0; \
	VMOVDQU32 64(AX), Z1; \
	VMOVDQU32 128(AX), Z2; \
	VMOVDQU32 192(AX), Z3; \
	VMOVDQU32 256(AX), Z4
#define ADD1 \
	VPADDD 0(AX), Z0, Z0; \
	VPADDD 64(AX), Z1, Z1; \
	VPADDD 128(AX), Z2, Z2; \
	VPADDD 192(AX), Z3, Z3; \
	VPADDD 256(AX), Z4, Z4; \
	VMOVDQU32 Z0, 0(AX); \
	VMOVDQU32 Z1, 64(AX); \
	VMOVDQU32 Z2, 128(AX); \
	VMOVDQU32 Z3, 192(AX); \
	VMOVDQU32 Z4, 256(AX)

// func sha1Blocks(state *[5][16]uint32, base *byte, stride, blocks int)
TEXT ·sha1Blocks(SB), NOSPLIT, $0-32
	MOVQ state+0(FP), AX
	MOVQ base+8(FP), SI
	MOVQ stride+16(FP), DX
	MOVQ blocks+24(FP), CX
	VBROADCASTI32X4 flip<>(SB), Z12
	TAKE1

loop1:
	LOAD
	VPBROADCASTD k1<>+0(SB), Z5
	ROUND1(Z0, Z1, Z2, Z3, Z4, 0xca, Z16)
	ROUND1(Z4, Z0, Z1, Z2, Z3, 0xca, Z17)
	ROUND1(Z3, Z4, Z0, Z1, Z2, 0xca, Z18)
	ROUND1(Z2, Z3, Z4, Z0, Z1, 0xca, Z19)
	ROUND1(Z1, Z2, Z3, Z4, Z0, 0xca, Z20)
	ROUND1(Z0, Z1, Z2, Z3, Z4, 0xca, Z21)
	ROUND1(Z4, Z0, Z1, Z2, Z3, 0xca, Z22)
	ROUND1(Z3, Z4, Z0, Z1, Z2, 0xca, Z23)
	ROUND1(Z2, Z3, Z4, Z0, Z1, 0xca, Z24)
	ROUND1(Z1, Z2, Z3, Z4, Z0, 0xca, Z25)
	ROUND1(Z0, Z1, Z2, Z3, Z4, 0xca, Z26)
	ROUND1(Z4, Z0, Z1, Z2, Z3, 0xca, Z27)
	ROUND1(Z3, Z4, Z0, Z1, Z2, 0xca, Z28)
	ROUND1(Z2, Z3, Z4, Z0, Z1, 0xca, Z29)
	ROUND1(Z1, Z2, Z3, Z4, Z0, 0xca, Z30)
	ROUND1(Z0, Z1, Z2, Z3, Z4, 0xca, Z31)
	NEXT1(Z4, Z0, Z1, Z2, Z3, 0xca, Z16, Z18, Z24, Z29)
	NEXT1(Z3, Z4, Z0, Z1, Z2, 0xca, Z17, Z19, Z25, Z30)
	NEXT1(Z2, Z3, Z4, Z0, Z1, 0xca, Z18, Z20, Z26, Z31)
	NEXT1(Z1, Z2, Z3, Z4, Z0, 0xca, Z19, Z21, Z27, Z16)
	VPBROADCASTD k1<>+4(SB), Z5
	NEXT1(Z0, Z1, Z2, Z3, Z4, 0x96, Z20, Z22, Z28, Z17)
	NEXT1(Z4, Z0, Z1, Z2, Z3, 0x96, Z21, Z23, Z29, Z18)
	NEXT1(Z3, Z4, Z0, Z1, Z2, 0x96, Z22, Z24, Z30, Z19)
	NEXT1(Z2, Z3, Z4, Z0, Z1, 0x96, Z23, Z25, Z31, Z20)
	NEXT1(Z1, Z2, Z3, Z4, Z0, 0x96, Z24, Z26, Z16, Z21)
	NEXT1(Z0, Z1, Z2, Z3, Z4, 0x96, Z25, Z27, Z17, Z22)
	NEXT1(Z4, Z0, Z1, Z2, Z3, 0x96, Z26, Z28, Z18, Z23)
	NEXT1(Z3, Z4, Z0, Z1, Z2, 0x96, Z27, Z29, Z19, Z24)
	NEXT1(Z2, Z3, Z4, Z0, Z1, 0x96, Z28, Z30, Z20, Z25)
	NEXT1(Z1, Z2, Z3, Z4, Z0, 0x96, Z29, Z31, Z21, Z26)
	NEXT1(Z0, Z1, Z2, Z3, Z4, 0x96, Z30, Z16, Z22, Z27)
	NEXT1(Z4, Z0, Z1, Z2, Z3, 0x96, Z31, Z17, Z23, Z28)
	NEXT1(Z3, Z4, Z0, Z1, Z2, 0x96, Z16, Z18, Z24, Z29)
	NEXT1(Z2, Z3, Z4, Z0, Z1, 0x96, Z17, Z19, Z25, Z30)
	NEXT1(Z1, Z2, Z3, Z4, Z0, 0x96, Z18, Z20, Z26, Z31)
	NEXT1(Z0, Z1, Z2, Z3, Z4, 0x96, Z19, Z21, Z27, Z16)
	NEXT1(Z4, Z0, Z1, Z2, Z3, 0x96, Z20, Z22, Z28, Z17)
	NEXT1(Z3, Z4, Z0, Z1, Z2, 0x96, Z21, Z23, Z29, Z18)
	NEXT1(Z2, Z3, Z4, Z0, Z1, 0x96, Z22, Z24, Z30, Z19)
	NEXT1(Z1, Z2, Z3, Z4, Z0, 0x96, Z23, Z25, Z31, Z20)
	VPBROADCASTD k1<>+8(SB), Z5
	NEXT1(Z0, Z1, Z2, Z3, Z4, 0xe8, Z24, Z26, Z16, Z21)
	NEXT1(Z4, Z0, Z1, Z2, Z3, 0xe8, Z25, Z27, Z17, Z22)
	NEXT1(Z3, Z4, Z0, Z1, Z2, 0xe8, Z26, Z28, Z18, Z23)
	NEXT1(Z2, Z3, Z4, Z0, Z1, 0xe8, Z27, Z29, Z19, Z24)
	NEXT1(Z1, Z2, Z3, Z4, Z0, 0xe8, Z28, Z30, Z20, Z25)
	NEXT1(Z0, Z1, Z2, Z3, Z4, 0xe8, Z29, Z31, Z21, Z26)
	NEXT1(Z4, Z0, Z1, Z2, Z3, 0xe8, Z30, Z16, Z22, Z27)
	NEXT1(Z3, Z4, Z0, Z1, Z2, 0xe8, Z31, Z17, Z23, Z28)
	NEXT1(Z2, Z3, Z4, Z0, Z1, 0xe8, Z16, Z18, Z24, Z29)
	NEXT1(Z1, Z2, Z3, Z4, Z0, 0xe8, Z17, Z19, Z25, Z30)
	NEXT1(Z0, Z1, Z2, Z3, Z4, 0xe8, Z18, Z20, Z26, Z31)
	NEXT1(Z4, Z0, Z1, Z2, Z3, 0xe8, Z19, Z21, Z27, Z16)
	NEXT1(Z3, Z4, Z0, Z1, Z2, 0xe8, Z20, Z22, Z28, Z17)
	NEXT1(Z2, Z3, Z4, Z0, Z1, 0xe8, Z21, Z23, Z29, Z18)
	NEXT1(Z1, Z2, Z3, Z4, Z0, 0xe8, Z22, Z24, Z30, Z19)
	NEXT1(Z0, Z1, Z2, Z3, Z4, 0xe8, Z23, Z25, Z31, Z20)
	NEXT1(Z4, Z0, Z1, Z2, Z3, 0xe8, Z24, Z26, Z16, Z21)
	NEXT1(Z3, Z4, Z0, Z1, Z2, 0xe8, Z25, Z27, Z17, Z22)
	NEXT1(Z2, Z3, Z4, Z0, Z1, 0xe8, Z26, Z28, Z18, Z23)
	NEXT1(Z1, Z2, Z3, Z4, Z0, 0xe8, Z27, Z29, Z19, Z24)
	VPBROADCASTD k1<>+12(SB), Z5
	NEXT1(Z0, Z1, Z2, Z3, Z4, 0x96, Z28, Z30, Z20, Z25)
	NEXT1(Z4, Z0, Z1, Z2, Z3, 0x96, Z29, Z31, Z21, Z26)
	NEXT1(Z3, Z4, Z0, Z1, Z2, 0x96, Z30, Z16, Z22, Z27)
	NEXT1(Z2, Z3, Z4, Z0, Z1, 0x96, Z31, Z17, Z23, Z28)
	NEXT1(Z1, Z2, Z3, Z4, Z0, 0x96, Z16, Z18, Z24, Z29)
	NEXT1(Z0, Z1, Z2, Z3, Z4, 0x96, Z17, Z19, Z25, Z30)
	NEXT1(Z4, Z0, Z1, Z2, Z3, 0x96, Z18, Z20, Z26, Z31)
	NEXT1(Z3, Z4, Z0, Z1, Z2, 0x96, Z19, Z21, Z27, Z16)
	NEXT1(Z2, Z3, Z4, Z0, Z1, 0x96, Z20, Z22, Z28, Z17)
	NEXT1(Z1, Z2, Z3, Z4, Z0, 0x96, Z21, Z23, Z29, Z18)
	NEXT1(Z0, Z1, Z2, Z3, Z4, 0x96, Z22, Z24, Z30, Z19)
	NEXT1(Z4, Z0, Z1, Z2, Z3, 0x96, Z23, Z25, Z31, Z20)
	NEXT1(Z3, Z4, Z0, Z1, Z2, 0x96, Z24, Z26, Z16, Z21)
	NEXT1(Z2, Z3, Z4, Z0, Z1, 0x96, Z25, Z27, Z17, Z22)
	NEXT1(Z1, Z2, Z3, Z4, Z0, 0x96, Z26, Z28, Z18, Z23)
	NEXT1(Z0, Z1, Z2, Z3, Z4, 0x96, Z27, Z29, Z19, Z24)
	NEXT1(Z4, Z0, Z1, Z2, Z3, 0x96, Z28, Z30, Z20, Z25)
	NEXT1(Z3, Z4, Z0, Z1, Z2, 0x96, Z29, Z31, Z21, Z26)
	NEXT1(Z2, Z3, Z4, Z0, Z1, 0x96, Z30, Z16, Z22, Z27)
	NEXT1(Z1, Z2, Z3, Z4, Z0, 0x96, Z31, Z17, Z23, Z28)
	ADD1
	ADDQ $64, SI
	DECQ CX
	JNZ loop1
	VZEROUPPER
	RET

// Twenty rounds of zeros. After five the names are back where they were.
#define TURN1(f) \
	BARE1(Z0, Z1, Z2, Z3, Z4, f); \
	BARE1(Z4, Z0, Z1, Z2, Z3, f); \
	BARE1(Z3, Z4, Z0, Z1, Z2, f); \
	BARE1(Z2, Z3, Z4, Z0, Z1, f); \
	BARE1(Z1, Z2, Z3, Z4, Z0, f)
#define ZEROS1(f) \
	TURN1(f); \
	TURN1(f); \
	TURN1(f); \
	TURN1(f)

// func sha1Zeros(state *[5][16]uint32, blocks int)
TEXT ·sha1Zeros(SB), NOSPLIT, $0-16
	MOVQ state+0(FP), AX
	MOVQ blocks+8(FP), CX
	TAKE1

loop0:
	VPBROADCASTD k1<>+0(SB), Z5
	ZEROS1(0xca)
	VPBROADCASTD k1<>+4(SB), Z5
	ZEROS1(0x96)
	VPBROADCASTD k1<>+8(SB), Z5
	ZEROS1(0xe8)
	VPBROADCASTD k1<>+12(SB), Z5
	ZEROS1(0x96)
	ADD1
	DECQ CX
	JNZ loop0
	VZEROUPPER
	RET

// A round of SHA-256 with the word w and the constant at off(BX).
#define ROUND256(a, b, c, d, e, f, g, h, off, w) \
	VPADDD w, h, h; \
	VPADDD.BCST off(BX), h, h; \
	VPRORD $6, e, Z8; \
	VPRORD $11, e, Z9; \
	VPRORD $25, e, Z10; \
	VPTERNLOGD $0x96, Z9, Z10, Z8; \
	VMOVDQA32 e, Z11; \
	VPTERNLOGD $0xca, g, f, Z11; \
	VPADDD Z8, h, h; \
	VPADDD Z11, h, h; \
	VPADDD h, d, d; \
	VPRORD $2, a, Z8; \
	VPRORD $13, a, Z9; \
	VPRORD $22, a, Z10; \
	VPTERNLOGD $0x96, Z9, Z10, Z8; \
	VMOVDQA32 a, Z11; \
	VPTERNLOGD $0xe8, c, b, Z11; \
	VPADDD Z8, h, h; \
	VPADDD Z11, h, h
// One whose word is to be computed: w is that of 16 rounds ago, w1 of 15, w9 of
// 7 and w14 of 2.
#define NEXT256(a, b, c, d, e, f, g, h, off, w, w1, w9, w14) \
	VPRORD $7, w1, Z8; \
	VPRORD $18, w1, Z9; \
	VPSRLD $3, w1, Z10; \
	VPTERNLOGD $0x96, Z9, Z10, Z8; \
	VPADDD w9, w, w; \
	VPADDD Z8, w, w; \
	VPRORD $17, w14, Z8; \
	VPRORD $19, w14, Z9; \
	VPSRLD $10, w14, Z10; \
	VPTERNLOGD $0x96, Z9, Z10, Z8; \
	VPADDD Z8, w, w; \
	ROUND256(a, b, c, d, e, f, g, h, off, w)

#define TAKE256(off, z) VMOVDQU32 off(AX), z
#define ADD256(off, z) \
	VPADDD off(AX), z, z; \
	VMOVDQU32 z, off(AX)

// func sha256Blocks(state *[8][16]uint32, base *byte, stride, blocks int, k *[64]uint32)
TEXT ·sha256Blocks(SB), NOSPLIT, $0-40
	MOVQ state+0(FP), AX
	MOVQ base+8(FP), SI
	MOVQ stride+16(FP), DX
	MOVQ blocks+24(FP), CX
	MOVQ k+32(FP), BX
	VBROADCASTI32X4 flip<>(SB), Z12
	TAKE256(0, Z0)
	TAKE256(64, Z1)
	TAKE256(128, Z2)
	TAKE256(192, Z3)
	TAKE256(256, Z4)
	TAKE256(320, Z5)
	TAKE256(384, Z6)
	TAKE256(448, Z7)

loop256:
	LOAD
	ROUND256(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, 0, Z16)
	ROUND256(Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z6, 4, Z17)
	ROUND256(Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z5, 8, Z18)
	ROUND256(Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z4, 12, Z19)
	ROUND256(Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z3, 16, Z20)
	ROUND256(Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z2, 20, Z21)
	ROUND256(Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z1, 24, Z22)
	ROUND256(Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z0, 28, Z23)
	ROUND256(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, 32, Z24)
	ROUND256(Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z6, 36, Z25)
	ROUND256(Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z5, 40, Z26)
	ROUND256(Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z4, 44, Z27)
	ROUND256(Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z3, 48, Z28)
	ROUND256(Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z2, 52, Z29)
	ROUND256(Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z1, 56, Z30)
	ROUND256(Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z0, 60, Z31)
	NEXT256(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, 64, Z16, Z17, Z25, Z30)
	NEXT256(Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z6, 68, Z17, Z18, Z26, Z31)
	NEXT256(Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z5, 72, Z18, Z19, Z27, Z16)
	NEXT256(Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z4, 76, Z19, Z20, Z28, Z17)
	NEXT256(Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z3, 80, Z20, Z21, Z29, Z18)
	NEXT256(Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z2, 84, Z21, Z22, Z30, Z19)
	NEXT256(Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z1, 88, Z22, Z23, Z31, Z20)
	NEXT256(Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z0, 92, Z23, Z24, Z16, Z21)
	NEXT256(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, 96, Z24, Z25, Z17, Z22)
	NEXT256(Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z6, 100, Z25, Z26, Z18, Z23)
	NEXT256(Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z5, 104, Z26, Z27, Z19, Z24)
	NEXT256(Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z4, 108, Z27, Z28, Z20, Z25)
	NEXT256(Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z3, 112, Z28, Z29, Z21, Z26)
	NEXT256(Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z2, 116, Z29, Z30, Z22, Z27)
	NEXT256(Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z1, 120, Z30, Z31, Z23, Z28)
	NEXT256(Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z0, 124, Z31, Z16, Z24, Z29)
	NEXT256(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, 128, Z16, Z17, Z25, Z30)
	NEXT256(Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z6, 132, Z17, Z18, Z26, Z31)
	NEXT256(Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z5, 136, Z18, Z19, Z27, Z16)
	NEXT256(Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z4, 140, Z19, Z20, Z28, Z17)
	NEXT256(Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z3, 144, Z20, Z21, Z29, Z18)
	NEXT256(Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z2, 148, Z21, Z22, Z30, Z19)
	NEXT256(Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z1, 152, Z22, Z23, Z31, Z20)
	NEXT256(Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z0, 156, Z23, Z24, Z16, Z21)
	NEXT256(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, 160, Z24, Z25, Z17, Z22)
	NEXT256(Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z6, 164, Z25, Z26, Z18, Z23)
	NEXT256(Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z5, 168, Z26, Z27, Z19, Z24)
	NEXT256(Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z4, 172, Z27, Z28, Z20, Z25)
	NEXT256(Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z3, 176, Z28, Z29, Z21, Z26)
	NEXT256(Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z2, 180, Z29, Z30, Z22, Z27)
	NEXT256(Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z1, 184, Z30, Z31, Z23, Z28)
	NEXT256(Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z0, 188, Z31, Z16, Z24, Z29)
	NEXT256(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, 192, Z16, Z17, Z25, Z30)
	NEXT256(Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z6, 196, Z17, Z18, Z26, Z31)
	NEXT256(Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z5, 200, Z18, Z19, Z27, Z16)
	NEXT256(Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z4, 204, Z19, Z20, Z28, Z17)
	NEXT256(Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z3, 208, Z20, Z21, Z29, Z18)
	NEXT256(Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z2, 212, Z21, Z22, Z30, Z19)
	NEXT256(Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z1, 216, Z22, Z23, Z31, Z20)
	NEXT256(Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z0, 220, Z23, Z24, Z16, Z21)
	NEXT256(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, 224, Z24, Z25, Z17, Z22)
	NEXT256(Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z6, 228, Z25, Z26, Z18, Z23)
	NEXT256(Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z5, 232, Z26, Z27, Z19, Z24)
	NEXT256(Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z4, 236, Z27, Z28, Z20, Z25)
	NEXT256(Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z3, 240, Z28, Z29, Z21, Z26)
	NEXT256(Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z2, 244, Z29, Z30, Z22, Z27)
	NEXT256(Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z1, 248, Z30, Z31, Z23, Z28)
	NEXT256(Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z0, 252, Z31, Z16, Z24, Z29)
	ADD256(0, Z0)
	ADD256(64, Z1)
	ADD256(128, Z2)
	ADD256(192, Z3)
	ADD256(256, Z4)
	ADD256(320, Z5)
	ADD256(384, Z6)
	ADD256(448, Z7)
	ADDQ $64, SI
	DECQ CX
	JNZ loop256
	VZEROUPPER
	RET
