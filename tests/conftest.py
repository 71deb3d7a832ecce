"""What the tests share: a data root of their own, the trunk's weights where they are at hand, a fixed thread count."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session", autouse=True)
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Prepared data and caches of this run of the tests, so that they never touch the user's."""
    root = tmp_path_factory.mktemp("data_root")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEVNET_DATA", str(root))
        yield root


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Results differ with the thread count, runs set their own, and two threads beside another busy process wait for
    each other most of the time. Torch is not imported for tests without it."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def trunk() -> Path:
    """The file of ImageNet weights that DEVNET_WEIGHTS names."""
    named = os.environ.get("DEVNET_WEIGHTS")
    if not named:
        pytest.skip("left out: needs the weights' file that DEVNET_WEIGHTS names, which is not set")
    return Path(named)


@pytest.fixture(scope="session")
def toy() -> Any:
    """The toy data set, prepared."""
    from devnetlib.data.prepare import prepare

    return prepare("toy")


@pytest.fixture(scope="session")
def toy_runs() -> Callable[..., list]:
    """`toy_runs(method, profile, **axes)`: runs on the toy, from random weights."""
    from devnetlib.study.planning import plan

    def runs(method: str = "devnet", profile: str = "smoke", **axes: Any) -> list:
        return plan("toy", method, profile, "random", **axes)

    return runs


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What the trials of `tests/stress` came to."""
    from tests.stress.trials import summary

    for line in summary(report for reports in terminalreporter.stats.values() for report in reports):
        terminalreporter.write_line(line)
