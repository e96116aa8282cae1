/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Time series in text: the chosen columns of a csv file (comma, semicolon, tab or one number per line), cut into
 * windows whose target is the same series some steps later. Normalised with the moments of the training rows only, so
 * that nothing of the test rows leaks into training.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <lapwing/io.h>
#include "file.h"

enum { MAX_COLUMNS = 4096 };

typedef struct csv_set {
    int32_t n_columns; /* read: those of the input and, when they are others, of the target */
    int32_t n_inputs, first_target, n_targets;
    int64_t n_rows, first, last, window, stride, horizon;
    double *value; /* [n_rows, n_columns] normalised */
} csv_set;

static lw_err csv_input(void *payload, int64_t i, float *x) {
    const csv_set *set = payload;
    const double *from = set->value + (set->first + i * set->stride) * set->n_columns;
    for (int64_t t = 0; t < set->window; t++)
        for (int32_t c = 0; c < set->n_inputs; c++)
            x[t * set->n_inputs + c] = (float)from[t * set->n_columns + c];
    return LW_OK;
}

static lw_err csv_target(void *payload, int64_t i, float *y) {
    const csv_set *set = payload;
    int64_t start = set->first + i * set->stride + set->horizon;
    for (int64_t t = 0; t < set->window; t++)
        for (int32_t c = 0; c < set->n_targets; c++)
            y[t * set->n_targets + c] = start + t < set->last
                                            ? (float)set->value[(start + t) * set->n_columns + set->first_target + c]
                                            : (float)NAN;
    return LW_OK;
}

static void csv_destroy(void *payload) {
    csv_set *set = payload;
    lw_free(set->value);
    lw_free(set);
}

/* Cut one line in place into fields; quotes and blanks around a field go. Returns the number of fields. */
static int line_split(char *line, char separator, char **field) {
    int n = 0;
    for (char *at = line; n < MAX_COLUMNS;) {
        while (*at == ' ')
            at++;
        char *start = at, *end = NULL;
        if (*at == '"') {
            start = ++at;
            while (*at && *at != '"')
                at++;
            end = at;
            while (*at && *at != separator)
                at++;
        } else {
            while (*at && *at != separator)
                at++;
            end = at;
            while (end > start && isspace((unsigned char)end[-1]))
                end--;
        }
        bool more = *at == separator;
        *end = '\0';
        field[n++] = start;
        if (!more) break;
        at++;
    }
    return n;
}

/* The first comma, semicolon or tab outside quotes. */
static char separator_find(const char *line) {
    bool quoted = false;
    for (; *line; line++) {
        if (*line == '"') quoted = !quoted;
        if (!quoted && strchr(",;\t", *line)) return *line;
    }
    return ',';
}

/* The next line that is not empty, cut off its end; NULL at the end of the text. */
static char *line_next(char **at, int64_t *number) {
    while (**at) {
        char *line = *at, *end = strchr(line, '\n');
        *at = end ? end + 1 : line + strlen(line);
        if (end) *end = '\0';
        size_t n = strlen(line);
        if (n && line[n - 1] == '\r') line[n - 1] = '\0';
        ++*number;
        if (*line) return line;
    }
    return NULL;
}

static bool number_read(const char *text, double *out) {
    char *end = NULL;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*out);
}

/* A name of the head line, or a 0-based number. -1 when neither. */
static int column_find(const char *wanted, int n, char *const *name, bool has_head) {
    for (int i = 0; has_head && i < n; i++)
        if (strcmp(wanted, name[i]) == 0) return i;
    char *end = NULL;
    long k = strtol(wanted, &end, 10);
    return end != wanted && *end == '\0' && k >= 0 && k < n ? (int)k : -1;
}

static lw_err column_unknown(const lw_series_spec *spec, const char *wanted, int n, char *const *name, bool has_head) {
    char list[512] = "";
    size_t at = 0;
    for (int i = 0; has_head && i < n && at + strlen(name[i]) + 3 < sizeof list; i++) {
        at += (size_t)(stpcpy(list + at, i ? ", " : "") - (list + at));
        at += (size_t)(stpcpy(list + at, name[i]) - (list + at));
    }
    return LW_FAIL(LW_EUSE, "%s: found column '%s', allowed are the numbers 0 to %d%s%s", spec->path, wanted, n - 1,
        has_head ? " and the names " : "", list);
}

typedef struct csv_scan {
    char *at;  /* text still to be read */
    char *row; /* a row read but not yet used, or NULL */
    int64_t line;
    char separator;
    char **field; /* [MAX_COLUMNS] */
    int *column;  /* [n_columns of the set] */
} csv_scan;

/* Name of column c of a set: the input's, then the target's. */
static const char *column_name(const lw_series_spec *spec, int32_t c) {
    return c < spec->n_columns ? spec->column[c] : spec->target[c - spec->n_columns];
}

/* Finds the columns; a first line of numbers is kept as the first row. */
static lw_err csv_head(const lw_series_spec *spec, int32_t n_columns, csv_scan *scan) {
    char *first = line_next(&scan->at, &scan->line), *copy = NULL;
    LW_CHECK(first, LW_EFILE, "%s: the file is empty", spec->path);
    scan->separator = separator_find(first);
    copy = lw_strdup(first); /* split in place, and still needed as a row when it holds numbers */
    LW_CHECK(copy, LW_EMEM, "no memory for the head line of %s", spec->path);
    int n = line_split(copy, scan->separator, scan->field);
    double number = 0;
    bool has_head = true;
    for (int i = 0; i < n; i++)
        if (number_read(scan->field[i], &number)) has_head = false;
    lw_err err = LW_OK;
    for (int32_t c = 0; c < n_columns && err == LW_OK; c++) {
        scan->column[c] = column_find(column_name(spec, c), n, scan->field, has_head);
        if (scan->column[c] < 0) err = column_unknown(spec, column_name(spec, c), n, scan->field, has_head);
    }
    lw_free(copy);
    scan->row = has_head ? NULL : first;
    return err;
}

static lw_err csv_rows(const lw_series_spec *spec, csv_scan *scan, csv_set *set) {
    int64_t room = 0;
    char *line = scan->row ? scan->row : line_next(&scan->at, &scan->line);
    for (; line; line = line_next(&scan->at, &scan->line)) {
        int n = line_split(line, scan->separator, scan->field);
        if (set->n_rows == room) {
            int64_t want = 2 * room + 1024;
            LW_TRY(lw_grow(&set->value, (size_t)(room * set->n_columns), (size_t)(want * set->n_columns),
                sizeof *set->value, spec->path));
            room = want;
        }
        for (int32_t c = 0; c < set->n_columns; c++) {
            int k = scan->column[c];
            if (k >= n || !number_read(scan->field[k], &set->value[set->n_rows * set->n_columns + c]))
                return LW_FAIL(LW_EFILE, "%s:%lld: column '%s': found '%s', expected a number", spec->path,
                    (long long)scan->line, column_name(spec, c), k >= n ? "(nothing)" : scan->field[k]);
        }
        set->n_rows++;
    }
    return LW_OK;
}

static lw_err csv_read(const lw_series_spec *spec, csv_set *set) {
    char *text = NULL;
    int64_t bytes = 0;
    csv_scan scan = {0};
    LW_TRY(lw_file_read(spec->path, &text, &bytes));
    lw_err err = LW_OK;
    scan.at = text;
    LW_TRY_TO(lw_alloc(MAX_COLUMNS, sizeof *scan.field, "csv fields", &scan.field), done);
    LW_TRY_TO(lw_alloc((size_t)set->n_columns, sizeof *scan.column, "csv columns", &scan.column), done);
    LW_TRY_TO(csv_head(spec, set->n_columns, &scan), done);
    err = csv_rows(spec, &scan, set);
done:
    lw_free(scan.field);
    lw_free(scan.column);
    lw_free(text);
    return err;
}

static lw_err csv_normalise(const lw_series_spec *spec, csv_set *set) {
    int64_t n = spec->train_rows > 0 ? spec->train_rows : set->n_rows;
    for (int32_t c = 0; c < set->n_columns; c++) {
        double mean = 0, square = 0;
        for (int64_t r = 0; r < n; r++)
            mean += set->value[r * set->n_columns + c];
        mean /= (double)n;
        for (int64_t r = 0; r < n; r++) {
            double away = set->value[r * set->n_columns + c] - mean;
            square += away * away;
        }
        double sd = sqrt(square / (double)n);
        if (!(sd > 0))
            return LW_FAIL(LW_EFILE, "%s: column '%s' is constant over its %lld training rows and cannot be normalised",
                spec->path, column_name(spec, c), (long long)n);
        for (int64_t r = 0; r < set->n_rows; r++)
            set->value[r * set->n_columns + c] = (set->value[r * set->n_columns + c] - mean) / sd;
    }
    return LW_OK;
}

static lw_err csv_windows(const lw_series_spec *spec, csv_set *set, lw_batch_source *out) {
    set->first = spec->first;
    set->last = spec->last > 0 ? spec->last : set->n_rows;
    LW_CHECK(set->first >= 0 && set->first < set->last && set->last <= set->n_rows, LW_EUSE,
        "%s: found rows %lld to %lld, the file has rows 0 to %lld", spec->path, (long long)set->first,
        (long long)set->last, (long long)set->n_rows);
    LW_CHECK(spec->train_rows <= set->n_rows, LW_EUSE, "%s: found %lld training rows, the file has %lld", spec->path,
        (long long)spec->train_rows, (long long)set->n_rows);
    set->window = spec->window > 0 ? spec->window : set->last - set->first;
    set->stride = spec->stride > 0 ? spec->stride : set->window;
    set->horizon = spec->horizon;
    LW_CHECK(set->window <= set->last - set->first, LW_EUSE,
        "%s: found windows of %lld steps, allowed are 1 to %lld (the rows)", spec->path, (long long)set->window,
        (long long)(set->last - set->first));
    out->n_samples = (set->last - set->first - set->window) / set->stride + 1;
    out->n_steps = set->window;
    out->n_channels = set->n_inputs;
    out->n_targets = set->n_targets;
    return LW_OK;
}

lw_err lw_dataset_csv(const lw_series_spec *spec, lw_batch_source *out) {
    csv_set *set = NULL;
    *out = (lw_batch_source){0};
    LW_CHECK(
        spec->n_columns >= 1, LW_EUSE, "%s: found no columns, allowed are names and numbers of columns", spec->path);
    LW_CHECK(spec->window >= 0 && spec->stride >= 0 && spec->horizon >= 0 && spec->train_rows >= 0, LW_EUSE,
        "%s: found window %lld, stride %lld, horizon %lld, train_rows %lld, allowed are 0 and more", spec->path,
        (long long)spec->window, (long long)spec->stride, (long long)spec->horizon, (long long)spec->train_rows);
    LW_TRY(lw_alloc(1, sizeof *set, "a data set", &set));
    set->n_inputs = spec->n_columns;
    set->first_target = spec->n_targets > 0 ? spec->n_columns : 0;
    set->n_targets = spec->n_targets > 0 ? spec->n_targets : spec->n_columns;
    set->n_columns = spec->n_columns + spec->n_targets;
    lw_err err = csv_read(spec, set);
    if (err == LW_OK) err = csv_windows(spec, set, out);
    if (err == LW_OK) err = csv_normalise(spec, set);
    if (err != LW_OK) {
        csv_destroy(set);
        *out = (lw_batch_source){0};
        return err;
    }
    out->payload = set;
    out->input = csv_input;
    out->target = csv_target;
    out->destroy = csv_destroy;
    return LW_OK;
}
