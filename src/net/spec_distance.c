/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Checks of what relates neurons by more than their numbers: distances, undirected pairs, mirrored projections,
 * clusters. The rest is in spec.c.
 */
#include <math.h>
#include "net_private.h"

static const char *profile_name(lw_profile_kind kind) {
    static const char *const name[] = {[LW_PROFILE_NONE] = "none",
        [LW_PROFILE_CONSTANT] = "constant",
        [LW_PROFILE_LINEAR] = "linear",
        [LW_PROFILE_GAUSSIAN] = "gaussian",
        [LW_PROFILE_EXPONENTIAL] = "exponential"};
    return name[kind];
}

static lw_err profile_check(const lw_profile *f) {
    LW_CHECK(
        f->kind >= LW_PROFILE_NONE && f->kind <= LW_PROFILE_EXPONENTIAL, LW_EUSE, "unknown profile %d", (int)f->kind);
    bool scaled = f->kind == LW_PROFILE_GAUSSIAN || f->kind == LW_PROFILE_EXPONENTIAL;
    LW_CHECK(
        isfinite(f->at0), LW_EUSE, "%s of %g at distance 0; allowed: finite numbers", profile_name(f->kind), f->at0);
    LW_CHECK(!scaled || (isfinite(f->length) && f->length > 0), LW_EUSE, "%s with a length of %g mm; allowed: above 0",
        profile_name(f->kind), f->length);
    LW_CHECK(f->kind != LW_PROFILE_LINEAR || isfinite(f->slope), LW_EUSE,
        "linear with a slope of %g per mm; allowed: finite numbers", f->slope);
    return LW_OK;
}

/* Both ends must lie in one space, and agree on where it wraps. */
static lw_err space_check(const lw_population_spec *pre, const lw_population_spec *post) {
    const lw_layout *a = &pre->layout, *b = &post->layout;
    LW_CHECK(
        a->kind != LW_LAYOUT_NONE, LW_EUSE, "distances are wanted and population \"%s\" has no positions", pre->name);
    LW_CHECK(
        b->kind != LW_LAYOUT_NONE, LW_EUSE, "distances are wanted and population \"%s\" has no positions", post->name);
    LW_CHECK(a->n_dim == b->n_dim, LW_EUSE, "positions of \"%s\" have %d dimensions, those of \"%s\" %d", pre->name,
        (int)a->n_dim, post->name, (int)b->n_dim);
    LW_CHECK(a->periodic == b->periodic, LW_EUSE, "\"%s\" is %speriodic and \"%s\" is %s", pre->name,
        a->periodic ? "" : "not ", post->name, b->periodic ? "periodic" : "not");
    for (int32_t d = 0; d < a->n_dim && a->periodic; d++)
        LW_CHECK(a->extent[d] == b->extent[d] && a->centre[d] == b->centre[d], LW_EUSE,
            "periodic layers of \"%s\" and \"%s\" differ in extent or centre (%g and %g mm wide, around %g and %g mm)",
            pre->name, post->name, a->extent[d], b->extent[d], a->centre[d], b->centre[d]);
    return LW_OK;
}

static lw_err chance_check(const lw_projection_spec *proj) {
    const lw_profile *f = &proj->p_of;
    bool indegree = proj->rule == LW_RULE_FIXED_INDEGREE;
    LW_CHECK(indegree || (proj->rule == LW_RULE_PAIRWISE_BERNOULLI && !proj->symmetric && !proj->mirror), LW_EUSE,
        "a probability by distance; allowed for fixed_indegree and for pairwise_bernoulli that is neither symmetric "
        "nor a mirror");
    LW_TRY(profile_check(f));
    LW_CHECK(f->at0 >= 0 && f->at0 <= 1, LW_EUSE, "probability %g at distance 0; allowed: 0 to 1", f->at0);
    LW_CHECK(proj->radius >= 0 && isfinite(proj->radius), LW_EUSE, "radius %g mm; allowed: 0 or more", proj->radius);
    LW_CHECK(f->kind != LW_PROFILE_LINEAR || f->slope <= 0 || proj->radius > 0, LW_EUSE,
        "a probability that rises with distance needs a radius");
    return LW_OK;
}

static lw_err pairs_check(const lw_net_spec *spec, int32_t i) {
    const lw_projection_spec *proj = &spec->proj[i];
    bool able = proj->rule == LW_RULE_PAIRWISE_BERNOULLI || proj->rule == LW_RULE_ONE_TO_ONE ||
                proj->rule == LW_RULE_ALL_TO_ALL;
    if (!proj->symmetric && !proj->mirror) return LW_OK;
    LW_CHECK(able, LW_EUSE, "symmetric; allowed for pairwise_bernoulli, one_to_one and all_to_all");
    LW_CHECK(!proj->symmetric || (proj->pre == proj->post && !proj->mirror), LW_EUSE,
        "symmetric from \"%s\" to \"%s\"; allowed: within one population, else a mirror", spec->pop[proj->pre].name,
        spec->pop[proj->post].name);
    if (!proj->mirror) return LW_OK;
    LW_CHECK(proj->mirror >= 1 && proj->mirror <= i, LW_EUSE, "the mirror of projection %d; allowed: an earlier one",
        (int)proj->mirror - 1);
    const lw_projection_spec *other = &spec->proj[proj->mirror - 1];
    LW_CHECK(other->pre == proj->post && other->post == proj->pre && proj->pre != proj->post && !other->mirror &&
                 other->rule == proj->rule && other->p == proj->p,
        LW_EUSE, "the mirror of projection %d differs from it; allowed: the same rule from post to pre",
        (int)proj->mirror - 1);
    return LW_OK;
}

lw_err net_spec_clustered_check(const lw_projection_spec *proj, int64_t n_pre, int64_t n_post) {
    int64_t most = n_pre < n_post ? n_pre : n_post;
    LW_CHECK(proj->n >= 1 && proj->n <= most, LW_EUSE, "%lld clusters of %lld and %lld neurons; allowed: 1 to %lld",
        (long long)proj->n, (long long)n_pre, (long long)n_post, (long long)most);
    LW_CHECK(proj->p >= 0 && proj->p <= 1 && proj->p_out >= 0 && proj->p_out <= 1, LW_EUSE,
        "clustered with probabilities %g within and %g outside; allowed: 0 to 1", proj->p, proj->p_out);
    LW_CHECK(isfinite(proj->weight_in), LW_EUSE, "clustered with weights times %g; allowed: finite numbers",
        proj->weight_in);
    return LW_OK;
}

lw_err net_spec_distance_check(const lw_net_spec *spec, int32_t i) {
    const lw_projection_spec *proj = &spec->proj[i];
    LW_TRY(pairs_check(spec, i));
    bool chance = proj->p_of.kind != LW_PROFILE_NONE, weight = proj->weight_of.kind != LW_PROFILE_NONE,
         delay = proj->delay_of.kind != LW_PROFILE_NONE;
    if (!chance && !weight && !delay) return LW_OK;
    LW_CHECK(proj->rule != LW_RULE_EDGES, LW_EUSE, "given edges have weights and delays of their own, not by distance");
    LW_TRY(space_check(&spec->pop[proj->pre], &spec->pop[proj->post]));
    if (chance) LW_TRY(chance_check(proj));
    LW_TRY(profile_check(&proj->weight_of));
    LW_TRY(profile_check(&proj->delay_of));
    const lw_profile *f = &proj->delay_of;
    LW_CHECK(!delay || (f->at0 >= 0 && f->at0 <= NET_DELAY_MOST * spec->dt), LW_EUSE,
        "delay %g ms at distance 0; allowed: 0 to %g ms", f->at0, NET_DELAY_MOST * spec->dt);
    LW_CHECK(f->kind != LW_PROFILE_LINEAR || f->slope >= 0, LW_EUSE,
        "a delay that falls by %g ms per mm; allowed: 0 or more", -f->slope);
    return LW_OK;
}
