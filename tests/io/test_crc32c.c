/* SPDX-License-Identifier: BSD-3-Clause
 *
 * CRC-32C: the published check value, the vectors of RFC 3720 B.4, and instruction against tables.
 */
#include "check.h"
#include <lapwing/io.h>
#include "crc32c.h"

TEST(known_values) {
    uint8_t zeros[32] = {0}, ones[32], rising[32];
    memset(ones, 255, sizeof ones);
    for (int i = 0; i < 32; i++)
        rising[i] = (uint8_t)i;
    CHECK_INT(lw_crc32c(0, "123456789", 9), 0xE3069283u);
    CHECK_INT(lw_crc32c(0, zeros, 32), 0x8A9136AAu);
    CHECK_INT(lw_crc32c(0, ones, 32), 0x62A8AB43u);
    CHECK_INT(lw_crc32c(0, rising, 32), 0x46DD794Eu);
    CHECK_INT(lw_crc32c(0, "", 0), 0);
}

TEST(instruction_and_table_agree_and_pieces_join) {
    enum { MOST = 300 };
    uint8_t data[MOST];
    lw_stream s = lw_stream_start(1, LW_PURPOSE_CHECK, 0, 0);
    for (int i = 0; i < MOST; i++)
        data[i] = (uint8_t)lw_stream_below(&s, 256);
    for (size_t n = 0; n < MOST; n++) {
        uint32_t whole = lw_crc32c(0, data, n);
        CHECK_INT(lw_crc32c_table(0, data, n), whole);
        size_t cut = n ? (size_t)lw_stream_below(&s, n) : 0;
        CHECK_INT(lw_crc32c(lw_crc32c(0, data, cut), data + cut, n - cut), whole);
        CHECK_INT(lw_crc32c_table(lw_crc32c(0, data, cut), data + cut, n - cut), whole);
    }
}

TEST(one_bit_changes_it) {
    uint8_t data[64] = {0};
    uint32_t before = lw_crc32c(0, data, sizeof data);
    for (int bit = 0; bit < 512; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(lw_crc32c(0, data, sizeof data) != before);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

CHECK_MAIN(CASE(known_values), CASE(instruction_and_table_agree_and_pieces_join), CASE(one_bit_changes_it))
