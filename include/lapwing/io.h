/* SPDX-License-Identifier: BSD-3-Clause
 *
 * io: files. The experiment file (YAML with a schema), data sets, checkpoints and reports in HDF5, summary.json.
 * Nothing here knows a command line. Errors name file, line or dataset, what was found and what is allowed.
 */
#ifndef LAPWING_IO_H
#define LAPWING_IO_H

#include <lapwing/lyap.h>
#include <lapwing/prune.h>
#include <lapwing/train.h>

/* ------------------------------------------------------------------ data sets (dataset_*.c): readers make an
 * lw_batch_source */

/** .npy (version 1-3, C order, little endian, int8..int64, uint8.., float32/64), whole file in memory as found. Free
 * data with lw_free. */
typedef struct lw_npy {
    int32_t n_dim;
    int64_t dim[8], count;
    char kind;     /* 'i', 'u', 'f', 'b' */
    int32_t bytes; /* per element */
    void *data;
} lw_npy;
lw_err lw_npy_read(const char *path, lw_npy *out) LW_MUST_CHECK;
/** Element i as double. */
double lw_npy_at(const lw_npy *a, int64_t i);

/** Sequences in .npy: x [samples, steps, channels], labels [samples, steps] or [samples]; label 255 or -1 = unlabelled.
 * Negative inputs are taken as 0 when `clip_negative` (QTDB ECG set: an artefact of the source marks the last step with
 * -1). Every rank reads the file (small sets). **Local**. */
lw_err lw_dataset_npy(const char *x_path, const char *label_path, int32_t n_classes, bool clip_negative,
    lw_batch_source *out) LW_MUST_CHECK;
/** Give a source of lw_dataset_npy the lengths of its samples: .npy [samples], whole numbers from 1 to its steps. */
lw_err lw_dataset_npy_lengths(const char *path, lw_batch_source *source) LW_MUST_CHECK;
/** MNIST idx, plain or gzip-compressed. encode: "rows" (28 steps of 28 channels), "pixels" (784 steps of 1), "permuted"
 * (pixels in a fixed permutation keyed by seed), "rate" (steps Bernoulli(intensity), 784 channels), "latency" (784
 * channels, one event, bright = early, over `steps`). limit 0: all. */
lw_err lw_dataset_mnist(const char *image_path, const char *label_path, const char *encode, int64_t steps,
    uint64_t seed, int64_t limit, lw_batch_source *out) LW_MUST_CHECK;
/** CIFAR-10 in its binary form (Krizhevsky 2009): records of a label and 3 x 32 x 32 bytes, files one behind the other.
 * encode: "rows" (32 steps of 96 channels: a row's red, green, blue), "pixels" (1024 steps of 3) or "image" (one step
 * of 3072), values / 255. limit 0: all. Samples are read when they are asked for. */
lw_err lw_dataset_cifar10(
    const char *const *path, int32_t n_paths, const char *encode, int64_t limit, lw_batch_source *out) LW_MUST_CHECK;
/** A csv time series: numeric columns chosen by name or 0-based number, windows of `window` steps every `stride`,
 * target = the columns `target` (none: those of the input) `horizon` steps later (NaN while unknown); normalised by
 * mean and sd of rows [0, train_rows) (all rows when 0). Rows [first, last) are used (last 0: all). */
typedef struct lw_series_spec {
    const char *path;
    const char *const *column, *const *target;
    int32_t n_columns, n_targets;
    int64_t window, stride, horizon, first, last, train_rows;
} lw_series_spec;
lw_err lw_dataset_csv(const lw_series_spec *spec, lw_batch_source *out) LW_MUST_CHECK;
/** Generated chaotic series by RK4 (fixed step), "lorenz63" (10, 28, 8/3), "rossler" (0.2, 0.2, 5.7) or "mackey_glass"
 * (one channel; 0.2, 0.1, exponent 10, delay 17; dt a multiple of 0.1): n_samples windows of n_steps sampled every dt
 * time units, horizon in samples, normalised by the long-run mean and sd; sample i starts at its own point of one long
 * orbit keyed by seed. */
lw_err lw_dataset_chaos(const char *system, int64_t n_samples, int64_t n_steps, double dt, int64_t horizon,
    uint64_t seed, lw_batch_source *out) LW_MUST_CHECK;
/** Generated points of the Yin-Yang set (Kriener, Goeltz & Petrovici 2022, doi:10.1145/3517343.3517380): class 0, 1, 2
 * = yang, yin, dots, equally likely; values (x, y, 1 - x, 1 - y) in (0, 1) and a fifth channel that says when time
 * begins. encode: "latency" (one event per channel, at step value * (steps - 1) to the nearest; the fifth at step 0) or
 * "current" (the values, and 1, at every step). A sample is a function of (seed, its number). */
lw_err lw_dataset_yin_yang(
    int64_t n_samples, const char *encode, int64_t n_steps, uint64_t seed, lw_batch_source *out) LW_MUST_CHECK;

/** Recorded events in bins of `bin` ms, `steps` of them; later events are left out. A value is 1 where a bin has
 * events, or their number when `counts`. limit 0: all. Samples are read when they are asked for. lengths: a
 * sample ends with the bin of its last event. */
typedef struct lw_events_spec {
    const char *path;
    int64_t steps, channels, pool, limit;
    double bin; /* ms */
    int32_t width, height, classes;
    bool counts, lengths;
    /* event cameras only: */
    const char *list; /* NULL: folders by class */
    int64_t copies;   /* of every recording, at least 1: sample k * n + i is copy k of recording i */
    double turn, scale,
        shift; /* copies behind the first are turned by up to so many degrees, scaled by up to a factor 1
                  +- scale and shifted by up to so many pixels, uniformly: a function of (seed, sample) */
    uint64_t seed;
} lw_events_spec;
/** The layout of the Heidelberg data sets SHD and SSC (Cramer et al. 2020, doi:10.1109/TNNLS.2020.3044364): HDF5 with
 * /spikes/times [n] (lists of seconds), /spikes/units [n] (lists of numbers below `channels`), /labels [n] (below
 * `classes`). `pool` neighbouring units share a channel. */
lw_err lw_dataset_shd(const lw_events_spec *spec, lw_batch_source *out) LW_MUST_CHECK;
/** Recordings of an event camera, a file each: in folders by class (in the order of their names, numbers by value), or
 * named by the lines "name class" of the text file `list` (with or without their ending .bin or .bs2; # begins a
 * remark). As N-MNIST has them (Orchard et al. 2015, doi:10.3389/fnins.2015.00437): 5 bytes an event, x, y, then a bit
 * of polarity and 23 of microseconds. Squares of pool x pool pixels share a channel; channel (polarity * rows + y) *
 * columns + x. */
lw_err lw_dataset_events(const lw_events_spec *spec, lw_batch_source *out) LW_MUST_CHECK;
/** Recordings of sound, RIFF wave files (PCM of 8 to 32 bits, float of 32; channels are averaged) named
 * class_anything_number.wav, or by the lines "name class" of the text file `list` (paths below `path`, with or without
 * their ending; a recording's number is then its place, from 0 on; # begins a remark), as mel energies: `bands`
 * triangular bands from low to high Hz of frames of `frame` ms every `hop` ms, their logarithm over the loudest of the
 * recording (not below 1e-5 of it); then, difference > 0, the change over so many frames. `steps` frames: the loudest
 * stretch of a longer recording, silence behind a shorter one. Only numbers first to last (without last; 0: all) are in
 * the set. lengths: a recording ends with its last frame, and moments are over recordings' own frames. */
typedef struct lw_wav_spec {
    const char *path; /* folder */
    const char *list; /* NULL: all recordings of the folder */
    int64_t first, last, steps, bands, difference;
    double frame, hop; /* ms */
    double low, high;  /* Hz */
    int32_t classes;
    bool lengths;
} lw_wav_spec;
/** Channels are normalised by mean and deviation over the recordings of `training`, or of the set itself when that is
 * NULL. Recordings are read and transformed when they are asked for. */
lw_err lw_dataset_wav(const lw_wav_spec *spec, const lw_wav_spec *training, lw_batch_source *out) LW_MUST_CHECK;
void lw_batch_source_destroy(lw_batch_source *source);

/** Put a cache around a source: the first samples that are asked for are kept as they were decoded, as many as `bytes`
 * hold, the others are read each time. The room is allocated here. On failure the source is as it was. */
lw_err lw_dataset_cache(int64_t bytes, lw_batch_source *source) LW_MUST_CHECK;
/** What a cache holds, and inputs asked for and really read so far, on this rank; zeros for a source without one. */
typedef struct lw_cache_stats {
    int64_t samples, bytes, asked, read;
} lw_cache_stats;
lw_cache_stats lw_dataset_cache_stats(const lw_batch_source *source);

/** How numbers become spikes or currents. */
typedef enum lw_code_kind {
    LW_CODE_CURRENT,   /* the numbers themselves, at every step */
    LW_CODE_RATE,      /* a spike in a step with chance `most` at value hi, 0 at lo, between them in proportion */
    LW_CODE_LATENCY,   /* one spike: hi at the first step, lo at the last; none for values of lo and less */
    LW_CODE_DELTA,     /* two channels each: a spike where the value is `threshold` above (below) where it was when it
                          spiked last; at most one a step */
    LW_CODE_POPULATION /* `fields` channels each: Gaussians of width `width` times their distance, centres lo to hi */
} lw_code_kind;
typedef struct lw_code_spec {
    lw_code_kind kind;
    int64_t steps; /* samples of one step (vectors) are shown for so many; else 0 */
    double lo, hi, most, threshold, width;
    int32_t fields;
    uint64_t seed; /* of rate: a draw is a function of (seed, sample, step, channel) */
} lw_code_spec;
/** Put a code around a source: afterwards *source gives the coded samples and owns what it was. On an error it is as it
 * was. **Local**. */
lw_err lw_dataset_code(const lw_code_spec *spec, lw_batch_source *source) LW_MUST_CHECK;

/* ------------------------------------------------------------------ checkpoints (checkpoint*.c)
 * One HDF5 file, laid out by gid, the same content for any number of ranks. src/io/README.md holds the layout and the
 * writing order. */

/** What is saved, the same on every rank. NULL parts are left out. */
typedef struct lw_checkpoint_content {
    const char *experiment;      /* text of the experiment file, with overrides applied or listed */
    const char *experiment_name; /* its file name, for messages */
    const char *const *override;
    int32_t n_overrides;
    const char *stage;   /* command that was running: "simulate", "train", "prune" ..., and */
    int32_t stage_index; /* its place in the experiment's stages: work to resume */
    bool stage_done;     /* that stage was finished */
    int64_t step;        /* names the file: checkpoint-<step>.h5 */
    const char *results; /* JSON text: results of finished stages */
    const char *command; /* command line, provenance */
    const lw_net *net;
    lw_sim *sim; /* its state; width 1. Plastic weights are settled, which changes no result */
    lw_trainer *trainer;
} lw_checkpoint_content;
/** **Collective** over grid->world; replica 0 writes. Temporary name, block checksums (CRC-32C), flush, close, fsync,
 * rename, link checkpoint.h5, directory fsync; the newest `keep` files stay. On any failure the older files stay whole.
 * seconds (may be NULL): time taken. */
lw_err lw_checkpoint_write(const lw_grid *grid, const char *dir, const lw_checkpoint_content *content, int keep,
    double *seconds) LW_MUST_CHECK;

typedef struct lw_checkpoint lw_checkpoint;
/** Open and verify (completeness mark, shapes, all checksums). path: a file, or a directory (its newest whole
 * checkpoint). A damaged file is named in a warning and the newest older whole one next to it is used; EFILE when there
 * is none. **Collective** over comm. Any number of ranks. */
lw_err lw_checkpoint_open(const lw_comm *comm, const char *path, lw_checkpoint **out) LW_MUST_CHECK;
void lw_checkpoint_close(lw_checkpoint **checkpoint);
/** Strings and numbers as saved; borrowed; trainer/sim tell whether such state is there. */
typedef struct lw_checkpoint_info {
    const char *path, *experiment, *experiment_name, *stage, *results;
    const char *const *override;
    int32_t n_overrides, stage_index;
    bool stage_done, has_net, has_sim, has_trainer;
    int64_t step;
} lw_checkpoint_info;
lw_checkpoint_info lw_checkpoint_info_get(const lw_checkpoint *checkpoint);
/** The network, on this communicator with this partition rule and for so many threads of each rank. Models are
 * built-ins when their text is the saved one; other texts are compiled (lw_model_load). */
lw_err lw_checkpoint_net(lw_checkpoint *checkpoint, const lw_comm *comm, lw_partition partition, int32_t threads,
    lw_net **out) LW_MUST_CHECK;
/** Put saved state into an engine or trainer made for that network. **Collective**. */
lw_err lw_checkpoint_sim(lw_checkpoint *checkpoint, lw_sim *sim) LW_MUST_CHECK;
lw_err lw_checkpoint_trainer(lw_checkpoint *checkpoint, lw_trainer *trainer) LW_MUST_CHECK;
/** Human description (json false) or a JSON object of any Lapwing HDF5 file, and whether it is whole: EFILE with
 *  *out set when it is not. Caller frees *out. Serial, rank 0. */
lw_err lw_inspect(const char *path, bool json, char **out) LW_MUST_CHECK;

/** CRC-32C (Castagnoli), SSE4.2 where available, else tables. crc starts at 0. */
uint32_t lw_crc32c(uint32_t crc, const void *data, size_t bytes);

/* ------------------------------------------------------------------ reports */

/** SONATA spike file (/spikes/<population>: timestamps ms, node_ids), written in parallel during the run, bounded
 * memory. A spike of step t is stamped (t + 1) dt, the end of the step. Appends are **Collective**. At close the file
 * is sorted by time within what a single append holds (appends come in time order), attribute sorting = by_time. */
typedef struct lw_spike_file lw_spike_file;
lw_err lw_spike_file_create(
    const lw_comm *comm, const char *path, const lw_net *net, lw_spike_file **out) LW_MUST_CHECK;
lw_err lw_spike_file_append(
    lw_spike_file *file, const lw_spike *spikes, int64_t n) LW_MUST_CHECK; /* this rank's, by (step, gid) */
lw_err lw_spike_file_close(lw_spike_file **file) LW_MUST_CHECK;
/** SONATA node reports (/report/<population>, data [time, node]) of traces; one group per (population, variable),
 * further variables of a population as <population>.<variable>. Create after lw_sim_record_trace and before advancing.
 * **Collective**. */
typedef struct lw_trace_file lw_trace_file;
lw_err lw_trace_file_create(const lw_comm *comm, const char *path, lw_sim *sim, lw_trace_file **out) LW_MUST_CHECK;
lw_err lw_trace_file_append(lw_trace_file *file, lw_sim *sim) LW_MUST_CHECK; /* takes the traces from the engine */
lw_err lw_trace_file_close(lw_trace_file **file) LW_MUST_CHECK;
/** Population rates (/rates/<population>: rate in Hz and spikes, per bin), reduced over ranks. `pop`: [n_pop of the
 * net] which populations. Create after lw_sim_record_counts. **Collective**. */
typedef struct lw_rate_file lw_rate_file;
lw_err lw_rate_file_create(
    const lw_comm *comm, const char *path, lw_sim *sim, const uint8_t *pop, lw_rate_file **out) LW_MUST_CHECK;
lw_err lw_rate_file_append(lw_rate_file *file, lw_sim *sim) LW_MUST_CHECK; /* takes the counts from the engine */
lw_err lw_rate_file_close(lw_rate_file **file) LW_MUST_CHECK;
/** weights.h5: weights of plastic projections over time (src/io/README.md). A sample is written at once. All
 * **Collective** but next. */
typedef struct lw_weight_spec {
    int32_t proj;
    int64_t every; /* steps */
    lw_choice who; /* targets whose synapses are recorded */
} lw_weight_spec;
typedef struct lw_weight_file lw_weight_file;
lw_err lw_weight_file_create(const lw_comm *comm, const char *path, lw_sim *sim, int32_t n, const lw_weight_spec *spec,
    lw_weight_file **out) LW_MUST_CHECK;
/** Steps from `step` to the next sample; INT64_MAX without a file. */
int64_t lw_weight_file_next(const lw_weight_file *file, int64_t step);
/** Settle the weights and write what is due at the present step. */
lw_err lw_weight_file_sample(lw_weight_file *file) LW_MUST_CHECK;
lw_err lw_weight_file_close(lw_weight_file **file) LW_MUST_CHECK;
/** lyapunov.h5: exponents with units and errors, convergence trace, neuron profile by gid. name: group, for example
 * "dense", "pruned". **Collective**. */
lw_err lw_lyapunov_save(const lw_comm *comm, const char *path, const char *name, bool append, const lw_lyapunov *l,
    const lw_net *net) LW_MUST_CHECK;
/** gradient.h5: the network as in a checkpoint, the batch, and the gradient of what is learned in the same order of
 * synapses and neurons (src/io/README.md). net: on grid->part, as it was for lw_gradient_run. **Collective** over
 * grid->world; replica 0 writes. */
lw_err lw_gradient_save(const lw_grid *grid, const char *path, const lw_net *net, const lw_train_spec *spec,
    const lw_gradient *gradient, const char *command) LW_MUST_CHECK;
/** metrics.csv, whole file rewritten to a temporary name and renamed. **Local** (call on rank 0). */
lw_err lw_metrics_save(const char *path, const lw_metrics *metrics, int64_t n) LW_MUST_CHECK;
/** Write text to path through a temporary name, fsync and rename. **Local**. */
lw_err lw_text_save(const char *path, const char *text) LW_MUST_CHECK;
/** mkdir -p. **Local**. */
lw_err lw_directory_make(const char *path) LW_MUST_CHECK;

/* ------------------------------------------------------------------ experiments (experiment*.c)
 * The YAML file of DESIGN.md section 5, checked against tables of allowed keys; src/io/EXPERIMENT.md lists every key.
 */

typedef enum lw_stage {
    LW_STAGE_SIMULATE,
    LW_STAGE_TRAIN,
    LW_STAGE_EVALUATE,
    LW_STAGE_LYAPUNOV,
    LW_STAGE_PRUNE
} lw_stage;
const char *lw_stage_name(lw_stage stage);

/** A data set as described in the file; opened by lw_experiment_data. */
typedef struct lw_data_spec {
    bool present;
    const char *format; /* one of the table in experiment_data.c, which says what of the rest it has */
    const char *x, *labels, *encode, *length_file;
    int64_t classes, steps, limit, samples, window, stride, horizon, first, last, train_rows;
    int64_t channels, width, height, pool;
    double dt;  /* generated series, time units per sample */
    double bin; /* ms */
    int64_t copies, bands, difference;
    double frame, hop, low, high; /* ms, Hz */
    double turn, scale, shift;    /* degrees, fraction, pixels */
    bool clip_negative, counts, lengths;
    const char *const *column, *const *target;
    int32_t n_columns, n_targets;
    const lw_code_spec *code; /* one after the other */
    int32_t n_codes;
    uint64_t seed;
    int64_t cache; /* bytes; 0: none */
} lw_data_spec;

typedef struct lw_trace_spec {
    int32_t pop, state;
    int64_t every;
    lw_record_spec keep;
} lw_trace_spec;

/** Before training: scale the recurrent weights of a population until the largest Lyapunov exponent of the network,
 * driven by the experiment's inputs or else by its training samples, is `exponent`. */
typedef struct lw_exponent_target {
    int32_t pop;
    double exponent, tolerance; /* 1/ms */
    int64_t steps, transient;
    int32_t iterations; /* spectra at most */
} lw_exponent_target;
typedef struct lw_initialize {
    bool by_exponent; /* which of the two */
    lw_rate_target rate;
    lw_exponent_target exponent;
} lw_initialize;

/** Everything the file says, with names resolved. Plain data; strings and arrays belong to the experiment. */
typedef struct lw_experiment {
    const char *name, *file, *text; /* text: the file as read */
    const char *const *override;    /* as given */
    int32_t n_overrides;
    lw_net_spec net;
    double duration; /* ms */
    int64_t steps;   /* duration / dt */
    lw_dtype precision;
    const lw_stimulus_spec *stimulus;
    int32_t n_stimuli;
    const uint8_t *record_spikes;     /* [n_pop] */
    const lw_record_spec *spike_keep; /* [n_pop] */
    const lw_trace_spec *trace;
    int32_t n_traces;
    const lw_weight_spec *weights; /* recorded */
    int32_t n_weights;
    const uint8_t *record_rates; /* [n_pop] */
    int64_t rates_every;         /* steps; 0: no rates */
    bool has_statistics;
    lw_activity_spec statistics;
    lw_data_spec train_data, test_data;
    bool has_train;
    bool crossover_measured; /* instead of train.crossover, when training begins */
    lw_train_spec train;
    int32_t replicas;                /* train.replicas: 0 = all ranks */
    const lw_initialize *initialize; /* in this order, before the first epoch */
    int32_t n_initialize;
    lw_sharpness_spec sharpness;
    lw_lyapunov_spec lyapunov;
    lw_surrogate lyapunov_surrogate;
    bool lyapunov_reset_detached;
    lw_prune_spec prune;
    double prune_neurons, prune_synapses; /* as written: a fraction up to 1, or a number */
    const lw_stage *stage;
    int32_t n_stages;
    int32_t checkpoint_keep;
    bool checkpoint_at_end;  /* a finished simulation is saved */
    double checkpoint_every; /* seconds; 0: only at the end of stages and on signals */
    void *memory;            /* owned */
} lw_experiment;

/** Read and check a file; overrides are "path.to.key=value". **Collective**: rank 0 reads, all ranks get the same. */
lw_err lw_experiment_read(const lw_comm *comm, const char *path, const char *const *override, int32_t n_overrides,
    lw_experiment **out) LW_MUST_CHECK;
/** The same from text; `file` is used in messages and as the base of relative data paths. **Local**. */
lw_err lw_experiment_parse(const char *file, const char *text, const char *const *override, int32_t n_overrides,
    lw_experiment **out) LW_MUST_CHECK;
void lw_experiment_destroy(lw_experiment **experiment);
/** Open a data set. Relative paths are relative to the experiment file. **Local** (every rank). */
lw_err lw_experiment_data(
    const lw_experiment *experiment, const lw_data_spec *spec, lw_batch_source *out) LW_MUST_CHECK;

#endif
