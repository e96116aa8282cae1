/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which neurons of a population are meant: all, the first ones, so many evenly spread, or a list. A choice is a
 * function of the population's size alone, so it is the same on any number of ranks.
 */
#include <lapwing/sim.h>

int64_t lw_choice_size(const lw_choice *choice, int64_t size) {
    if (choice->kind == LW_CHOICE_ALL) return size;
    return choice->kind == LW_CHOICE_LIST || choice->n < size ? choice->n : size;
}

/* Neuron i is the k-th of n spread over `size` when n i / size passes k on the way to i + 1. */
static int64_t spread_place(int64_t n, int64_t size, int64_t i) {
    int64_t k = i * n / size;
    return (i + 1) * n / size > k ? k : -1;
}

static int64_t list_place(const lw_choice *choice, int64_t i) {
    int64_t lo = 0, hi = choice->n;
    while (lo < hi) {
        int64_t middle = lo + (hi - lo) / 2;
        if (choice->index[middle] < i)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo < choice->n && choice->index[lo] == i ? lo : -1;
}

int64_t lw_choice_place(const lw_choice *choice, int64_t size, int64_t i) {
    switch (choice->kind) {
    case LW_CHOICE_FIRST:
        return i < choice->n ? i : -1;
    case LW_CHOICE_SPREAD:
        return spread_place(lw_choice_size(choice, size), size, i);
    case LW_CHOICE_LIST:
        return list_place(choice, i);
    case LW_CHOICE_ALL:
        break;
    }
    return i;
}

int64_t lw_choice_neuron(const lw_choice *choice, int64_t size, int64_t k) {
    int64_t n = lw_choice_size(choice, size);
    if (choice->kind == LW_CHOICE_LIST) return choice->index[k];
    if (choice->kind == LW_CHOICE_SPREAD) return ((k + 1) * size + n - 1) / n - 1;
    return k;
}
