#!/usr/bin/env bash
# dask 2026.8.0 and distributed 2026.8.0: what a LocalCluster gives its workers, it also writes into the process that
# asks for it, where it stays when the cluster is closed.
#
# A nanny takes a variable's value from the environment first and from the configuration second. So an exported value
# is kept, but after a first cluster all its values look exported, and the configuration of a second cluster is ignored.
# PYTHONHASHSEED alone is the other way round: exported it is overwritten by 6640, configured it is kept.
#
# Source: distributed/nanny.py of this version, _get_env_variables (environment before configuration), Nanny.__init__
# (the seed) and WorkerProcess.start, which updates os.environ; the docstring of Nanny gives the order of precedence.
#
# Seen, of one worker each (started with OMP_NUM_THREADS=4 PYTHONHASHSEED=1):
#   first cluster                  OMP_NUM_THREADS 4, MKL_NUM_THREADS 1, PYTHONHASHSEED 6640
#   this process afterwards        OMP_NUM_THREADS 4, MKL_NUM_THREADS 1, PYTHONHASHSEED 6640
#   second cluster, configured 2   OMP_NUM_THREADS 4, MKL_NUM_THREADS 1, PYTHONHASHSEED 6640
#   configured 2 from the start    OMP_NUM_THREADS 4, MKL_NUM_THREADS 2, PYTHONHASHSEED 1
set -euo pipefail
folder=$(mktemp -d)
export TMPDIR=$folder
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install -qq dask==2026.8.0 distributed==2026.8.0

cat > clusters.py <<'PY'
import os
import sys

import dask
from distributed import Client, LocalCluster

NAMES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONHASHSEED")
CONFIGURED = dict.fromkeys(NAMES, "2")


def environment():
    return [os.environ.get(name) for name in NAMES]


def worker(**configured):
    with dask.config.set({"distributed.nanny.pre-spawn-environ": configured}) if configured else dask.config.set():
        with LocalCluster(1, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as one, Client(one) as client:
            return client.submit(environment).result()


if __name__ == "__main__":
    if sys.argv[1:] == ["configured"]:
        seen, stated = [worker(**CONFIGURED)], [["4", "2", "1"]]
    else:
        seen, stated = [worker(), environment(), worker(**CONFIGURED)], [["4", "1", "6640"]] * 3
    print(*(dict(zip(NAMES, values)) for values in seen), sep="\n")
    sys.exit(None if seen == stated else f"changed: expected {stated}")
PY
unset PYTHONPATH MKL_NUM_THREADS
export OMP_NUM_THREADS=4 PYTHONHASHSEED=1
env/bin/python clusters.py
env/bin/python clusters.py configured
