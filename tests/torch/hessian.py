# SPDX-License-Identifier: BSD-3-Clause
#
# The second derivative of the loss of a network of network.py, by differentiating autograd's gradient once more, column by column, in
# the numbers that are learned: weights, and parameters over the size of their mean.
import numpy as np
import torch


def leaves(net):
    return [net.leaf(key) for key in net.found]


def scales(net):
    out = []
    for key in net.found:
        x = net.leaf(key).detach()
        mean = 1.0 if key[0] == "weight" else abs(float(x.mean())) or 1.0
        out.append(torch.full_like(x, mean))
    return torch.cat(out).numpy()


# all eigenvalues, ascending, and the largest difference from symmetry
def eigenvalues(net):
    net.run()
    x = leaves(net)
    slope = torch.cat([g.reshape(-1) for g in torch.autograd.grad(net.loss(), x, create_graph=True)])
    rows = []
    for g in slope:
        row = torch.autograd.grad(g, x, retain_graph=True, allow_unused=True)
        rows.append(torch.cat([torch.zeros_like(v) if r is None else r for v, r in zip(x, row)]).numpy())
    c = scales(net)
    h = c[:, None] * np.array(rows) * c[None, :]
    return np.linalg.eigvalsh((h + h.T) / 2), np.abs(h - h.T).max() / np.abs(h).max()
