"""What the tests of the methods share."""

from collections.abc import Callable

import pytest
import torch


@pytest.fixture(scope="module", autouse=True)
def one_thread_for_fixtures() -> None:
    """What a module trains for all its tests is trained before any fixture of a single test is set up."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def noise() -> Callable[..., torch.Tensor]:
    """`noise(*shape, seed=0)`: standard normal numbers."""

    def draw(*shape: int, seed: int = 0) -> torch.Tensor:
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed))

    return draw


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
