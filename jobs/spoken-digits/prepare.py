#!/usr/bin/env python3
# Recordings of spoken digits to mel energies: prepare.py RECORDINGS OUT reads {digit}_{speaker}_{index}.wav (8 kHz, mono, 16 bit) and writes
# OUT/{train,test}_{x,label}.npy: float32 [recordings, 64, 80]. Split of the source: index 0 to 4 test, others training.
# Frames of 25 ms every 10 ms (Hann), 40 triangular mel bands from 60 to 3900 Hz, logarithm of the energy over the floor of the recording; channels 40 to 79
# are the differences over 20 ms. Normalised with mean and deviation of each channel over the training recordings. Longer than 64 frames: the loudest 64.
import os, sys, wave
import numpy as np

RATE, FRAME, HOP, STEPS, BANDS = 8000, 200, 80, 64, 40

def mel_bands():
    hertz = 700 * (np.exp(np.linspace(np.log1p(60 / 700), np.log1p(3900 / 700), BANDS + 2)) - 1)
    f = np.fft.rfftfreq(256, 1 / RATE)
    up = (f - hertz[:-2, None]) / (hertz[1:-1] - hertz[:-2])[:, None]
    down = (hertz[2:, None] - f) / (hertz[2:] - hertz[1:-1])[:, None]
    return np.maximum(0, np.minimum(up, down))

BANK = mel_bands()

def features(path):
    with wave.open(path) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
    sound = np.pad(sound, (0, max(0, FRAME - len(sound))))
    frame = np.lib.stride_tricks.sliding_window_view(sound, FRAME)[::HOP] * np.hanning(FRAME)
    energy = np.abs(np.fft.rfft(frame, 256)) ** 2 @ BANK.T
    if len(energy) > STEPS:
        total = np.convolve(energy.sum(1), np.ones(STEPS), "valid")
        energy = energy[total.argmax() :][:STEPS]
    log = np.log(energy / energy.max() + 1e-5)
    log = np.pad(log, ((0, STEPS - len(log)), (0, 0)), constant_values=np.log(1e-5))
    before = np.pad(log, ((2, 0), (0, 0)), mode="edge")[:STEPS]
    return np.concatenate([log, log - before], 1)

folder, out = sys.argv[1], sys.argv[2]
found = {"train": ([], []), "test": ([], [])}
for name in sorted(os.listdir(folder)):
    if name.endswith(".wav"):
        digit, _, index = name[:-4].split("_")
        x, label = found["test" if int(index) < 5 else "train"]
        x.append(features(f"{folder}/{name}"))
        label.append(int(digit))
mean, sd = np.mean(found["train"][0], axis=(0, 1)), np.std(found["train"][0], axis=(0, 1))
for name, (x, label) in found.items():
    np.save(f"{out}/{name}_x.npy", ((np.array(x) - mean) / sd).astype(np.float32))
    np.save(f"{out}/{name}_label.npy", np.array(label, np.uint8))
