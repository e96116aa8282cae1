/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Windows: who connects to whom in a convolution or a pooling of neurons on a grid, and which entry of the kernel a
 * synapse belongs to. Nothing is drawn here.
 */
#include "net_private.h"

static int64_t dilation(const lw_window *w, int d) {
    return w->dilation[d] > 0 ? w->dilation[d] : 1;
}

/* Rows (d 0) or columns (d 1) from a window's first one to its last. */
static int64_t extent(const lw_window *w, int d) {
    return (w->kernel[d] - 1) * dilation(w, d) + 1;
}

/* Places that windows of one side have room for. */
static int64_t places(const lw_window *w, int d) {
    int64_t room = (int64_t)w->in[1 + d] + 2 * (int64_t)w->padding[d] - extent(w, d);
    return room < 0 ? 0 : room / w->stride[d] + 1;
}

static int64_t volume(const int32_t shape[3]) {
    return (int64_t)shape[0] * shape[1] * shape[2];
}

lw_err net_window_check(const lw_projection_spec *proj, int64_t n_pre, int64_t n_post) {
    const lw_window *w = &proj->window;
    enum { MOST = 1 << 20 };
    for (int i = 0; i < 3; i++)
        LW_CHECK(w->in[i] >= 1 && w->in[i] < MOST && w->out[i] >= 1 && w->out[i] < MOST, LW_EUSE,
            "windows between shapes with sides %d and %d; allowed: 1 to %d", (int)w->in[i], (int)w->out[i], MOST - 1);
    for (int d = 0; d < 2; d++)
        LW_CHECK(w->kernel[d] >= 1 && w->kernel[d] < MOST && w->stride[d] >= 1 && w->stride[d] < MOST &&
                     w->dilation[d] >= 0 && w->dilation[d] < MOST && w->padding[d] >= 0 && w->padding[d] < extent(w, d),
            LW_EUSE,
            "kernel %d, stride %d, padding %d, dilation %d; allowed: kernel, stride and dilation from 1, padding below "
            "the kernel's extent",
            (int)w->kernel[d], (int)w->stride[d], (int)w->padding[d], (int)dilation(w, d));
    LW_CHECK(volume(w->in) == n_pre && volume(w->out) == n_post, LW_EUSE,
        "shapes of %lld and %lld neurons for populations of %lld and %lld; allowed: equal numbers",
        (long long)volume(w->in), (long long)volume(w->out), (long long)n_pre, (long long)n_post);
    LW_CHECK(places(w, 0) == w->out[1] && places(w, 1) == w->out[2], LW_EUSE,
        "windows have %lld x %lld places, the target's shape has %d x %d; allowed: the same", (long long)places(w, 0),
        (long long)places(w, 1), (int)w->out[1], (int)w->out[2]);
    LW_CHECK(!w->same_channel || w->in[0] == w->out[0], LW_EUSE,
        "pooling from %d channels to %d; allowed: equal numbers", (int)w->in[0], (int)w->out[0]);
    LW_CHECK(!w->shared || !proj->learn || !proj->learn_delay, LW_EUSE,
        "learned delays of synapses whose weights are shared and learned; allowed: one of them, or local2d, whose "
        "synapses have weights of their own");
    LW_CHECK(w->only >= 0 && w->only <= w->kernel[0] * w->kernel[1] && (w->only == 0 || !w->shared), LW_EUSE,
        "entry %d of a kernel of %d x %d alone; allowed: one of its entries, of windows whose weights are not shared",
        (int)w->only - 1, (int)w->kernel[0], (int)w->kernel[1]);
    LW_CHECK(!net_is_tied(proj) || !proj->zero_mean, LW_EUSE,
        "zero_mean of weights that are shared and learned; allowed: one of them");
    LW_CHECK(!proj->symmetric && !proj->mirror, LW_EUSE, "symmetric windows; allowed: in one direction");
    return LW_OK;
}

/* Row (d 0) or column (d 1) of the first kernel entry of the window at `place`; it may lie outside of the grid. */
static int64_t corner(const lw_window *w, int d, int64_t place) {
    return place * w->stride[d] - w->padding[d];
}

/* The kernel entries that lie on the grid there, [begin, end). */
static void range(const lw_window *w, int d, int64_t place, int64_t *begin, int64_t *end) {
    int64_t at = corner(w, d, place), by = dilation(w, d), left = w->in[1 + d] - at;
    int64_t low = at < 0 ? (-at + by - 1) / by : 0, high = left > 0 ? (left + by - 1) / by : 0;
    *begin = 0;
    *end = w->kernel[d];
    if (w->only) {
        *begin = d == 0 ? (w->only - 1) / w->kernel[1] : (w->only - 1) % w->kernel[1];
        *end = *begin + 1;
    }
    if (*begin < low) *begin = low;
    if (*end > high) *end = high;
}

lw_err net_window_draw(net_draw *d, const lw_window *w, int64_t index) {
    int64_t c = index / ((int64_t)w->out[1] * w->out[2]), y = index / w->out[2] % w->out[1], x = index % w->out[2];
    int64_t y0, y1, x0, x1, first = w->same_channel ? c : 0, last = w->same_channel ? c + 1 : w->in[0];
    range(w, 0, y, &y0, &y1);
    range(w, 1, x, &x0, &x1);
    LW_TRY(net_draw_reserve(d, (last - first) * w->kernel[0] * w->kernel[1]));
    d->n = 0;
    for (int64_t from = first; from < last; from++)
        for (int64_t i = y0; i < y1; i++)
            for (int64_t j = x0; j < x1; j++) {
                int64_t row = corner(w, 0, y) + i * dilation(w, 0), column = corner(w, 1, x) + j * dilation(w, 1);
                d->index[d->n++] = (uint64_t)((from * w->in[1] + row) * w->in[2] + column);
            }
    return LW_OK;
}

int64_t net_window_entries(const lw_window *w) {
    return (int64_t)w->out[0] * (w->same_channel ? 1 : w->in[0]) * w->kernel[0] * w->kernel[1];
}

int64_t net_window_entry(const lw_window *w, int64_t target, int64_t source) {
    int64_t c = target / ((int64_t)w->out[1] * w->out[2]), y = target / w->out[2] % w->out[1];
    int64_t x = target % w->out[2], from = source / ((int64_t)w->in[1] * w->in[2]);
    int64_t row = (source / w->in[2] % w->in[1] - corner(w, 0, y)) / dilation(w, 0);
    int64_t column = (source % w->in[2] - corner(w, 1, x)) / dilation(w, 1);
    int64_t plane = w->same_channel ? c : c * w->in[0] + from;
    return (plane * w->kernel[0] + row) * w->kernel[1] + column;
}

bool net_window_has(const lw_window *w, int64_t target, int64_t source) {
    int64_t place[2] = {target / w->out[2] % w->out[1], target % w->out[2]};
    int64_t at[2] = {source / w->in[2] % w->in[1], source % w->in[2]};
    for (int d = 0; d < 2; d++) {
        int64_t k = at[d] - corner(w, d, place[d]);
        if (k < 0 || k >= extent(w, d) || k % dilation(w, d) != 0) return false;
    }
    return !w->same_channel || target / ((int64_t)w->out[1] * w->out[2]) == source / ((int64_t)w->in[1] * w->in[2]);
}

double lw_window_synapses(const lw_window *w) {
    double n[2] = {0, 0};
    for (int d = 0; d < 2; d++)
        for (int64_t place = 0; place < w->out[1 + d]; place++) {
            int64_t begin, end;
            range(w, d, place, &begin, &end);
            n[d] += end > begin ? (double)(end - begin) : 0;
        }
    return n[0] * n[1] * w->out[0] * (w->same_channel ? 1 : w->in[0]);
}
