/*
 * Codes as bytes. A block is 16 byte lanes of a few neighbouring codes each: a lane's codes are a
 * whole number of bytes (8 codes of 3 bits are 3 bytes, which vld3q takes apart), so vector i of a
 * block holds the i-th code of every lane and takes the same shifts in all of them. Codes of 5 bits
 * are taken two by two into 16-bit lanes instead and stay in order. All are at most 127, or signed,
 * as the dot product asks for: 128 is taken from codes of 8 bits.
 *
 *   bits              2    3    4    5    6    8
 *   vectors per block 4    8    2    2    4    1
 *   bytes per block  16   48   16   20   48   16
 */
#ifndef QNEXT_NEON_UNPACK_H
#define QNEXT_NEON_UNPACK_H

#include "../numbers.h"

#include <arm_neon.h>

#define NEON_INLINE static inline __attribute__((always_inline))

/* Neighbouring codes in a byte lane, and with it vectors of a block. */
NEON_INLINE int neon_codes(int bits) { return bits == 3 ? 8 : bits == 2 || bits == 6 ? 4 : bits == 4 ? 2 : 1; }
NEON_INLINE int neon_vectors(int bits) { return bits == 5 ? 2 : neon_codes(bits); }

NEON_INLINE int neon_block_bytes(int bits) { return 2 * neon_vectors(bits) * bits; }

NEON_INLINE uint8x16_t neon_and(uint8x16_t x, uint8_t mask) { return vandq_u8(x, vdupq_n_u8(mask)); }

NEON_INLINE void neon_unpack3(const uint8_t *codes, uint8x16_t *u) {
  uint8x16x3_t p = vld3q_u8(codes);
  u[0] = neon_and(p.val[0], 7);
  u[1] = neon_and(vshrq_n_u8(p.val[0], 3), 7);
  u[2] = neon_and(vsliq_n_u8(vshrq_n_u8(p.val[0], 6), p.val[1], 2), 7);
  u[3] = neon_and(vshrq_n_u8(p.val[1], 1), 7);
  u[4] = neon_and(vshrq_n_u8(p.val[1], 4), 7);
  u[5] = neon_and(vsliq_n_u8(vshrq_n_u8(p.val[1], 7), p.val[2], 1), 7);
  u[6] = neon_and(vshrq_n_u8(p.val[2], 2), 7);
  u[7] = vshrq_n_u8(p.val[2], 5);
}

/* Sixteen codes; "from" says where the two bytes of each two are. */
NEON_INLINE uint8x16_t neon_unpack5(uint8x16_t bytes, uint8x16_t from) {
  static const int16_t down[8] = {0, -2, -4, -6, 0, -2, -4, -6};
  uint16x8_t pairs = vshlq_u16(vreinterpretq_u16_u8(vqtbl1q_u8(bytes, from)), vld1q_s16(down));
  pairs = vsliq_n_u16(pairs, vshrq_n_u16(pairs, 5), 8);
  return neon_and(vreinterpretq_u8_u16(pairs), 31);
}

NEON_INLINE void neon_unpack6(const uint8_t *codes, uint8x16_t *u) {
  uint8x16x3_t p = vld3q_u8(codes);
  u[0] = neon_and(p.val[0], 63);
  u[1] = neon_and(vsliq_n_u8(vshrq_n_u8(p.val[0], 6), p.val[1], 2), 63);
  u[2] = neon_and(vsliq_n_u8(vshrq_n_u8(p.val[1], 4), p.val[2], 4), 63);
  u[3] = vshrq_n_u8(p.val[2], 2);
}

/* One block. */
NEON_INLINE void neon_unpack(int mode, int bits, const uint8_t *codes, int8x16_t *to) {
  uint8x16_t u[8];
  switch (bits) {
    case 2: {
      uint8x16_t x = vld1q_u8(codes);
      u[0] = neon_and(x, 3);
      u[1] = neon_and(vshrq_n_u8(x, 2), 3);
      u[2] = neon_and(vshrq_n_u8(x, 4), 3);
      u[3] = vshrq_n_u8(x, 6);
      break;
    }
    case 3:
      neon_unpack3(codes, u);
      break;
    case 4: {
      uint8x16_t x = vld1q_u8(codes);
      u[0] = neon_and(x, 15);
      u[1] = vshrq_n_u8(x, 4);
      if (mode != QN_AFFINE) {
        uint8x16_t numbers = vld1q_u8((const uint8_t *)qn_fp4_doubled);
        u[0] = vqtbl1q_u8(numbers, u[0]);
        u[1] = vqtbl1q_u8(numbers, u[1]);
      }
      break;
    }
    case 5: {
      /* Both loads stay within the 20 bytes; the second has six bytes of the first in front. */
      static const uint8_t from[16] = {0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 6, 7, 7, 8, 8, 9};
      uint8x16_t first = vld1q_u8(from);
      u[0] = neon_unpack5(vld1q_u8(codes), first);
      u[1] = neon_unpack5(vld1q_u8(codes + 4), vaddq_u8(first, vdupq_n_u8(6)));
      break;
    }
    case 6:
      neon_unpack6(codes, u);
      break;
    default:
      u[0] = veorq_u8(vld1q_u8(codes), vdupq_n_u8(128));
  }
  for (int i = 0; i < neon_vectors(bits); i++) {
    to[i] = vreinterpretq_s8_u8(u[i]);
  }
}

/* Four scales or biases in f32, as qn_scale gives them. */
NEON_INLINE float32x4_t neon_scales(int mode, int type, const uint8_t *at) {
  if (mode == QN_MXFP4 || mode == QN_NVFP4) {
    uint32_t four;
    memcpy(&four, at, sizeof four);
    uint32x4_t code = vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four))));
    if (mode == QN_MXFP4) {
      uint32x4_t nan = vceqq_u32(code, vdupq_n_u32(255));
      uint32x4_t bits = vmaxq_u32(vshlq_n_u32(code, 23), vdupq_n_u32(0x00400000));
      bits = vorrq_u32(bits, vandq_u32(nan, vdupq_n_u32(0x7FC00000)));
      return vmulq_f32(vreinterpretq_f32_u32(bits), vdupq_n_f32(0.5f));
    }
    uint32x4_t magnitude = vandq_u32(code, vdupq_n_u32(0x7F));
    uint32x4_t nan = vceqq_u32(magnitude, vdupq_n_u32(0x7F));
    uint32x4_t sign = vshlq_n_u32(veorq_u32(code, magnitude), 24);
    float32x4_t x = vmulq_f32(vreinterpretq_f32_u32(vshlq_n_u32(magnitude, 20)), vdupq_n_f32(0x1p119f));
    uint32x4_t others = vorrq_u32(sign, vandq_u32(nan, vdupq_n_u32(0x7FC00000)));
    return vreinterpretq_f32_u32(vorrq_u32(vreinterpretq_u32_f32(x), others));
  }
  switch (type) {
    case QN_BF16:
      return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(at)), 16));
    case QN_F16:
      return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(at)));
    default:
      return vreinterpretq_f32_u8(vld1q_u8(at));
  }
}

#endif
