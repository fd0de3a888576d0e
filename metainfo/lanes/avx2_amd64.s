#include "textflag.h"

// SHA-1 of eight messages at once, with AVX2: each register holds one word of all
// of them. There are too few registers for the words of a block, which are on the
// stack, in a ring as the message schedule goes on.

// Reverses the bytes of each word.
DATA flip8<>+0(SB)/8, $0x0405060700010203
DATA flip8<>+8(SB)/8, $0x0c0d0e0f08090a0b
DATA flip8<>+16(SB)/8, $0x0405060700010203
DATA flip8<>+24(SB)/8, $0x0c0d0e0f08090a0b
GLOBL flip8<>(SB), RODATA|NOPTR, $32

// The constants of SHA-1 (FIPS 180-4, section 4.2.1).
DATA k8<>+0(SB)/4, $0x5a827999
DATA k8<>+4(SB)/4, $0x6ed9eba1
DATA k8<>+8(SB)/4, $0x8f1bbcdc
DATA k8<>+12(SB)/4, $0xca62c1d6
GLOBL k8<>(SB), RODATA|NOPTR, $16

// Half a block of one message; the next is DX bytes behind it.
#define ROW8(w) \
	VMOVDQU (R9), w; \
	ADDQ DX, R9

// Four rows of a matrix of words become columns, within each half of them.
#define WORDS8(a, b, c, d, s, t, u, v) \
	VPUNPCKLDQ b, a, s; \
	VPUNPCKHDQ b, a, t; \
	VPUNPCKLDQ d, c, u; \
	VPUNPCKHDQ d, c, v; \
	VPUNPCKLQDQ u, s, a; \
	VPUNPCKHQDQ u, s, b; \
	VPUNPCKLQDQ v, t, c; \
	VPUNPCKHQDQ v, t, d

// Halves of two rows are put together, and go to the stack.
#define HALVES8(a, b, low, high) \
	VPERM2I128 $0x20, b, a, Y8; \
	VPERM2I128 $0x31, b, a, Y9; \
	VPSHUFB flip8<>(SB), Y8, Y8; \
	VPSHUFB flip8<>(SB), Y9, Y9; \
	VMOVDQU Y8, low(SP); \
	VMOVDQU Y9, high(SP)

// Eight words of all messages, from R9 on, to off on the stack.
#define LOAD8(off) \
	ROW8(Y0); \
	ROW8(Y1); \
	ROW8(Y2); \
	ROW8(Y3); \
	ROW8(Y4); \
	ROW8(Y5); \
	ROW8(Y6); \
	ROW8(Y7); \
	WORDS8(Y0, Y1, Y2, Y3, Y8, Y9, Y10, Y11); \
	WORDS8(Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11); \
	HALVES8(Y0, Y4, off+0, off+128); \
	HALVES8(Y1, Y5, off+32, off+160); \
	HALVES8(Y2, Y6, off+64, off+192); \
	HALVES8(Y3, Y7, off+96, off+224)

// The functions of b, c and d, into Y6.
#define CHOOSE(b, c, d) \
	VPXOR d, c, Y6; \
	VPAND b, Y6, Y6; \
	VPXOR d, Y6, Y6
#define PARITY(b, c, d) \
	VPXOR c, b, Y6; \
	VPXOR d, Y6, Y6
#define MAJORITY(b, c, d) \
	VPOR c, b, Y6; \
	VPAND c, b, Y7; \
	VPAND d, Y6, Y6; \
	VPOR Y7, Y6, Y6

// A round without a word of the message; the constant is in Y5. The caller turns
// the names.
#define BARE8(a, b, c, d, e, F) \
	VPADDD Y5, e, e; \
	F(b, c, d); \
	VPADDD Y6, e, e; \
	VPSLLD $5, a, Y6; \
	VPSRLD $27, a, Y7; \
	VPADDD Y6, e, e; \
	VPADDD Y7, e, e; \
	VPSLLD $30, b, Y6; \
	VPSRLD $2, b, Y7; \
	VPOR Y7, Y6, b
#define ROUND8(a, b, c, d, e, F, w) \
	VPADDD w(SP), e, e; \
	BARE8(a, b, c, d, e, F)
// One whose word is to be computed: at w is that of 16 rounds ago, at w2 of 14,
// at w8 of 8 and at w13 of 3.
#define NEXT8(a, b, c, d, e, F, w, w2, w8, w13) \
	VMOVDQU w(SP), Y8; \
	VPXOR w2(SP), Y8, Y8; \
	VPXOR w8(SP), Y8, Y8; \
	VPXOR w13(SP), Y8, Y8; \
	VPADDD Y8, Y8, Y9; \
	VPSRLD $31, Y8, Y8; \
	VPOR Y9, Y8, Y8; \
	VMOVDQU Y8, w(SP); \
	VPADDD Y8, e, e; \
	BARE8(a, b, c, d, e, F)

#define TAKE8 \
	VMOVDQU 0(AX), Y0; \
	VMOVDQU 64(AX), Y1; \
	VMOVDQU 128(AX), Y2; \
	VMOVDQU 192(AX), Y3; \
	VMOVDQU 256(AX), Y4
#define ADD8 \
	VPADDD 0(AX), Y0, Y0; \
	VPADDD 64(AX), Y1, Y1; \
	VPADDD 128(AX), Y2, Y2; \
	VPADDD 192(AX), Y3, Y3; \
	VPADDD 256(AX), Y4, Y4; \
	VMOVDQU Y0, 0(AX); \
	VMOVDQU Y1, 64(AX); \
	VMOVDQU Y2, 128(AX); \
	VMOVDQU Y3, 192(AX); \
	VMOVDQU Y4, 256(AX)

// func sha1Half(state *uint32, base *byte, stride, blocks int)
TEXT ·sha1Half(SB), NOSPLIT, $512-32
	MOVQ state+0(FP), AX
	MOVQ base+8(FP), SI
	MOVQ stride+16(FP), DX
	MOVQ blocks+24(FP), CX

loop1:
	MOVQ SI, R9
	LOAD8(0)
	LEAQ 32(SI), R9
	LOAD8(256)
	TAKE8
	VPBROADCASTD k8<>+0(SB), Y5
	ROUND8(Y0, Y1, Y2, Y3, Y4, CHOOSE, 0)
	ROUND8(Y4, Y0, Y1, Y2, Y3, CHOOSE, 32)
	ROUND8(Y3, Y4, Y0, Y1, Y2, CHOOSE, 64)
	ROUND8(Y2, Y3, Y4, Y0, Y1, CHOOSE, 96)
	ROUND8(Y1, Y2, Y3, Y4, Y0, CHOOSE, 128)
	ROUND8(Y0, Y1, Y2, Y3, Y4, CHOOSE, 160)
	ROUND8(Y4, Y0, Y1, Y2, Y3, CHOOSE, 192)
	ROUND8(Y3, Y4, Y0, Y1, Y2, CHOOSE, 224)
	ROUND8(Y2, Y3, Y4, Y0, Y1, CHOOSE, 256)
	ROUND8(Y1, Y2, Y3, Y4, Y0, CHOOSE, 288)
	ROUND8(Y0, Y1, Y2, Y3, Y4, CHOOSE, 320)
	ROUND8(Y4, Y0, Y1, Y2, Y3, CHOOSE, 352)
	ROUND8(Y3, Y4, Y0, Y1, Y2, CHOOSE, 384)
	ROUND8(Y2, Y3, Y4, Y0, Y1, CHOOSE, 416)
	ROUND8(Y1, Y2, Y3, Y4, Y0, CHOOSE, 448)
	ROUND8(Y0, Y1, Y2, Y3, Y4, CHOOSE, 480)
	NEXT8(Y4, Y0, Y1, Y2, Y3, CHOOSE, 0, 64, 256, 416)
	NEXT8(Y3, Y4, Y0, Y1, Y2, CHOOSE, 32, 96, 288, 448)
	NEXT8(Y2, Y3, Y4, Y0, Y1, CHOOSE, 64, 128, 320, 480)
	NEXT8(Y1, Y2, Y3, Y4, Y0, CHOOSE, 96, 160, 352, 0)
	VPBROADCASTD k8<>+4(SB), Y5
	NEXT8(Y0, Y1, Y2, Y3, Y4, PARITY, 128, 192, 384, 32)
	NEXT8(Y4, Y0, Y1, Y2, Y3, PARITY, 160, 224, 416, 64)
	NEXT8(Y3, Y4, Y0, Y1, Y2, PARITY, 192, 256, 448, 96)
	NEXT8(Y2, Y3, Y4, Y0, Y1, PARITY, 224, 288, 480, 128)
	NEXT8(Y1, Y2, Y3, Y4, Y0, PARITY, 256, 320, 0, 160)
	NEXT8(Y0, Y1, Y2, Y3, Y4, PARITY, 288, 352, 32, 192)
	NEXT8(Y4, Y0, Y1, Y2, Y3, PARITY, 320, 384, 64, 224)
	NEXT8(Y3, Y4, Y0, Y1, Y2, PARITY, 352, 416, 96, 256)
	NEXT8(Y2, Y3, Y4, Y0, Y1, PARITY, 384, 448, 128, 288)
	NEXT8(Y1, Y2, Y3, Y4, Y0, PARITY, 416, 480, 160, 320)
	NEXT8(Y0, Y1, Y2, Y3, Y4, PARITY, 448, 0, 192, 352)
	NEXT8(Y4, Y0, Y1, Y2, Y3, PARITY, 480, 32, 224, 384)
	NEXT8(Y3, Y4, Y0, Y1, Y2, PARITY, 0, 64, 256, 416)
	NEXT8(Y2, Y3, Y4, Y0, Y1, PARITY, 32, 96, 288, 448)
	NEXT8(Y1, Y2, Y3, Y4, Y0, PARITY, 64, 128, 320, 480)
	NEXT8(Y0, Y1, Y2, Y3, Y4, PARITY, 96, 160, 352, 0)
	NEXT8(Y4, Y0, Y1, Y2, Y3, PARITY, 128, 192, 384, 32)
	NEXT8(Y3, Y4, Y0, Y1, Y2, PARITY, 160, 224, 416, 64)
	NEXT8(Y2, Y3, Y4, Y0, Y1, PARITY, 192, 256, 448, 96)
	NEXT8(Y1, Y2, Y3, Y4, Y0, PARITY, 224, 288, 480, 128)
	VPBROADCASTD k8<>+8(SB), Y5
	NEXT8(Y0, Y1, Y2, Y3, Y4, MAJORITY, 256, 320, 0, 160)
	NEXT8(Y4, Y0, Y1, Y2, Y3, MAJORITY, 288, 352, 32, 192)
	NEXT8(Y3, Y4, Y0, Y1, Y2, MAJORITY, 320, 384, 64, 224)
	NEXT8(Y2, Y3, Y4, Y0, Y1, MAJORITY, 352, 416, 96, 256)
	NEXT8(Y1, Y2, Y3, Y4, Y0, MAJORITY, 384, 448, 128, 288)
	NEXT8(Y0, Y1, Y2, Y3, Y4, MAJORITY, 416, 480, 160, 320)
	NEXT8(Y4, Y0, Y1, Y2, Y3, MAJORITY, 448, 0, 192, 352)
	NEXT8(Y3, Y4, Y0, Y1, Y2, MAJORITY, 480, 32, 224, 384)
	NEXT8(Y2, Y3, Y4, Y0, Y1, MAJORITY, 0, 64, 256, 416)
	NEXT8(Y1, Y2, Y3, Y4, Y0, MAJORITY, 32, 96, 288, 448)
	NEXT8(Y0, Y1, Y2, Y3, Y4, MAJORITY, 64, 128, 320, 480)
	NEXT8(Y4, Y0, Y1, Y2, Y3, MAJORITY, 96, 160, 352, 0)
	NEXT8(Y3, Y4, Y0, Y1, Y2, MAJORITY, 128, 192, 384, 32)
	NEXT8(Y2, Y3, Y4, Y0, Y1, MAJORITY, 160, 224, 416, 64)
	NEXT8(Y1, Y2, Y3, Y4, Y0, MAJORITY, 192, 256, 448, 96)
	NEXT8(Y0, Y1, Y2, Y3, Y4, MAJORITY, 224, 288, 480, 128)
	NEXT8(Y4, Y0, Y1, Y2, Y3, MAJORITY, 256, 320, 0, 160)
	NEXT8(Y3, Y4, Y0, Y1, Y2, MAJORITY, 288, 352, 32, 192)
	NEXT8(Y2, Y3, Y4, Y0, Y1, MAJORITY, 320, 384, 64, 224)
	NEXT8(Y1, Y2, Y3, Y4, Y0, MAJORITY, 352, 416, 96, 256)
	VPBROADCASTD k8<>+12(SB), Y5
	NEXT8(Y0, Y1, Y2, Y3, Y4, PARITY, 384, 448, 128, 288)
	NEXT8(Y4, Y0, Y1, Y2, Y3, PARITY, 416, 480, 160, 320)
	NEXT8(Y3, Y4, Y0, Y1, Y2, PARITY, 448, 0, 192, 352)
	NEXT8(Y2, Y3, Y4, Y0, Y1, PARITY, 480, 32, 224, 384)
	NEXT8(Y1, Y2, Y3, Y4, Y0, PARITY, 0, 64, 256, 416)
	NEXT8(Y0, Y1, Y2, Y3, Y4, PARITY, 32, 96, 288, 448)
	NEXT8(Y4, Y0, Y1, Y2, Y3, PARITY, 64, 128, 320, 480)
	NEXT8(Y3, Y4, Y0, Y1, Y2, PARITY, 96, 160, 352, 0)
	NEXT8(Y2, Y3, Y4, Y0, Y1, PARITY, 128, 192, 384, 32)
	NEXT8(Y1, Y2, Y3, Y4, Y0, PARITY, 160, 224, 416, 64)
	NEXT8(Y0, Y1, Y2, Y3, Y4, PARITY, 192, 256, 448, 96)
	NEXT8(Y4, Y0, Y1, Y2, Y3, PARITY, 224, 288, 480, 128)
	NEXT8(Y3, Y4, Y0, Y1, Y2, PARITY, 256, 320, 0, 160)
	NEXT8(Y2, Y3, Y4, Y0, Y1, PARITY, 288, 352, 32, 192)
	NEXT8(Y1, Y2, Y3, Y4, Y0, PARITY, 320, 384, 64, 224)
	NEXT8(Y0, Y1, Y2, Y3, Y4, PARITY, 352, 416, 96, 256)
	NEXT8(Y4, Y0, Y1, Y2, Y3, PARITY, 384, 448, 128, 288)
	NEXT8(Y3, Y4, Y0, Y1, Y2, PARITY, 416, 480, 160, 320)
	NEXT8(Y2, Y3, Y4, Y0, Y1, PARITY, 448, 0, 192, 352)
	NEXT8(Y1, Y2, Y3, Y4, Y0, PARITY, 480, 32, 224, 384)
	ADD8
	ADDQ $64, SI
	DECQ CX
	JNZ loop1
	VZEROUPPER
	RET

// Twenty rounds of zeros. After five the names are back where they were.
#define TURN8(F) \
	BARE8(Y0, Y1, Y2, Y3, Y4, F); \
	BARE8(Y4, Y0, Y1, Y2, Y3, F); \
	BARE8(Y3, Y4, Y0, Y1, Y2, F); \
	BARE8(Y2, Y3, Y4, Y0, Y1, F); \
	BARE8(Y1, Y2, Y3, Y4, Y0, F)
#define ZEROS8(F) \
	TURN8(F); \
	TURN8(F); \
	TURN8(F); \
	TURN8(F)

// func sha1HalfZeros(state *uint32, blocks int)
TEXT ·sha1HalfZeros(SB), NOSPLIT, $0-16
	MOVQ state+0(FP), AX
	MOVQ blocks+8(FP), CX

loop0:
	TAKE8
	VPBROADCASTD k8<>+0(SB), Y5
	ZEROS8(CHOOSE)
	VPBROADCASTD k8<>+4(SB), Y5
	ZEROS8(PARITY)
	VPBROADCASTD k8<>+8(SB), Y5
	ZEROS8(MAJORITY)
	VPBROADCASTD k8<>+12(SB), Y5
	ZEROS8(PARITY)
	ADD8
	DECQ CX
	JNZ loop0
	VZEROUPPER
	RET
