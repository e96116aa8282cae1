# SPDX-License-Identifier: BSD-3-Clause
"""The training step of bench_train with the layers of Norse: LIFRecurrent over all steps (synaptic current, superspike of slope 10;
it resets to a value, not by subtraction) -> its leaky integrator, step by step over unbind: its own loop over steps indexes a
tensor that has a gradient, which costs a pass over all steps per step. The wanted rate is reached by the leak potential. Exit
status 77 where Norse is not installed.

    peer_norse.py batch steps inputs neurons outputs [rate] [threads] [repeats]
"""
import math
import sys

try:
    import norse
    import torch
    from norse.torch.functional.leaky_integrator import LIParameters, LIState, li_feed_forward_step
    from norse.torch.functional.lif import LIFParameters
    from norse.torch.module.lif import LIFRecurrent
except ImportError as e:
    print(f"peer_norse: {e}, left out", file=sys.stderr)
    sys.exit(77)

from peer_libraries import main

# Euler steps of 1 ms that decay as exp(-1/5) and exp(-1/20) do
SYN, MEM = (1000 * (1 - math.exp(-1 / tau)) for tau in (5, 20))


def build(case, w):
    batch, _, inputs, n, outputs = case
    own = LIFParameters(tau_syn_inv=torch.tensor(SYN), tau_mem_inv=torch.tensor(MEM), v_th=torch.tensor(1.0),
                        alpha=torch.tensor(10.0))
    hidden = LIFRecurrent(inputs, n, p=own, autapses=True)
    fout = torch.nn.Linear(n, outputs, bias=False)
    # the current is to jump within a step: what decays is the membrane
    leak = LIParameters(tau_syn_inv=torch.tensor(1000.0), tau_mem_inv=torch.tensor(MEM))
    with torch.no_grad():
        hidden.input_weights.copy_(w[0].t())
        hidden.recurrent_weights.copy_(w[1].t())
        fout.weight.copy_(w[2].t())
    zero = torch.zeros(batch, outputs)

    def forward(x, bias):
        hidden.p = own._replace(v_leak=torch.tensor(bias))
        start = torch.zeros(batch, n)
        spikes, _ = hidden(x, type(hidden.initial_state(x))(z=start, v=start, i=start))
        o = LIState(zero, zero)
        outs = []
        for z in fout(spikes).unbind(0):
            out, o = li_feed_forward_step(z, o, leak)
            outs.append(out)
        return torch.stack(outs), spikes

    return forward, (hidden.input_weights, hidden.recurrent_weights, fout.weight)


main("norse", norse.__version__, build)
