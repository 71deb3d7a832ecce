"""Compiled backbones: asked for, refused where they make no sense, one graph, the same scores within rounding."""

from dataclasses import replace
from shutil import which

import numpy as np
import pytest
import torch

from devnetlib.errors import Misuse
from devnetlib.methods import METHODS
from devnetlib.study import bench
from devnetlib.study.compile_times import compile_seconds
from devnetlib.study.compiling import COMPILERS, compiled, compiler_of
from devnetlib.study.execution import Machine, execute
from devnetlib.study.stretches import Case

NOT_COMPILED = {"kdad", "deepsvdd", "logistic", "mahalanobis", "lda", "nearest"}
FINE_TUNED = sorted(METHODS.keys() - NOT_COMPILED)
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def traced(monkeypatch):
    """The compiler `inductor` does all but generate kernels, which would take a minute; the graphs it was given."""
    from torch._dynamo.backends.debugging import aot_eager

    graphs = []
    spied = {"backend": lambda graph, inputs: (graphs.append(graph), aot_eager(graph, inputs))[1]}
    monkeypatch.setitem(COMPILERS, "inductor", spied)
    torch.compiler.reset()
    yield graphs
    torch.compiler.reset()


@pytest.fixture
def broken(monkeypatch):
    """The compiler `inductor` fails."""

    def fails(graph, inputs):
        raise RuntimeError("no C++ compiler\nand more lines")

    monkeypatch.setitem(COMPILERS, "inductor", {"backend": fails})
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def small(toy_runs, method: str, **options):
    """A run of `laptop` of a few small images."""
    (run,) = toy_runs(method, "laptop")
    training = replace(run.training, pixels=64, updates=min(run.training.updates, 3), batch=8)
    return replace(run, training=training, options=options)


def test_an_unknown_compiler_is_refused_with_the_valid_ones(toy_runs):
    with pytest.raises(Misuse, match=r"'nvcc'.*cudagraphs, inductor"):
        compiler_of(*toy_runs(profile="laptop"), "nvcc", CPU)


@pytest.mark.parametrize("profile", ["quick", "smoke"])
def test_runs_that_are_compared_across_machines_are_not_compiled(toy_runs, profile):
    (run,) = toy_runs(profile=profile)
    with pytest.raises(Misuse, match=f"profile {profile} is not compiled"):
        compiler_of(run, "inductor", CPU)
    assert compiler_of(run, None, CPU) is None


@pytest.mark.parametrize("method", sorted(NOT_COMPILED))
def test_a_run_that_trains_no_backbone_by_updates_is_not_compiled(toy_runs, method):
    (run,) = toy_runs(method, "laptop")
    assert compiler_of(run, "inductor", CPU) is None


@pytest.mark.parametrize("method", FINE_TUNED)
def test_a_run_that_fine_tunes_a_backbone_is_compiled(toy_runs, method):
    (run,) = toy_runs(method, "laptop")
    assert compiler_of(run, "inductor", CPU) == "inductor"


def test_cuda_graphs_need_a_gpu(toy_runs):
    (run,) = toy_runs(profile="laptop")
    with pytest.raises(Misuse, match="needs a GPU, found the device cpu"):
        compiler_of(run, "cudagraphs", CPU)
    assert compiler_of(run, "cudagraphs", CUDA) == "cudagraphs"


@pytest.mark.parametrize(
    ("method", "precision", "options"),
    [*((name, "fp32", {}) for name in FINE_TUNED), ("devnet", "bf16", {}), ("devnet", "fp32", {"n_scales": 2})],
)
def test_a_backbone_is_one_graph_with_the_same_scores_and_batch_statistics(
    toy_runs, traced, method, precision, options
):
    run, states = small(toy_runs, method, **options), []

    def look(scores, trained):
        states.append({k: v.numpy() for k, v in trained.detector.state_dict().items() if "running" in k or "num" in k})
        return scores

    plain, graph = (
        execute(run, Machine(threads=1, precision=precision, compiler=name), look)[0] for name in (None, "inductor")
    )
    assert len(traced) == 1 and graph.origin["compiler"] == "inductor" and "compiler" not in plain.origin
    np.testing.assert_allclose(graph.values, plain.values, rtol=1e-4)
    for name, before in states[0].items():
        np.testing.assert_allclose(states[1][name], before, rtol=1e-3, atol=1e-4, err_msg=name)


def test_a_compiler_that_fails_is_told_in_one_line_with_its_reason(broken):
    with pytest.raises(Misuse, match=r"^compile inductor: no C\+\+ compiler; mend it, or leave --compile out$"):
        compiled(lambda images: [images * 2], "inductor")(torch.ones(2))


@pytest.mark.slow
@pytest.mark.skipif(not which("g++"), reason="torch.compile needs a C++ compiler, and g++ is not here")
def test_a_compiled_run_has_nearly_the_same_scores(toy_runs):
    run = small(toy_runs, "devnet", stage=1)
    torch.compiler.reset()
    plain, fused = (execute(run, Machine(threads=1, compiler=name))[0].values for name in (None, "inductor"))
    assert np.corrcoef(plain, fused)[0, 1] > 0.999 and (plain != fused).any()


def test_bench_times_the_first_updates_and_later_ones_as_they_are_and_compiled(traced, data_root, monkeypatch):
    monkeypatch.setattr(Case, "at", lambda case, pixels: case)
    found = compile_seconds(Case("toy", 64, device="cpu", batch=8), "inductor", turns=2, updates=1)
    (_, first), (_, second) = found["turns"]
    assert found["profile"] == "laptop" and found["starting"] > 3 * max(first, second) > 0
    assert len(traced) == 1  # later updates, and other detectors of the kind, use the graph again


def test_bench_leaves_out_a_compiler_that_does_not_work_and_says_why(broken, data_root, monkeypatch, capsys):
    monkeypatch.setattr(Case, "at", lambda case, pixels: case)
    monkeypatch.setattr(bench, "alone", lambda function, *args: function(*args))
    assert list(bench.compiling(Case("toy", 64, device="cpu", batch=8), CPU)) == []
    assert "--compile inductor was not timed: compile inductor: no C++ compiler;" in capsys.readouterr().err
