# SPDX-License-Identifier: BSD-3-Clause
"""The training step of bench_train with the layers of snnTorch: Linear -> RSynaptic (synaptic current, recurrent Linear, reset by
subtraction, fast sigmoid of slope 10, which is superspike) -> Linear -> Leaky without reset, called step by step as its tutorials
do. Steps come by unbind, as in peer_torch.py. Exit status 77 where snnTorch is not installed.

    peer_snntorch.py batch steps inputs neurons outputs [rate] [threads] [repeats]
"""
import math
import sys

try:
    import snntorch
    import torch
    from snntorch import surrogate
except ImportError as e:
    print(f"peer_snntorch: {e}, left out", file=sys.stderr)
    sys.exit(77)

from peer_libraries import main

SYN, MEM = math.exp(-1 / 5), math.exp(-1 / 20)


def build(case, w):
    _, _, inputs, n, outputs = case
    fin = torch.nn.Linear(inputs, n, bias=False)
    spike = surrogate.fast_sigmoid(slope=10)
    hidden = snntorch.RSynaptic(alpha=SYN, beta=MEM, linear_features=n, spike_grad=spike)
    fout = torch.nn.Linear(n, outputs, bias=False)
    leaky = snntorch.Leaky(beta=MEM, reset_mechanism="none", spike_grad=spike)
    with torch.no_grad():
        # its membrane takes the whole current where ours takes 1 - MEM of it
        fin.weight.copy_(w[0].t() * (1 - MEM))
        hidden.recurrent.weight.copy_(w[1].t() * (1 - MEM))
        hidden.recurrent.bias.zero_().requires_grad_(False)
        fout.weight.copy_(w[2].t() * (1 - MEM))

    def forward(x, bias):
        # a constant drive enters through the current, whose sum over steps is 1 / (1 - SYN) times as large
        add = bias * (1 - MEM) * (1 - SYN)
        state, o = hidden.init_rsynaptic(), leaky.init_leaky()
        outs, spikes = [], []
        for xt in x.unbind(0):
            state = hidden(fin(xt) + add, *state)
            _, o = leaky(fout(state[0]), o)
            outs.append(o)
            spikes.append(state[0])
        return torch.stack(outs), torch.stack(spikes)

    return forward, (fin.weight, hidden.recurrent.weight, fout.weight)


main("snntorch", snntorch.__version__, build)
