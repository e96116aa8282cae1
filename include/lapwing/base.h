/* SPDX-License-Identifier: BSD-3-Clause
 *
 * base: errors, log, memory, time and counter-based random numbers. Knows no MPI and no neurons.
 * All functions are local. Thread safety: one error record per thread; the log level is process wide.
 */
#ifndef LAPWING_BASE_H
#define LAPWING_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ------------------------------------------------------------------ errors */

/** Every error of the program: name, exit status of the command, text. Zero is success. */
#define LW_ERRORS(X)                                                                                                   \
    X(OK, 0, "success")                                                                                                \
    X(EUSE, 2, "wrong use or wrong input") /* command line, experiment file, value out of its domain */                \
    X(EMODEL, 2, "wrong model text")       /* lexical, syntactic, unit or domain error in a model file */              \
    X(EFILE, 2, "file missing or damaged") /* cannot be opened, wrong format, checksum differs */                      \
    X(EMEM, 1, "out of memory")                                                                                        \
    X(EIO, 1, "input or output failed") /* disk full, write error */                                                   \
    X(ECOMPILE, 1, "the C compiler failed")                                                                            \
    X(ENUM, 1, "numerical failure")   /* not finite, singular, no convergence */                                       \
    X(ESTOP, 3, "stopped on request") /* a signal asked for it; a checkpoint was written */                            \
    X(ESTALL, 4, "no progress")

typedef enum lw_err {
#define X(name, status, text) LW_##name,
    LW_ERRORS(X)
#undef X
} lw_err;

#define LW_MUST_CHECK __attribute__((warn_unused_result))

/** Name ("EUSE"), text and exit status of an error. */
const char *lw_err_name(lw_err err);
const char *lw_err_text(lw_err err);
int lw_err_status(lw_err err);

/** Record a message for `err` in this thread and return `err`. The first (deepest) message wins until lw_err_clear. */
lw_err lw_err_set(lw_err err, const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/** Put "context: " before the recorded message (used by callers that add "while doing ..."). */
void lw_err_context(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/** The recorded message of this thread ("" when none); borrowed until the next lw_err_* call. */
const char *lw_err_message(void);
void lw_err_clear(void);

#define LW_FAIL(code, ...) lw_err_set((code), __FILE__, __LINE__, __VA_ARGS__)
#define LW_CHECK(cond, code, ...)                                                                                      \
    do {                                                                                                               \
        if (!(cond)) return LW_FAIL((code), __VA_ARGS__);                                                              \
    } while (0)
#define LW_TRY(call)                                                                                                   \
    do {                                                                                                               \
        lw_err lw_try_err_ = (call);                                                                                   \
        if (lw_try_err_ != LW_OK) return lw_try_err_;                                                                  \
    } while (0)
/** Needs a variable `lw_err err` in scope; jumps to `label` with err set. */
#define LW_TRY_TO(call, label)                                                                                         \
    do {                                                                                                               \
        err = (call);                                                                                                  \
        if (err != LW_OK) goto label;                                                                                  \
    } while (0)
/** Our own mistake: prints rank, file, line and ends the whole job through the abort hook. Never compiled away. */
#define LW_ASSERT(cond)                                                                                                \
    do {                                                                                                               \
        if (!(cond)) lw_assert_fail(#cond, __FILE__, __LINE__);                                                        \
    } while (0)
_Noreturn void lw_assert_fail(const char *what, const char *file, int line);
/** Called by lw_assert_fail after printing; comm installs one that calls MPI_Abort. */
void lw_abort_hook_set(void (*hook)(int status));

/* ------------------------------------------------------------------ log */

typedef enum lw_log_level { LW_LOG_ERROR, LW_LOG_WARN, LW_LOG_INFO, LW_LOG_DEBUG } lw_log_level;

/** Messages above `level` are dropped. `rank` prefixes debug lines; ranks other than 0 print errors and debug only. */
void lw_log_setup(lw_log_level level, int rank);
/** Only the rank; the level stays. */
void lw_log_rank_set(int rank);
/** One line to standard error. INFO and WARN are printed on rank 0 only. */
void lw_log(lw_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ------------------------------------------------------------------ memory */

/** Zeroed memory, 64-byte aligned; blocks of 4 MiB and more ask the kernel for 2 MiB pages (madvise).
 *  `count` * `size` is checked for overflow. On failure *out is NULL and the message names `what` and the bytes.
 *  count 0 gives a valid pointer. Free with lw_free (accepts NULL). */
lw_err lw_alloc(size_t count, size_t size, const char *what, void *out_pointer_to_pointer) LW_MUST_CHECK;
/** Grow to `count` elements, contents kept, new part zeroed. *p may be NULL. Error: *p is unchanged. */
lw_err lw_grow(void *pointer_to_pointer, size_t old_count, size_t count, size_t size, const char *what) LW_MUST_CHECK;
void lw_free(void *p);
/** Bytes now held by lw_alloc, and the largest value so far, of this process. */
int64_t lw_mem_now(void);
int64_t lw_mem_peak(void);
/** Memory that did not come from lw_alloc (windows that processes share) counts too; negative when it goes. */
void lw_mem_count(int64_t bytes);
/** The peak counts from now on. */
void lw_mem_peak_reset(void);
/** Peak resident set of this process in bytes (getrusage). */
int64_t lw_mem_peak_rss(void);
/** Copy of a string from lw_alloc; NULL when there is no memory. */
char *lw_strdup(const char *s);

/* ------------------------------------------------------------------ time */

/** Seconds of a monotonic clock. */
double lw_time_now(void);

/* ------------------------------------------------------------------ long work */

/** Called by every long loop at its safe points, on all ranks at the same step (Collective). The callee may print
 * progress, write a checkpoint, feed a watchdog. A return other than LW_OK ends the loop in an orderly way; LW_ESTOP
 * means a signal asked for it and every rank returns it. */
typedef struct lw_watch {
    void *payload;
    lw_err (*tick)(void *payload, const char *what, int64_t done, int64_t total);
} lw_watch;

/* ------------------------------------------------------------------ numbers */

typedef enum lw_dtype { LW_F32, LW_F64 } lw_dtype;
static inline size_t lw_dtype_size(lw_dtype t) {
    return t == LW_F32 ? 4 : 8;
}

/* ------------------------------------------------------------------ random numbers
 * Counter-based: Philox4x32-10 of Random123 (Salmon et al. 2011, doi:10.1145/2063384.2063405). Every number is a pure
 * function of (seed, purpose, a, b, draw); no state anywhere, so nothing depends on ranks or order. */

typedef enum lw_purpose {
    LW_PURPOSE_INIT = 1, /* initial state:      a = gid, b = state index */
    LW_PURPOSE_PARAM,    /* parameters:         a = gid, b = parameter index */
    LW_PURPOSE_CONNECT,  /* who connects:       a = gid of the drawing side, b = projection */
    LW_PURPOSE_WEIGHT,   /* weights:            a = (target gid << 32) ^ source gid, b = projection | multapse << 32 */
    LW_PURPOSE_DELAY,    /* delays:             as weights */
    LW_PURPOSE_POISSON,  /* stimulus:           a = gid | stimulus << 48, b = step (and lane) */
    LW_PURPOSE_NOISE,    /* stimulus:           as above */
    LW_PURPOSE_SHUFFLE,  /* data order:         a = epoch, b = 0 */
    LW_PURPOSE_SPLIT,    /* validation split */
    LW_PURPOSE_BASIS,    /* tangent basis:      a = row, b = column */
    LW_PURPOSE_PRUNE,    /* edge sampling:      a = (target gid << 32) ^ source gid, b = iteration */
    LW_PURPOSE_DATA,     /* generated data */
    LW_PURPOSE_ENCODE,   /* rate encoders */
    LW_PURPOSE_CHECK,    /* directions of gradcheck, tests */
    LW_PURPOSE_COUNT,    /* synapses by target: a = node of the tree over targets (root 1), b = projection */
    LW_PURPOSE_POSITION, /* where neurons are:  a = index in the population first built, b = population */
    LW_PURPOSE_ABSENT,   /* spikes of ranks that are not there: a = first step of the exchange; samples of a plan */
    LW_PURPOSE_FEEDBACK, /* of e-prop:          a = gid, b = unit of the read-out */
    LW_PURPOSE_DROPOUT   /* what is dropped:    a = source gid | projection << 40, b = 1 + sample | epoch << 40 */
} lw_purpose;

/** 128 random bits. `draw` numbers successive draws of one (purpose, a, b). */
void lw_rng_bits(uint64_t seed, lw_purpose purpose, uint64_t a, uint64_t b, uint32_t draw, uint32_t out[4]);
/** Uniform double strictly inside (0, 1), an odd multiple of 2^-53. */
double lw_rng_uniform(uint64_t seed, lw_purpose purpose, uint64_t a, uint64_t b, uint32_t draw);
/** Standard normal (Box-Muller). */
double lw_rng_normal(uint64_t seed, lw_purpose purpose, uint64_t a, uint64_t b, uint32_t draw);

/** A stream is a cursor over the draws of one (seed, purpose, a, b). */
typedef struct lw_stream {
    uint64_t seed, a, b;
    lw_purpose purpose;
    uint32_t draw;
    uint32_t have; /* words of `bits` left */
    uint32_t bits[4];
} lw_stream;
lw_stream lw_stream_start(uint64_t seed, lw_purpose purpose, uint64_t a, uint64_t b);
double lw_stream_uniform(lw_stream *s);
/** The next n numbers of lw_stream_uniform and their natural logarithms, faster than one by one. */
void lw_stream_uniforms(lw_stream *s, int64_t n, double *out, double *log_out);
double lw_stream_normal(lw_stream *s);
/** Gamma with shape and scale (Marsaglia & Tsang 2000), mean shape*scale. */
double lw_stream_gamma(lw_stream *s, double shape, double scale);
double lw_stream_exponential(lw_stream *s, double mean);
/** Poisson with mean 0 <= lambda <= 2^53: inversion of one uniform below 30, PTRS (Hoermann 1993) above. */
int64_t lw_stream_poisson(lw_stream *s, double lambda);
/** Successes in n <= 2^53 trials of probability p: inversion of one uniform for means below 10, BTRS (Hoermann 1993)
 * above. */
int64_t lw_stream_binomial(lw_stream *s, int64_t n, double p);
/** How many of n draws without replacement fall on the `marked` of marked + plain <= 2^53 things. */
int64_t lw_stream_hypergeometric(lw_stream *s, int64_t n, int64_t marked, int64_t plain);
/** Uniform integer in [0, n), n >= 1, without bias. */
uint64_t lw_stream_below(lw_stream *s, uint64_t n);
/** Element i of a keyed pseudo-random permutation of [0, n) (Feistel network with cycle walking); the same for every
 * caller. */
uint64_t lw_rng_permute(uint64_t seed, lw_purpose purpose, uint64_t a, uint64_t n, uint64_t i);

/* ------------------------------------------------------------------ value distributions */

typedef enum lw_dist_kind {
    LW_DIST_CONSTANT,   /* p[0] */
    LW_DIST_LIST,       /* list[index], length n_list */
    LW_DIST_UNIFORM,    /* [p[0], p[1]) */
    LW_DIST_NORMAL,     /* mean p[0], sd p[1] */
    LW_DIST_LOGNORMAL,  /* of the underlying normal: mean p[0], sd p[1] */
    LW_DIST_GAMMA,      /* shape p[0], MEAN p[1]; scale = p[1]/p[0] */
    LW_DIST_EXPONENTIAL /* mean p[0] */
} lw_dist_kind;
/** A number, a list or a distribution, in internal units, with an optional closed range to which draws are clipped. */
typedef struct lw_dist {
    lw_dist_kind kind;
    double p[2];
    double lo, hi;      /* clip; lo = -INFINITY and hi = INFINITY for none */
    bool redraw;        /* outside [lo, hi]: draw again (1000 times at most) instead of clipping */
    const double *list; /* borrowed */
    int64_t n_list;
} lw_dist;
static inline lw_dist lw_dist_number(double x) {
    lw_dist d = {.kind = LW_DIST_CONSTANT, .p = {x, 0}, .lo = -__builtin_inf(), .hi = __builtin_inf()};
    return d;
}
/** The value of element `index` (a list wants index < n_list); draws come from the given key only. */
double lw_dist_value(const lw_dist *d, int64_t index, uint64_t seed, lw_purpose purpose, uint64_t a, uint64_t b);
/** The same numbers for n elements at once, faster: out[i] is the value of element index[i] (index NULL: 0) with the
 * key (a[i], b[i]). */
void lw_dist_values(const lw_dist *d, int64_t n, const int64_t *index, uint64_t seed, lw_purpose purpose,
    const uint64_t *a, const uint64_t *b, double *out);

/* ------------------------------------------------------------------ sums without rounding (exact.c) */

/** A sum of doubles that does not depend on their order: fixed point in units of 2^-75, held in two integers (their sum
 * over processes is a sum of integers). Each number is rounded to that unit once. Numbers of 2^40 and more, infinities
 * and NaN make the sum NaN; the sum has to stay below 2^43. */
enum { LW_EXACT_WORDS = 3 };
/** sum[3 i ..] += x[i], i < n. Begin with zeros. */
void lw_exact_add(int64_t n, const double *x, int64_t *sum);
/** x[i] <- sum[3 i ..] */
void lw_exact_get(int64_t n, const int64_t *sum, double *x);

/* ------------------------------------------------------------------ vectors, transposition (turn.c) */

/** Bytes of the longest vectors that the program was built for. */
#if defined(__AVX512F__)
#define LW_VECTOR_BYTES 64
#elif defined(__AVX__)
#define LW_VECTOR_BYTES 32
#else
#define LW_VECTOR_BYTES 16
#endif
/** out[j][i] = in[i][j], i < rows, j < columns; strides are in numbers. in and out must not overlap. */
void lw_turn_f32(int64_t rows, int64_t columns, const float *in, int64_t in_stride, float *out, int64_t out_stride);
void lw_turn_f64(int64_t rows, int64_t columns, const double *in, int64_t in_stride, double *out, int64_t out_stride);

#endif
