#!/usr/bin/env python3
# Series in tables to windows: prepare.py wind wind_ireland.csv.gz OUT, or prepare.py stock TRAIN.csv.gz TEST.csv.gz OUT.
# Writes OUT/NAME_{train,test}_{x,y}.npy, float32 [windows, 220, channels] and [windows, 220, 1]: inputs, and the next value of the predicted series, both
# normalised with moments of the training part. The first 20 steps of a window only warm up; each later step of the test part is in exactly one window.
# Prints the floors (persistence and autoregression fitted on the training part) on the same targets, in the same units as the program's rmse.
import csv, gzip, sys
import numpy as np

WINDOW, WARM = 220, 20

def table(path):
    with gzip.open(path, "rt") as file:
        return list(csv.DictReader(file))

def windows(x, y, first, last, stride):
    """Targets first .. last - 1 of y; the target of step t is y[t + 1]."""
    xs, ys = [], []
    for start in range(first - 1 - WARM, last - 1 - WARM, stride):
        rows = start + np.arange(WINDOW)
        counts = (rows >= start + WARM) & (rows + 1 < last)
        xs.append(x[np.clip(rows, 0, len(x) - 1)])
        ys.append(np.where(counts, y[np.clip(rows + 1, 0, len(y) - 1)], np.nan)[:, None])
    return np.array(xs, np.float32), np.array(ys, np.float32)

def rmse(error):
    return np.sqrt(np.mean(error**2))

def regression(columns, y, split, order):
    lagged = [columns[order - 1 - k : len(y) - 1 - k] for k in range(order)]
    a = np.concatenate([*lagged, np.ones((len(y) - order, 1))], 1)
    n = split - order
    w = np.linalg.lstsq(a[:n], y[order:split], rcond=None)[0]
    return rmse(a[n:] @ w - y[split:])

name, out = sys.argv[1], sys.argv[-1]
if name == "wind":
    rows = table(sys.argv[2])
    stations = [key for key in rows[0] if key.isupper()]
    raw = np.array([[float(row[key]) for key in stations] for row in rows])
    split = sum(int(row["year"]) < 75 for row in rows)
    x = (raw - raw[:split].mean(0)) / raw[:split].std(0)
    y = x[:, stations.index("DUB")]
    persistence = rmse(y[split:] - y[split - 1 : -1])
else:
    train, test = table(sys.argv[2]), table(sys.argv[3])
    close = np.log([float(row["Close"]) for row in train + test])
    split = len(train) - 1
    change = np.diff(close)
    y = (change - change[:split].mean()) / change[:split].std()
    x = np.stack([y, np.abs(y) - np.abs(y[:split]).mean()], 1)
    persistence = rmse(change[split:] / change[:split].std())
for part, first, last, stride in (("train", WARM + 1, split, 50), ("test", split, len(y), WINDOW - WARM)):
    xs, ys = windows(x, y, first, last, stride)
    np.save(f"{out}/{name}_{part}_x.npy", xs)
    np.save(f"{out}/{name}_{part}_y.npy", ys)
print(f"{name}: persistence {persistence:.4f}, AR(10) {regression(y[:, None], y, split, 10):.4f}, "
      f"3 steps of all channels {regression(x, y, split, 3):.4f}; divide by {y[split:].std():.4f} for the NRMSE")
