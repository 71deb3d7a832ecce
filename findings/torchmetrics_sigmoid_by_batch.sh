#!/usr/bin/env bash
# torchmetrics 1.9.0: an AUROC changes with how the scores are cut into batches, from 1 to 0 where it can.
#
# A call whose scores all lie in [0, 1] is taken for probabilities, any other for logits and put through a sigmoid. Each
# update decides for itself. Test folders list the normal images first, so the first batches may stay as they are, and
# the anomalous ones that follow, all higher, are squeezed below them. And in single precision the sigmoid of every
# score above 17 is 1: distances that rank perfectly become ties.
#
# Source: torchmetrics/utilities/compute.py of this version, normalize_logits_if_needed, called from the update of
# binary curves; the documentation of BinaryAUROC names the sigmoid, not that batches may differ in it.
#
# Seen, of scores that rank every anomalous image above every normal one:
#   one call 1.0, two batches 0.0, single images 0.0; scores 20 to 29: float32 0.5, float64 1.0
# torch from PyPI brings CUDA's libraries on Linux: 6 GB in the temporary folder.
set -euo pipefail
folder=$(mktemp -d)
export TMPDIR=$folder
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install -qq --no-compile torch==2.14.1 torchmetrics==1.9.0 numpy==2.4.6
unset PYTHONPATH
env/bin/python - <<'PY'
import sys

import torch
from torchmetrics.classification import BinaryAUROC


def auroc(scores, labels, batch):
    metric = BinaryAUROC()
    for start in range(0, len(scores), batch):
        metric.update(scores[start : start + batch], labels[start : start + batch])
    return metric.compute().item()


labels = torch.tensor([0, 0, 0, 1, 1, 1])
scores = torch.tensor([0.80, 0.85, 0.90, 1.1, 1.2, 1.3])
distances, of = torch.arange(20, 30), torch.tensor([0] * 5 + [1] * 5)
seen = [auroc(scores, labels, batch) for batch in (6, 3, 1)]
seen += [auroc(distances.to(precision), of, 10) for precision in (torch.float32, torch.float64)]
print("one call {}, two batches {}, single images {}; scores 20 to 29: float32 {}, float64 {}".format(*seen))
sys.exit(None if seen == [1.0, 0.0, 0.0, 0.5, 1.0] else "changed")
PY
