#!/usr/bin/env bash
# torch 2.14.1 on glibc (seen with 2.36): a training step on the processor asks the system for its buffers again and
# again, unless two variables are set before Python starts. Either of them alone leaves it so, or makes it worse.
#
# glibc raises both thresholds by itself while a program runs. Setting one, however high, stops that for both: with
# MALLOC_TRIM_THRESHOLD_ alone everything above 128 KiB is mapped anew at each step, more than with nothing set. Set in
# os.environ they do nothing, not even for the calls that follow: glibc has read them when the process started.
#
# Source: the manual page mallopt(3), under M_MMAP_THRESHOLD (dynamic adjustment ends if any one is set) and
# "Environment variables"; glibc's malloc/malloc.c, do_set_trim_threshold and do_set_mmap_threshold.
#
# Seen, minor page faults per update (large pages are switched off; the three in the middle vary):
#   trim threshold alone 135598, neither 40756, mmap threshold alone 39435, both in os.environ 19082, both exported 0
# torch from PyPI brings CUDA's libraries on Linux: 6 GB in the temporary folder.
set -euo pipefail
folder=$(mktemp -d)
export TMPDIR=$folder
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install -qq --no-compile torch==2.14.1 numpy==2.4.6
unset PYTHONPATH MALLOC_MMAP_THRESHOLD_ MALLOC_TRIM_THRESHOLD_ MALLOC_TOP_PAD_ GLIBC_TUNABLES LD_PRELOAD
mmap=MALLOC_MMAP_THRESHOLD_=8589934592 trim=MALLOC_TRIM_THRESHOLD_=17179869184

cat > faults.py <<'PY'
import ctypes
import os
import sys
from resource import RUSAGE_SELF, getrusage

import torch
from torch import nn

os.environ.update(setting.split("=") for setting in sys.argv[1:])
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: a large page would count as one fault
torch.set_num_threads(1)
network = nn.Sequential(nn.Conv2d(3, 32, 3), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.ReLU())
optimiser = torch.optim.SGD(network.parameters(), 0.01)
images = torch.randn(8, 3, 160, 160)
counts = []
for _ in range(16):  # the first five updates, in which the thresholds rise, are not counted
    counts.append(getrusage(RUSAGE_SELF).ru_minflt)
    optimiser.zero_grad()
    network(images).square().mean().backward()
    optimiser.step()
print((counts[15] - counts[5]) // 10)
PY
neither=$(env/bin/python faults.py)
trim_alone=$(env "$trim" env/bin/python faults.py)
mmap_alone=$(env "$mmap" env/bin/python faults.py)
too_late=$(env/bin/python faults.py "$mmap" "$trim")
both=$(env "$mmap" "$trim" env/bin/python faults.py)
echo "trim threshold alone $trim_alone, neither $neither, mmap threshold alone $mmap_alone," \
  "both in os.environ $too_late, both exported $both"
((trim_alone > neither && neither > 4 * both && mmap_alone > 4 * both && too_late > 4 * both))
