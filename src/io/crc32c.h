/* SPDX-License-Identifier: BSD-3-Clause
 *
 * crc32c.h: the slow twin of lw_crc32c, for processors without the instruction and for the tests.
 */
#ifndef LAPWING_IO_CRC32C_H
#define LAPWING_IO_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t lw_crc32c_table(uint32_t crc, const void *data, size_t bytes);

#endif
