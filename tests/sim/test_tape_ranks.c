/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Gradients of a tape do not depend on ranks, lanes add, float is close to double, and the memory is as predicted.
 */
#include "sweep_loss.h"

/* The gradient of one weight or parameter of the same network on one rank. */
static double whole_value(
    const bench *whole, const double *grad, const lw_theta_block *block, int64_t gid, const lw_edge *edge) {
    for (int i = 0; i < whole->theta->n_blocks; i++) {
        const lw_theta_block *other = &whole->theta->block[i];
        if (other->is_weight != block->is_weight || other->is_delay != block->is_delay) continue;
        if (block->pop >= 0) {
            if (other->pop == block->pop && other->param == block->param)
                return grad[other->offset + gid - lw_net_pop(whole->net, block->pop).gid_begin];
            continue;
        }
        if (other->proj != block->proj) continue;
        lw_edge *all;
        int64_t *number, n;
        double value = NAN;
        CHECK_OK(lw_net_edges(whole->net, block->proj, &all, &number, &n));
        for (int64_t j = 0; j < n; j++)
            if (all[j].target == edge->target && all[j].source == edge->source && all[j].order == edge->order)
                value = grad[other->offset + number[j]];
        lw_free(all);
        lw_free(number);
        return value;
    }
    return NAN;
}

TEST(gradient_on_any_ranks) {
    stage s = stage_open();
    for (int kind = BENCH_RECURRENT; kind <= BENCH_LAG; kind++) {
        lw_sim_options o = bench_options(&s.drive, 2);
        bench part = bench_create(s.world, (bench_kind)kind, &s.drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
        bench whole = bench_create(s.self, (bench_kind)kind, &s.drive, &o, LW_PARTITION_BLOCK, 0);
        lw_tape *part_tape = record(&part, STEPS), *whole_tape = record(&whole, STEPS);
        double *part_grad = gradient(part_tape, &part, 0, NULL), *whole_grad = gradient(whole_tape, &whole, 0, NULL);
        for (int i = 0; i < part.theta->n_blocks; i++) {
            const lw_theta_block *block = &part.theta->block[i];
            const lw_theta_block *same = &whole.theta->block[i];
            double scale = norm(same->count, whole_grad + same->offset);
            CHECK(scale > 0 || !block->is_weight);
            lw_edge *edge = NULL;
            int64_t *number = NULL, n = block->count;
            if (block->pop < 0) CHECK_OK(lw_net_edges(part.net, block->proj, &edge, &number, &n));
            CHECK_INT(n, block->count);
            for (int64_t j = 0; j < n; j++) {
                int64_t gid = block->pop < 0 ? 0 : lw_net_pop(part.net, block->pop).gid[j];
                double found = part_grad[block->offset + (number ? number[j] : j)];
                CHECK_CLOSE(found, whole_value(&whole, whole_grad, block, gid, edge ? &edge[j] : NULL), 1e-10 * scale);
            }
            lw_free(edge);
            lw_free(number);
        }
        free(part_grad), free(whole_grad);
        lw_tape_destroy(&part_tape), lw_tape_destroy(&whole_tape);
        bench_destroy(&part), bench_destroy(&whole);
    }
    stage_close(&s);
}

TEST(lanes_add) {
    stage s = stage_open();
    for (int kind = BENCH_RECURRENT; kind <= BENCH_LAG; kind++) {
        lw_sim_options o = bench_options(&s.drive, 4);
        bench wide = bench_create(s.world, (bench_kind)kind, &s.drive, &o, LW_PARTITION_BLOCK, 0);
        lw_tape *tape = record(&wide, STEPS);
        double *grad = gradient(tape, &wide, 0, NULL);
        int64_t n = wide.theta->n_local;
        double *sum = calloc((size_t)n + 1, sizeof *sum), size = norm(n, grad);
        o.width = 1;
        for (int lane = 0; lane < 4; lane++) {
            bench one = bench_create(s.world, (bench_kind)kind, &s.drive, &o, LW_PARTITION_BLOCK, lane);
            lw_tape *one_tape = record(&one, STEPS);
            double *one_grad = gradient(one_tape, &one, lane, NULL);
            for (int64_t i = 0; i < n; i++)
                sum[i] += one_grad[i];
            free(one_grad);
            lw_tape_destroy(&one_tape);
            bench_destroy(&one);
        }
        for (int64_t i = 0; i < n; i++)
            CHECK_CLOSE(sum[i], grad[i], 1e-12 * size);
        free(sum), free(grad);
        lw_tape_destroy(&tape);
        bench_destroy(&wide);
    }
    stage_close(&s);
}

TEST(float_is_close_to_double) {
    stage s = stage_open();
    for (int kind = BENCH_RECURRENT; kind <= BENCH_LAG; kind++) {
        double *grad[2], size[2], worst = 0;
        int64_t n = 0;
        for (int f = 0; f < 2; f++) {
            lw_sim_options o = bench_options(&s.drive, 2);
            o.precision = f ? LW_F32 : LW_F64;
            bench b = bench_create(s.world, (bench_kind)kind, &s.drive, &o, LW_PARTITION_BLOCK, 0);
            lw_tape *tape = record(&b, STEPS);
            grad[f] = gradient(tape, &b, 0, NULL);
            n = b.theta->n_local;
            size[f] = norm(n, grad[f]);
            lw_tape_destroy(&tape);
            bench_destroy(&b);
        }
        for (int64_t i = 0; i < n; i++)
            worst = fmax(worst, fabs(grad[0][i] - grad[1][i]));
        CHECK(worst <= 1e-4 * size[0]);
        CHECK(n == 0 || worst > 0);
        free(grad[0]), free(grad[1]);
    }
    stage_close(&s);
}

TEST(memory_is_predicted) {
    stage s = stage_open();
    lw_sim_options o = bench_options(&s.drive, 8);
    bench b = bench_create(s.world, BENCH_SLOW, &s.drive, &o, LW_PARTITION_BLOCK, 0);
    int64_t predicted = lw_tape_bytes(b.sim, 4000, b.theta), before = lw_mem_now();
    lw_tape *tape = NULL;
    CHECK_OK(lw_tape_create(b.sim, 4000, b.theta, &tape));
    CHECK_OK(lw_tape_forward(tape, 30));
    double *grad = gradient(tape, &b, 0, NULL);
    CHECK_REL((double)predicted, (double)(lw_mem_now() - before), 0.05);
    CHECK_OK(lw_tape_tangent(tape, NULL, NULL, NULL));
    int64_t now = 0;
    for (int again = 0; again < 2; again++) { /* nothing is allocated once buffers of messages have their size */
        if (again) now = lw_mem_now();
        CHECK_OK(lw_tape_forward(tape, 2000));
        CHECK_OK(lw_tape_backward(tape, NULL, grad, NULL));
        CHECK_OK(lw_tape_tangent(tape, NULL, NULL, NULL));
    }
    CHECK_INT(lw_mem_now(), now);
    CHECK_FAILS(lw_tape_forward(tape, 4001), LW_EUSE, "room for 4000");
    /* in segments: a new engine, whose history is as short as they are */
    bench c = bench_create(s.world, BENCH_SLOW, &s.drive, &o, LW_PARTITION_BLOCK, 0);
    lw_tape *cut = NULL;
    double *cut_grad = NULL;
    predicted = lw_tape_bytes_segments(c.sim, 4000, 250, NULL, c.theta);
    before = lw_mem_now();
    CHECK_OK(lw_tape_create_segments(c.sim, 4000, 250, NULL, c.theta, &cut));
    CHECK_OK(lw_tape_forward(cut, 4000));
    cut_grad = gradient(cut, &c, 0, NULL);
    CHECK_REL((double)predicted, (double)(lw_mem_now() - before), 0.1);
    CHECK(3 * predicted < lw_tape_bytes(c.sim, 4000, c.theta));
    CHECK_FAILS(lw_tape_tangent(cut, NULL, NULL, NULL), LW_EUSE, "");
    lw_err_clear();
    free(cut_grad);
    lw_tape_destroy(&cut);
    bench_destroy(&c);
    CHECK_OK(lw_sim_advance(b.sim, 1, NULL));
    CHECK_FAILS(lw_tape_backward(tape, NULL, grad, NULL), LW_EUSE, "must follow its recording");
    free(grad);
    lw_tape_destroy(&tape);
    bench_destroy(&b);
    stage_close(&s);
}

CHECK_MAIN(CASE(gradient_on_any_ranks), CASE(lanes_add), CASE(float_is_close_to_double), CASE(memory_is_predicted))
