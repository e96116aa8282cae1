/* SPDX-License-Identifier: BSD-3-Clause
 *
 * CRC-32C (Castagnoli et al. 1993, polynomial 0x1EDC6F41, reflected 0x82F63B78, as in iSCSI, RFC 3720): the SSE4.2
 * instruction where the processor has it, else eight tables that take eight bytes at a time (Kounavis & Berry 2005).
 * A CRC and not a plain sum: the CRC of zeros is not zero, so a hole in a file is seen.
 */
#include <string.h>
#include <lapwing/io.h>
#include "crc32c.h"

#define POLYNOMIAL 0x82F63B78u

/* table[k][b]: the register after byte b followed by k zero bytes. Filled on first use; two threads write the same. */
static uint32_t table[8][256];

static void table_fill(void) {
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;
        for (int i = 0; i < 8; i++)
            crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
        table[0][b] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (uint32_t b = 0; b < 256; b++)
            table[k][b] = (table[k - 1][b] >> 8) ^ table[0][table[k - 1][b] & 255];
}

uint32_t lw_crc32c_table(uint32_t crc, const void *data, size_t bytes) {
    const uint8_t *p = data;
    if (table[7][255] == 0) table_fill();
    crc = ~crc;
    for (; bytes >= 8; bytes -= 8, p += 8) {
        uint32_t low = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
        crc = table[7][low & 255] ^ table[6][low >> 8 & 255] ^ table[5][low >> 16 & 255] ^ table[4][low >> 24] ^
              table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
    }
    for (; bytes > 0; bytes--)
        crc = (crc >> 8) ^ table[0][(crc ^ *p++) & 255];
    return ~crc;
}

#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target("sse4.2"))) static uint32_t crc_instruction(uint32_t crc, const void *data, size_t bytes) {
    const uint8_t *p = data;
    uint64_t wide = ~crc;
    for (; bytes >= 8; bytes -= 8, p += 8) {
        uint64_t word = 0;
        memcpy(&word, p, 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    uint32_t narrow = (uint32_t)wide;
    for (; bytes > 0; bytes--)
        narrow = __builtin_ia32_crc32qi(narrow, *p++);
    return ~narrow;
}

uint32_t lw_crc32c(uint32_t crc, const void *data, size_t bytes) {
    return __builtin_cpu_supports("sse4.2") ? crc_instruction(crc, data, bytes) : lw_crc32c_table(crc, data, bytes);
}
#else
uint32_t lw_crc32c(uint32_t crc, const void *data, size_t bytes) {
    return lw_crc32c_table(crc, data, bytes);
}
#endif
