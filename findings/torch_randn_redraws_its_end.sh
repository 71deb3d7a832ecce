#!/usr/bin/env bash
# torch 2.14.1: on a processor, a longer torch.randn of the same seed does not begin with the shorter one.
#
# Below 16 numbers they are drawn one at a time; from 16 on in blocks of 16, and where the last block is not full, the
# last 16 numbers are drawn anew. So one number more replaces fifteen of the first sixteen, and two draws of 24 use up
# more of the generator than one of 48. torch.rand goes on where the shorter one ended.
#
# Source: ATen/native/cpu/DistributionTemplates.h of this version, which its wheel has under torch/include: normal_fill
# draws the blocks and the last 16 again, normal_kernel takes it from 16 numbers on.
#
# Seen, of the first numbers that two lengths share:
#   randn 15 and 16: 0 of 15; 16 and 17: 1 of 16; 5000 and 5008: 4984 of 5000; 24 twice and 48: 8 of 48
#   rand  15 and 16: 15 of 15; 16 and 17: 16 of 16
# torch from PyPI brings CUDA's libraries on Linux: 6 GB in the temporary folder.
set -euo pipefail
folder=$(mktemp -d)
export TMPDIR=$folder
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install -qq --no-compile torch==2.14.1 numpy==2.4.6
unset PYTHONPATH
env/bin/python - <<'PY'
import sys

import torch


def seeded():
    return torch.Generator().manual_seed(0)


def shared(draw, short, long):
    a, b = draw(short, generator=seeded()), draw(long, generator=seeded())
    return int((a == b[:short]).sum())


generator = seeded()
halves = torch.cat([torch.randn(24, generator=generator) for _ in range(2)])
seen = {
    "randn": [shared(torch.randn, *lengths) for lengths in ((15, 16), (16, 17), (5000, 5008))],
    "rand": [shared(torch.rand, *lengths) for lengths in ((15, 16), (16, 17))],
    "24 twice": int((halves == torch.randn(48, generator=seeded())).sum()),
}
print(seen)
sys.exit(None if seen == {"randn": [0, 1, 4984], "rand": [15, 16], "24 twice": 8} else "changed")
PY
