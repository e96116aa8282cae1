/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Memory: zeroed, aligned, counted; overflow and impossible sizes are refused; growth keeps contents.
 */
#include "check.h"

TEST(blocks_are_zeroed_aligned_and_counted) {
    int64_t before = lw_mem_now();
    static const size_t sizes[] = {0, 1, 63, 64, 1000, 5 << 20};
    for (int round = 0; round < 2; round++) { /* the second time memory comes back used */
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            unsigned char *p = NULL;
            CHECK_OK(lw_alloc(sizes[k], 1, "test", &p));
            CHECK(p != NULL);
            CHECK_INT((uintptr_t)p % 64, 0);
            size_t used = 0;
            for (size_t i = 0; i < sizes[k]; i++)
                used += p[i] != 0;
            CHECK_INT(used, 0);
            memset(p, 0xa5, sizes[k]);
            CHECK(lw_mem_now() - before >= (int64_t)sizes[k]);
            CHECK(lw_mem_now() - before <= (int64_t)sizes[k] + 64);
            lw_free(p);
            CHECK_INT(lw_mem_now(), before);
        }
    }
    lw_free(NULL);
    CHECK(lw_mem_peak() >= 5 << 20);
    CHECK(lw_mem_peak_rss() > 5 << 20);
}

TEST(impossible_sizes_are_refused) {
    int64_t before = lw_mem_now();
    double kept = 3, *p = &kept;
    CHECK_FAILS(lw_alloc(SIZE_MAX / 4, 8, "the weights", &p), LW_EMEM, "the weights");
    CHECK(p == NULL);
    p = &kept;
    CHECK_FAILS(lw_alloc(SIZE_MAX, 1, "all", &p), LW_EMEM, "18446744073709551615 x 1 bytes");
    CHECK(p == NULL);
    CHECK_FAILS(lw_alloc(SIZE_MAX / 8 + 2, 8, "wrapped", &p), LW_EMEM, "wrapped"); /* 8 bytes modulo 2^64 */
    CHECK(p == NULL);
    CHECK_FAILS(lw_alloc((size_t)PTRDIFF_MAX - 100, 1, "half", &p), LW_EMEM, "half");
    CHECK_OK(lw_alloc(2, sizeof *p, "small", &p));
    p[1] = 7;
    double *old = p;
    CHECK_FAILS(lw_grow(&p, 2, SIZE_MAX / 8, 16, "growth"), LW_EMEM, "growth");
    CHECK(p == old && p[1] == 7);
    lw_free(p);
    CHECK_INT(lw_mem_now(), before);
}

TEST(growth_keeps_contents_and_zeroes_the_rest) {
    int64_t before = lw_mem_now();
    int *p = NULL;
    size_t count = 0;
    for (size_t next = 1; next < 3 << 20; next = next * 3 + 1) { /* also across the bound of large blocks */
        CHECK_OK(lw_grow(&p, count, next, sizeof *p, "test"));
        size_t wrong = 0;
        for (size_t i = 0; i < next; i++)
            wrong += p[i] != (i < count ? (int)i + 1 : 0);
        CHECK_INT(wrong, 0);
        for (size_t i = count; i < next; i++)
            p[i] = (int)i + 1;
        count = next;
    }
    int *old = p;
    CHECK_OK(lw_grow(&p, count, 3, sizeof *p, "test")); /* growth never shrinks */
    CHECK(p == old);
    lw_free(p);
    CHECK_INT(lw_mem_now(), before);
}

TEST(strings_are_copied) {
    char text[] = "lapwing";
    char *copy = lw_strdup(text);
    text[0] = 'L';
    CHECK_STR(copy, "lapwing");
    lw_free(copy);
}

CHECK_MAIN(CASE(blocks_are_zeroed_aligned_and_counted), CASE(impossible_sizes_are_refused),
    CASE(growth_keeps_contents_and_zeroes_the_rest), CASE(strings_are_copied))
