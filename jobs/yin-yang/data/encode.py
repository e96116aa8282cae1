#!/usr/bin/env python3
# Latency code of the Yin-Yang points: encode.py FOLDER STEPS TAIL writes SET_x.npy.gz (int8 [points, STEPS + TAIL, 5]) and SET_label.npy.gz here from the
# .npy files of the source. A value v in (0, 1) is one event in step round(v (STEPS - 1)); channel 4 fires in step 0 and tells when time began.
import gzip, sys
import numpy as np

folder, steps, tail = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
def save(path, array):
    with open(path, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        np.save(packed, array)
for name in ("train", "validation", "test"):
    value = np.load(f"{folder}/{name}_samples.npy")
    x = np.zeros((len(value), steps + tail, 5), np.int8)
    x[np.arange(len(value))[:, None], np.rint(value * (steps - 1)).astype(int), np.arange(4)[None]] = 1
    x[:, 0, 4] = 1
    save(f"{name}_x.npy.gz", x)
    save(f"{name}_label.npy.gz", np.load(f"{folder}/{name}_labels.npy").astype(np.uint8))
