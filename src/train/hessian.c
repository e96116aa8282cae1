/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The whole second derivative of the loss of a batch times a direction: lw_tape_hessian, with the loss' first
 * derivative at the read-out as seed and its second derivative times the read-out's tangent as the seed's tangent. The
 * read-outs are linear in what is emitted (the maximum at a fixed step), so they add nothing. Samples, batches and
 * scales are curvature.c's.
 */
#include <math.h>
#include <string.h>
#include "curvature.h"

lw_err hessian_check(const lw_loss *loss) {
    LW_CHECK(loss->readout != LW_READOUT_FIRST_SPIKE, LW_EUSE,
        "sharpness has no second derivative of the read-out first_spike; allowed is any other with matrix hessian, any "
        "with "
        "gauss_newton");
    return LW_OK;
}

static size_t cells(const curvature *c) {
    const loss_work *w = c->pass->loss;
    return (size_t)(w->n_rows * w->n_local * w->width);
}

lw_err hessian_room(curvature *c) {
    pass *p = c->pass;
    LW_TRY(
        lw_comm_agree(c->grid->part, lw_alloc(cells(c), sizeof *c->z_adj, "derivatives of the read-out", &c->z_adj)));
    lw_tape_destroy(&p->tape);
    return lw_tape_create_second(p->sim, p->n_steps, c->theta, &p->tape);
}

/* the pass divides by what counts in its batch, the mean here is over all samples */
void hessian_note(curvature *c) {
    const double *from = c->pass->loss->z_adj, part = fmax(c->pass->counted, 1) / fmax(c->counted, 1);
    for (size_t i = 0; i < cells(c); i++)
        c->z_adj[i] = part * from[i];
}

/* d loss / d out from z_adj, whichever is in the loss' array just now */
static bool seed_from(curvature *c, double *z_adj, int pop, int64_t t, void *out_adj) {
    loss_work *w = c->pass->loss;
    void *own = w->z_adj;
    if (pop != w->spec.pop) return false;
    w->z_adj = z_adj;
    bool added = loss_seed(w, t, out_adj);
    w->z_adj = own;
    return added;
}

static bool seed(void *payload, int pop, int64_t t, void *out_adj) {
    curvature *c = payload;
    return seed_from(c, c->z_adj, pop, t, out_adj);
}

static bool seed_tan(void *payload, int pop, int64_t t, void *out_adj_tan) {
    curvature *c = payload;
    return seed_from(c, c->pass->loss->z_adj, pop, t, out_adj_tan);
}

/* z_adj of the loss <- tangent of the derivative at the read-out */
static lw_err turn(void *payload) {
    curvature *c = payload;
    loss_work *w = c->pass->loss;
    lw_comm_sum_f64(c->grid->part, c->z_tan, w->n_rows * w->n_units * w->width);
    curvature_of_loss(w, c->pass->batch, 1 / fmax(c->counted, 1), c->z_tan);
    return LW_OK;
}

lw_err hessian_product(curvature *c, const double *direction, double *out) {
    const loss_work *w = c->pass->loss;
    lw_tape_twice twice = {.payload = c, .sink = curvature_read, .turn = turn, .seed = seed, .seed_tan = seed_tan};
    memset(c->z_tan, 0, (size_t)(w->n_rows * w->n_units * w->width) * sizeof *c->z_tan);
    return lw_tape_hessian(c->pass->tape, direction, &twice, out);
}

lw_err hessian_gradient(curvature *c, double *out) {
    lw_tape_seed back = {.payload = c, .seed = seed};
    return lw_tape_backward(c->pass->tape, &back, out, NULL);
}
