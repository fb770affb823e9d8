"""How combinations of the factors' levels are chosen: one file a kind.

| `design.kind` | file | what it takes |
| --- | --- | --- |
| `factorial` | `factorial.py` | every combination |
| `fractional`, two levels each | `regular_fraction.py` | 2^(k − p) of them, by generators; with its aliases |
| `fractional`, any levels | `d_optimal.py` | so many of them as are wanted, those that tell most |
| `latin_hypercube` | `latin_hypercube.py` | draws in which each level comes equally often |
| `random` | `random_draws.py` | draws |
"""
