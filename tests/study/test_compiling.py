"""Compiled backbones: asked for, refused where they make no sense, one graph, the same scores within rounding."""

from dataclasses import replace
from shutil import which

import numpy as np
import pytest
import torch

from devnetlib.errors import Misuse
from devnetlib.methods import METHODS
from devnetlib.study import stretches
from devnetlib.study.compiling import COMPILERS, compiler_of
from devnetlib.study.execution import Machine, execute
from devnetlib.study.stretches import Case

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def traced(monkeypatch):
    """The compiler `inductor` only traces, which takes seconds where compiling takes a minute; what it was given."""
    graphs = []
    monkeypatch.setitem(COMPILERS, "inductor", {"backend": lambda graph, _: graphs.append(graph) or graph.forward})
    torch.compiler.reset()
    yield graphs
    torch.compiler.reset()


def small(toy_runs, method: str):
    """A run of `laptop` of a few small images."""
    (run,) = toy_runs(method, "laptop")
    return replace(run, training=replace(run.training, pixels=64, updates=min(run.training.updates, 3), batch=8))


def test_an_unknown_compiler_is_refused_with_the_valid_ones(toy_runs):
    with pytest.raises(Misuse, match=r"'nvcc'.*cudagraphs, inductor"):
        compiler_of(*toy_runs(profile="laptop"), "nvcc", CPU)


@pytest.mark.parametrize("profile", ["quick", "smoke"])
def test_runs_that_are_compared_across_machines_are_not_compiled(toy_runs, profile):
    (run,) = toy_runs(profile=profile)
    with pytest.raises(Misuse, match=f"profile {profile} is not compiled"):
        compiler_of(run, "inductor", CPU)
    assert compiler_of(run, None, CPU) is None


def test_cuda_graphs_need_a_gpu(toy_runs):
    (run,) = toy_runs(profile="laptop")
    with pytest.raises(Misuse, match="needs a GPU, found the device cpu"):
        compiler_of(run, "cudagraphs", CPU)
    assert compiler_of(run, "cudagraphs", CUDA) == "cudagraphs"


@pytest.mark.parametrize(
    ("method", "precision"),
    [*((name, "fp32") for name, method in METHODS.items() if method.uses_labels), ("devnet", "bf16")],
)
def test_a_backbone_is_one_graph_that_gives_the_same_scores(toy_runs, traced, method, precision):
    run = small(toy_runs, method)
    plain, graph = (
        execute(run, Machine(threads=1, precision=precision, compiler=name))[0] for name in (None, "inductor")
    )
    assert "compiler" not in plain.origin
    assert len(traced) == bool(run.training.updates) == (graph.origin.get("compiler") == "inductor")
    np.testing.assert_allclose(graph.values, plain.values, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(not which("g++"), reason="torch.compile needs a C++ compiler, and g++ is not here")
def test_a_compiled_run_has_nearly_the_same_scores(toy_runs):
    run = replace(small(toy_runs, "devnet"), options={"stage": 1})
    torch.compiler.reset()
    plain, fused = (execute(run, Machine(threads=1, compiler=name))[0].values for name in (None, "inductor"))
    assert np.corrcoef(plain, fused)[0, 1] > 0.999 and (plain != fused).any()


def test_bench_times_the_first_update_and_later_ones_with_every_compiler(traced, data_root, monkeypatch):
    monkeypatch.setattr(Case, "at", lambda case, pixels: case)
    found = stretches.compiling(Case("toy", 64, device="cpu", batch=8), turns=1, updates=1)
    assert [line["compiler"] for line in found["lines"]] == [None, "inductor"] and found["profile"] == "laptop"
    assert all(line["first"] > 0 and line["update"] > 0 for line in found["lines"]) and len(traced) == 1


def test_bench_leaves_out_a_compiler_that_does_not_work_and_says_so(data_root, monkeypatch, capsys):
    def broken(graph, inputs):
        raise RuntimeError("no C++ compiler")

    monkeypatch.setitem(COMPILERS, "inductor", {"backend": broken})
    monkeypatch.setattr(Case, "at", lambda case, pixels: case)
    torch.compiler.reset()
    found = stretches.compiling(Case("toy", 64, device="cpu", batch=8), turns=1, updates=1)
    assert [line["compiler"] for line in found["lines"]] == [None]
    assert "--compile inductor does not work here" in capsys.readouterr().err
