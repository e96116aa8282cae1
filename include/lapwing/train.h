/* SPDX-License-Identifier: BSD-3-Clause
 *
 * train: losses on read-outs, optimisers, the training loop over replicas x partitions, evaluation, and gradcheck.
 * Stands on sim's tape; knows no file format: data come through lw_batch_source, checkpoints are written by a callback.
 */
#ifndef LAPWING_TRAIN_H
#define LAPWING_TRAIN_H

#include <lapwing/sim.h>

/* ------------------------------------------------------------------ data */

/** A set of sequences, readable in any order on any rank. All functions are **Local** and thread-compatible. */
typedef struct lw_batch_source {
    void *payload;
    int64_t n_samples, n_steps; /* every sample is padded to n_steps */
    int32_t n_channels;         /* input values per step */
    int32_t n_classes;          /* classification: classes; 0: regression */
    int32_t n_targets;          /* regression: target values per step */
    bool label_per_step;        /* classification: a label at every step, else one per sample */
    /** Input of sample i: x[step][channel], n_steps * n_channels floats, written. */
    lw_err (*input)(void *payload, int64_t i, float *x);
    /** Labels of sample i: [n_steps] (label_per_step) or [1]; -1 counts nowhere ("unlabelled"). */
    lw_err (*label)(void *payload, int64_t i, int32_t *label);
    /** Regression targets of sample i: [n_steps][n_targets]; NaN counts nowhere. */
    lw_err (*target)(void *payload, int64_t i, float *y);
    /** Steps of sample i that are its own, 1 to n_steps: what follows is padding, which no loss and no read-out looks
     * at. NULL: all n_steps. Asked for after input(i). */
    int64_t (*length)(void *payload, int64_t i);
    void (*destroy)(void *payload);
} lw_batch_source;

/* ------------------------------------------------------------------ what to minimise */

typedef enum lw_loss_kind {
    LW_LOSS_CROSS_ENTROPY,
    LW_LOSS_MSE,
    LW_LOSS_VAN_ROSSUM /* distance of a spiking read-out's trains from the targets, which are spikes per step */
} lw_loss_kind;
typedef enum lw_readout_kind {
    LW_READOUT_PER_STEP, /* a loss at every step */
    LW_READOUT_LAST,
    LW_READOUT_MEAN,        /* mean over steps (rate or count / steps of a spiking population) */
    LW_READOUT_SUM,         /* sum over steps (spike count) */
    LW_READOUT_MAX,         /* maximum over time of each unit; gradient at its step */
    LW_READOUT_FIRST_SPIKE, /* - (time of the first spike) / tau, for a spiking population */
    LW_READOUT_VOTE         /* per step, but a sample counts once: the mean loss of its steps; found is the class that
                               won most steps, the lowest one on ties */
} lw_readout_kind;

typedef enum lw_penalty_kind {
    LW_PENALTY_RATE,            /* of each neuron, kHz over the sample */
    LW_PENALTY_POPULATION_RATE, /* mean over each population */
    LW_PENALTY_COUNT,           /* spikes of each neuron in the sample */
    LW_PENALTY_STATE            /* a state variable after the update and before a spike resets it, mean over steps */
} lw_penalty_kind;
/** weight * mean over neurons (or populations), mean over samples of (x - upper)+^power + (lower - x)+^power. */
typedef struct lw_penalty {
    lw_penalty_kind kind;
    int32_t power; /* 1 or 2 */
    double weight, lower, upper;
    const uint8_t *pop; /* [n_pop] 1: penalised; NULL: all that spike */
    const char *state;  /* name */
} lw_penalty;

typedef struct lw_loss {
    lw_loss_kind kind;
    lw_readout_kind readout;
    int32_t pop;        /* read-out population; its size = classes or targets */
    int64_t skip;       /* first steps that count neither in the loss nor in the accuracy */
    int32_t unlabelled; /* label given to unlabelled (-1) steps; -1: they are left out */
    double label_smoothing;
    int64_t every;   /* per step and vote: only the last of every so many steps counts, from skip on; 0 and 1: all */
    double tau;      /* ms: unit of first spikes' times, van Rossum's time constant */
    double silent;   /* ms: a neuron without spike counts as if it fired so long after the step behind the last one */
    bool has_target; /* mse with classes: what the read-out shall be for the label's unit and for the others; the time
                        in ms for first spikes. Else 1 and 0 */
    double target_right, target_wrong;
    const lw_penalty *penalty; /* [n_penalties] added to the loss, borrowed */
    int32_t n_penalties;
} lw_loss;

typedef enum lw_optimizer_kind {
    LW_OPTIMIZER_SGD,
    LW_OPTIMIZER_ADAM,
    LW_OPTIMIZER_ADAMW,
    LW_OPTIMIZER_RMSPROP /* beta2 is the decay of the mean square */
} lw_optimizer_kind;
/** What is learned differently: the first group whose shell pattern matches a name counts. Names: of a projection (its
 * weights), PROJECTION.delay, POPULATION.PARAMETER. */
typedef struct lw_optimizer_group {
    const char *match;
    double lr;           /* factor of the learning rate */
    double weight_decay; /* NaN: that of the optimizer */
    bool freeze;         /* nothing is learned, nor counted in the norm */
} lw_optimizer_group;
typedef enum lw_schedule_kind {
    LW_SCHEDULE_CONSTANT,
    LW_SCHEDULE_STEP,
    LW_SCHEDULE_COSINE,
    LW_SCHEDULE_EXPONENTIAL,
    LW_SCHEDULE_PLATEAU /* times gamma after every `every` epochs in which the validation loss (without validation: the
                           training loss) did not fall */
} lw_schedule_kind;
typedef struct lw_optimizer_spec {
    lw_optimizer_kind kind;
    double lr, momentum, beta1, beta2, epsilon, weight_decay; /* weight_decay: on weights only, decoupled for adamw */
    bool nesterov;
    double lr_param_scale; /* a parameter is learned as value / (this * |mean of its initial values|); see README */
    lw_schedule_kind schedule;
    double schedule_gamma;           /* step, exponential, plateau */
    int64_t schedule_every;          /* epochs, step and plateau */
    double schedule_floor;           /* cosine: final lr / lr; plateau: least lr / lr */
    double schedule_threshold;       /* plateau: fraction of the best loss by which a better one must be lower */
    int64_t warmup;                  /* epochs of linear warm-up */
    double clip_norm;                /* global gradient norm; 0: none */
    double clip_value;               /* every component of the gradient, after clip_norm; 0: none */
    bool centred;                    /* rmsprop: by the variance instead of the mean square */
    const lw_optimizer_group *group; /* [n_groups] borrowed */
    int32_t n_groups;
    double weight_l1; /* every step ends by drawing weights towards 0 by lr * this, and not past it (Duchi & Singer
                         2009, JMLR 10, eq. 19); 0: none */
} lw_optimizer_spec;
/** Adam with learning rate 1e-3, which does not change. */
static inline lw_optimizer_spec lw_optimizer_spec_default(void) {
    return (lw_optimizer_spec){.kind = LW_OPTIMIZER_ADAM,
        .lr = 1e-3,
        .beta1 = 0.9,
        .beta2 = 0.999,
        .epsilon = 1e-8,
        .lr_param_scale = 1,
        .schedule_gamma = 0.5,
        .schedule_every = 10};
}

/** How the gradient is made. forward: one tangent sweep per learned number, the same gradient as bptt, a check. eprop:
 * another gradient (lw_eprop); bptt and forward without the paths from neuron to neuron. */
typedef enum lw_gradient_method { LW_GRADIENT_BPTT, LW_GRADIENT_EPROP, LW_GRADIENT_FORWARD } lw_gradient_method;
/** Name <-> method ("bptt" ...); EUSE listing the names when unknown. */
lw_err lw_gradient_method_parse(const char *name, lw_gradient_method *method) LW_MUST_CHECK;
enum { LW_FORWARD_MAX = 4096 }; /* learned numbers of the network that forward takes */

enum { LW_TRAIN_THREADS_MAX = 1024 };
typedef struct lw_train_spec {
    lw_loss loss;
    lw_optimizer_spec optimizer;
    int32_t input_pop, input_port; /* channel c of the data is fed to neuron c of this population */
    int32_t batch;                 /* samples per step over all replicas; divisible by them */
    int64_t epochs;
    double validation; /* fraction of the training set held out (counter-based split), 0: none */
    int64_t patience;  /* epochs without better validation before stopping; 0: never */
    lw_surrogate surrogate;
    bool reset_detached;
    lw_dtype precision;
    uint64_t seed;
    /* > 0: gradients and losses are made in pieces of so many samples, whose sums are exact (lw_exact_add): weights
     * then have the same bits for any number of replicas. batch must be a multiple of lanes * replicas. 0: off */
    int32_t lanes;
    /* > 1: so many threads of each rank share the samples of training batches, each with an engine of its own. Where a
     * replica is one rank; else one thread. Batch must be a multiple of replicas * threads (and of lanes) */
    int32_t threads;
    /* the first so many steps of a sequence run without gradient: the sweep back ends there. 0: none; below the number
     * of steps. Losses and rates count them as ever (lw_loss.skip leaves them out) */
    int64_t burn_in;
    /* > 0: truncated backpropagation: gradients flow within windows of so many steps, the state is carried on; a window
     * as long as the sequence truncates nothing. stride: windows end every so many steps, 1 to window; 0: window. The
     * losses of a stride's steps pass back to the beginning of the window that ends with them */
    int64_t window, stride;
    lw_gradient_method gradient;
    /* eprop: see lw_eprop_spec; the seed is that of the training */
    lw_feedback feedback;
    double feedback_scale;
    /* adaptive: by which fraction (0 to below 1) the feedback weights come nearer to those onto the read-out with every
     * update; lw_trainer_state.updates says how many there were. Elsewhere (lw_gradient_run) there were none */
    double feedback_decay;
    /* > 0: bytes that the tapes of a process may take. Where a whole sequence does not fit, it is recorded in segments
     * and each is run twice (lw_tape_create_segments) */
    int64_t memory;
    /* the next batch is read by a thread of its own while the present one is trained on: twice the room for batches.
     * The source is called by one thread at a time, and not while epoch_end or the watch run */
    bool prefetch;
    bool mixed; /* with floats: lw_sim_options.adjoint_bf16 */
    /* the same on all ranks; measured ones make weights differ in their last bits from run to run */
    lw_crossover crossover;
    /* [n_dropout], borrowed while the trainer is created: with which probability projection k drops what a source emits
     * for all of a training sequence (lw_sim_dropout_create); validation drops nothing. NULL, 0: none */
    const double *dropout;
    int32_t n_dropout;
} lw_train_spec;
/** Adam with learning rate 1e-3, cross-entropy at every step, superspike; populations and the like remain to be set. */
static inline lw_train_spec lw_train_spec_default(void) {
    lw_train_spec s = {.loss = {.kind = LW_LOSS_CROSS_ENTROPY, .readout = LW_READOUT_PER_STEP, .unlabelled = -1},
        .optimizer = lw_optimizer_spec_default(),
        .batch = 1,
        .epochs = 1,
        .surrogate = {LW_SURROGATE_SUPERSPIKE, 10, 1},
        .reset_detached = true,
        .precision = LW_F32,
        .seed = 1,
        .crossover = lw_crossover_default()};
    return s;
}

/* ------------------------------------------------------------------ trainer */

typedef struct lw_metrics {
    int64_t epoch;         /* 1-based when finished */
    double loss, accuracy; /* training, means over the epoch (accuracy NaN for regression) */
    double rmse;           /* regression */
    double validation_loss, validation_accuracy, validation_rmse; /* NaN without validation */
    double rate_hz;                                               /* mean over spiking populations */
    double lr, grad_norm, seconds;
    double data_seconds; /* of them, until the training batches were read and lay in lanes; NaN when not known */
} lw_metrics;

typedef struct lw_trainer lw_trainer;
/** **Collective** over grid->world. The net lives on grid->part (every replica has one); it is borrowed and its weights
 * are changed. */
lw_err lw_trainer_create(const lw_grid *grid, lw_net *net, const lw_train_spec *spec, const lw_batch_source *data,
    lw_trainer **out) LW_MUST_CHECK;
void lw_trainer_destroy(lw_trainer **trainer);
/** Train until `epochs` are done (counting resumed ones), early stopping, or the watch says stop. `epoch_end` (may be
 * NULL) is called after every epoch (**Collective**), for metrics and checkpoints; improved: best validation (or
 * training) so far. watch->tick is called per batch ("train", done batches, total batches). On early stop or end, the
 * weights are the last ones; lw_trainer_best_restore gives the best. */
typedef struct lw_trainer_hook {
    void *payload;
    lw_err (*epoch_end)(void *payload, const lw_metrics *metrics, bool improved);
} lw_trainer_hook;
lw_err lw_trainer_run(lw_trainer *trainer, const lw_trainer_hook *hook, const lw_watch *watch) LW_MUST_CHECK;
/** Put back the weights of the best epoch (no-op when no epoch was run). **Collective** over grid->world. */
void lw_trainer_best_restore(lw_trainer *trainer);

/** Optimiser state for checkpoints: vectors of theta->n_local doubles (momentum / first and second moment, scales, best
 * weights last), and scalars. Borrowed, writable (resume). Each replica keeps a part of every vector: they are there in
 * full, on ranks that asked, from lw_trainer_vectors_open to lw_trainer_vectors_close (with one replica: always). */
typedef struct lw_trainer_state {
    int64_t epoch, batch_in_epoch, updates; /* position; updates counts optimiser steps */
    int64_t best_epoch, since_best;
    double best_score;
    /* running sums of the present epoch; part of bit-identical resume */
    double sum_loss, sum_correct, sum_counted, sum_sq, sum_spikes, sum_norm;
} lw_trainer_state;
const lw_theta *lw_trainer_theta(const lw_trainer *trainer);
lw_net *lw_trainer_net(const lw_trainer *trainer); /* as given to lw_trainer_create */
int lw_trainer_n_vectors(const lw_trainer *trainer);
const char *lw_trainer_vector_name(const lw_trainer *trainer, int i);
/** NULL where it is not there in full. */
double *lw_trainer_vector(lw_trainer *trainer, int i);
typedef enum lw_vectors {
    LW_VECTORS_EMPTY,
    LW_VECTORS_FIRST,
    LW_VECTORS_ALL
} lw_vectors; /* room to be filled on all
replicas; the vectors on replica 0, on all replicas */
/** **Collective** over grid->world; empty: over grid->part. */
lw_err lw_trainer_vectors_open(lw_trainer *trainer, lw_vectors which) LW_MUST_CHECK;
/** take: what is in the vectors now, the same on all replicas, is the state. **Local**. */
void lw_trainer_vectors_close(lw_trainer *trainer, bool take);
lw_trainer_state *lw_trainer_state_get(lw_trainer *trainer);
/** The history of metrics so far, [n]; for metrics.csv and checkpoints. */
const lw_metrics *lw_trainer_metrics(const lw_trainer *trainer, int64_t *n);
lw_err lw_trainer_metrics_set(lw_trainer *trainer, const lw_metrics *metrics, int64_t n) LW_MUST_CHECK;

/** What this rank sent to the others of its partition in the training batches so far, forward and back. */
typedef struct lw_traffic {
    int64_t steps; /* of the network */
    int64_t bytes, messages;
    int64_t slots;         /* of other ranks' neurons that this rank listens to: its halo */
    int64_t replica_bytes; /* gradients and new values, to other replicas; 0 where they share memory */
} lw_traffic;
lw_traffic lw_trainer_traffic(const lw_trainer *trainer);
/** What the tapes of this rank's threads hold after the first update. */
typedef struct lw_tape_use {
    int64_t bytes;
    int64_t samples, steps; /* of a batch at a time; of a sequence */
    int64_t segment;        /* steps recorded at a time: below `steps` where lw_train_spec.memory asks for it */
} lw_tape_use;
lw_tape_use lw_trainer_tape(const lw_trainer *trainer);

/* ------------------------------------------------------------------ evaluation */

typedef struct lw_evaluation {
    double loss, accuracy;    /* under the loss' protocol */
    double accuracy_labelled; /* only labelled steps/samples count (differs where unlabelled counts as a class) */
    double rmse;
    int64_t samples, counted;
    double rate_hz; /* mean rate of spiking populations */
    /* synaptic operations per sample: spikes x fan-out over recurrent synapses; input events x input fan-out; spikes x
     * read-out synapses (LNP.md 3.2) */
    double sops_recurrent, sops_input, sops_readout;
    double
        *confusion; /* [n_classes, n_classes] row = label, counts; NULL for regression; free with lw_evaluation_free */
    double seconds;
} lw_evaluation;
/** **Collective** over grid->world: replicas share the samples. */
lw_err lw_evaluate(const lw_grid *grid, lw_net *net, const lw_train_spec *spec, const lw_batch_source *data,
    const lw_watch *watch, lw_evaluation *out) LW_MUST_CHECK;
void lw_evaluation_free(lw_evaluation *e);

/* ------------------------------------------------------------------ gradcheck */

typedef struct lw_gradcheck {
    double dot_error; /* |<w, J v> - <J^T w, v>| / max(|.|, |.|), hard spikes with surrogate, double: worst over
                         directions */
    double fd_error;  /* |<g, v> - central difference| / max, smooth spikes: worst over directions */
    int32_t directions;
    int64_t steps, learnable;
} lw_gradcheck;
/** Check the gradient of this training problem: adjoint against tangent, and against central differences of the smooth
 * network's loss.
 *  **Collective** over grid->world (each replica takes its part of the batch). Uses the first `batch` samples, n_steps
 * of them. */
lw_err lw_gradcheck_run(const lw_grid *grid, lw_net *net, const lw_train_spec *spec, const lw_batch_source *data,
    int64_t n_steps, int32_t directions, lw_gradcheck *out) LW_MUST_CHECK;

/* ------------------------------------------------------------------ initial weights */

/** Factors on the weights of chosen projections, relative to what they were when this was made. **Local**. */
typedef struct lw_weight_gain lw_weight_gain;
/** wanted: [n_proj]. Changes the storage of projections: views and engines made before are stale. */
lw_err lw_weight_gain_create(lw_net *net, const uint8_t *wanted, lw_weight_gain **out) LW_MUST_CHECK;
/** The weights are 2^log2_gain times the first ones. Engines must be told (lw_sim_refresh). */
void lw_weight_gain_set(lw_weight_gain *gain, double log2_gain);
void lw_weight_gain_destroy(lw_weight_gain **gain);

/** Which gain makes a number that grows with it what it should be. measure gives the same number on all ranks. */
typedef struct lw_gain_target {
    double value, tolerance;
    int32_t trials; /* calls of measure at most */
    lw_err (*measure)(void *payload, double log2_gain, double *value);
    void *payload;
} lw_gain_target;
typedef struct lw_gain_found {
    double log2_gain, value; /* the best one tried */
    double first;            /* value at the start */
    int32_t trials;
    bool reached;
} lw_gain_found;
/** Outwards from log2_gain = start in growing steps, then bisection. As collective as measure. */
lw_err lw_gain_search(const lw_gain_target *target, double start, lw_gain_found *out) LW_MUST_CHECK;

/** Scale the weights onto populations until their mean rate on the first batch is `rate`. */
typedef struct lw_rate_target {
    double rate, tolerance; /* kHz; relative */
    int32_t iterations;     /* runs per population and round, at most */
    const int32_t *pop;     /* [n_pop]; none: all spiking populations that data reach, but the read-out */
    int32_t n_pop;
} lw_rate_target;
typedef struct lw_rate_found {
    int32_t pop;
    double log2_gain, before, rate; /* kHz */
    int32_t trials;
    bool reached;
} lw_rate_found;
/** **Collective** over grid->world; the same gains for any grid. found: [n] in the order of tuning, lw_free. */
lw_err lw_initialize_rate(const lw_grid *grid, lw_net *net, const lw_train_spec *spec, const lw_batch_source *data,
    const lw_rate_target *target, lw_rate_found **found, int *n) LW_MUST_CHECK;

/* ------------------------------------------------------------------ gradient of one batch */

/** One batch forward and back, with all that another program needs to do the same: for export and comparison. */
typedef struct lw_gradient {
    lw_theta *theta;          /* what the next two are about */
    double *value, *gradient; /* [theta->n_local]; the gradient is that of the whole batch, in all replicas */
    double loss, accuracy, rmse, counted; /* as in lw_metrics; counted: what the loss is a mean over */
    int64_t n_steps, n_samples, n_label_rows;
    int32_t n_channels, n_units;
    float *x;        /* [n_steps][n_channels][n_samples], on every rank */
    double *out;     /* [n_steps][n_units][n_samples] emitted by the read-out population, on every rank */
    int32_t *label;  /* [n_label_rows][n_samples]; NULL for regression */
    float *target;   /* [n_steps][n_units][n_samples]; NULL for classification */
    int64_t *spikes; /* [n_local of the net][n_samples] by lid; 0 where a model emits graded values */
} lw_gradient;
/** The first n_samples of the data as one batch, with the weights as they are, in the precision of `spec`.
 *  **Collective** over grid->world. */
lw_err lw_gradient_run(const lw_grid *grid, lw_net *net, const lw_train_spec *spec, const lw_batch_source *data,
    int64_t n_samples, lw_gradient *out) LW_MUST_CHECK;
void lw_gradient_free(lw_gradient *gradient);

/* ------------------------------------------------------------------ sharpness */

/** The largest eigenvalues of the curvature of the training loss, by Lanczos with full reorthogonalisation: of the
 * Gauss-Newton matrix C J^T H J C, with J the derivative of the read-out by the surrogate, H the second derivative of
 * the loss with respect to the read-out, C the scales under which parameters are learned (1 for weights); or of the
 * whole second derivative C (J^T H J + sum of dL/dz d2z) C, in which a spike counts with its surrogate's two
 * derivatives (lw_tape_hessian). In units of loss per (learned number)^2, so that gradient descent is stable for lr < 2
 * / value[0]. Penalties are no part of it. */
typedef enum lw_sharpness_matrix {
    LW_SHARPNESS_GAUSS_NEWTON,
    LW_SHARPNESS_HESSIAN /* no learned delays, no read-out first_spike */
} lw_sharpness_matrix;
typedef struct lw_sharpness_spec {
    int32_t eigenvalues; /* how many */
    int32_t steps;       /* of Lanczos, at most; one vector of theta is kept for each */
    int64_t samples;     /* the first so many, in batches of lw_train_spec.batch; 0: one batch */
    double tolerance;    /* residual / largest eigenvalue in magnitude that is good enough */
    uint64_t seed;
    lw_sharpness_matrix matrix;
} lw_sharpness_spec;
static inline lw_sharpness_spec lw_sharpness_spec_default(void) {
    return (lw_sharpness_spec){.eigenvalues = 5, .steps = 60, .tolerance = 1e-6, .seed = 1};
}
typedef struct lw_sharpness {
    int32_t n, steps; /* eigenvalues found: fewer than asked when the matrix has fewer that are not 0; products made */
    bool converged;
    double *value, *residual; /* [n] descending; |G x - value x|: an eigenvalue lies this close */
    double loss;              /* mean over the samples, without penalties */
    int64_t samples, learnable;
} lw_sharpness;
/** In double precision, with the weights as they are. **Collective** over grid->world: replicas share the samples. */
lw_err lw_sharpness_run(const lw_grid *grid, lw_net *net, const lw_train_spec *train, const lw_batch_source *data,
    const lw_sharpness_spec *spec, lw_sharpness *out) LW_MUST_CHECK;
void lw_sharpness_free(lw_sharpness *sharpness);

#endif
