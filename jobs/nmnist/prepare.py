#!/usr/bin/env python3
# Event files of the N-MNIST subset to arrays: prepare.py FOLDER OUT [COPIES] reads FOLDER/train1K.txt, test100.txt and their .bs2 files and writes
# OUT/{train,test}_{x,label}.npy: int8 [recordings, 32, 578], 1 where a cell of 2 x 2 pixels and one polarity had an event within 10 ms.
# The training recordings are followed by COPIES - 1 (default 10) copies turned, scaled and shifted at random; test recordings are left as they are.
# Format: 5 bytes per event: x, y, then 24 bits, big-endian: polarity and the time in us (Orchard, Jayawant, Cohen & Thakor 2015).
import sys
import numpy as np

STEPS, STEP_US, SIDE = 32, 10000, 17
rng = np.random.default_rng(1)

def events(path):
    raw = np.fromfile(path, np.uint8).reshape(-1, 5).astype(np.int64)
    return raw[:, 0], raw[:, 1], raw[:, 2] >> 7, (raw[:, 2] & 127) << 16 | raw[:, 3] << 8 | raw[:, 4]

def cells(x, y, polarity, time, turned):
    if turned:
        angle, scale, shift = rng.uniform(-0.26, 0.26), rng.uniform(0.85, 1.15), rng.uniform(-3, 3, 2)
        x, y = x - 16.5, y - 16.5
        x, y = (scale * (np.cos(angle) * x - np.sin(angle) * y) + 16.5 + shift[0],
                scale * (np.sin(angle) * x + np.cos(angle) * y) + 16.5 + shift[1])
        x, y = np.rint(x).astype(int), np.rint(y).astype(int)
    step = time // STEP_US
    kept = (x >= 0) & (x < 34) & (y >= 0) & (y < 34) & (step < STEPS)
    out = np.zeros((STEPS, 2, SIDE, SIDE), np.int8)
    out[step[kept], polarity[kept], y[kept] // 2, x[kept] // 2] = 1
    return out.reshape(STEPS, -1)

folder, out = sys.argv[1], sys.argv[2]
copies = int(sys.argv[3]) if len(sys.argv) > 3 else 10
for name, table, n in (("train", "train1K.txt", copies), ("test", "test100.txt", 1)):
    rows = np.loadtxt(f"{folder}/{table}", dtype=int, usecols=(0, 1))
    read = [events(f"{folder}/{number}.bs2") for number, _ in rows]
    np.save(f"{out}/{name}_x.npy", np.stack([cells(*e, copy > 0) for copy in range(n) for e in read]))
    np.save(f"{out}/{name}_label.npy", np.tile(rows[:, 1], n).astype(np.uint8))
