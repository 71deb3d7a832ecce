"""What the tests of the data share: the raw releases, where they are at hand."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from devnetlib.data.archives import unpack


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`raw(name)`: the folder of that release below the one that DEVNET_RAW names; skips where it is not there. Masks
    that lie packed beside the images are unpacked into a copy."""

    def folder(name: str) -> Path:
        named = os.environ.get("DEVNET_RAW")
        if not named:
            pytest.skip(f"left out: needs the files of {name} in the folder that DEVNET_RAW names, which is not set")
        if not (Path(named) / name).is_dir():
            pytest.skip(f"left out: needs the files of {name}, which the folder that DEVNET_RAW names does not hold")
        packed = sorted((Path(named) / name).glob("*.tar.xz"))
        if not packed:
            return Path(named) / name
        copy = tmp_path_factory.mktemp("raw") / name
        for archive in packed:
            unpack(archive, copy)
        for image in (Path(named) / name).rglob("*.jpg"):
            (copy / image.relative_to(Path(named) / name)).symlink_to(image)
        return copy

    return folder
