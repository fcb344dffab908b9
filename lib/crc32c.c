/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/crc32c.h"

/* Bits are reflected: the top bit is x^0.  What is shifted out at x^31 comes back as this. */
enum { POLY = 0x82f63b78 };

/* a * b modulo the polynomial. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (uint32_t bit = 1u << 31; bit; bit >>= 1) {
		if (a & bit)
			product ^= b;
		b = b & 1 ? b >> 1 ^ (uint32_t)POLY : b >> 1;
	}
	return product;
}

/* x^(8n) */
static uint32_t shift_by(size_t n)
{
	uint32_t power = 1u << 31, square = 1u << 23; /* 1, x^8 */

	for (; n; n >>= 1) {
		if (n & 1)
			power = multiply(power, square);
		square = multiply(square, square);
	}
	return power;
}

uint32_t crc32c_update(uint32_t crc, uint32_t diff, size_t size)
{
	return crc ^ multiply(diff, shift_by(size));
}
