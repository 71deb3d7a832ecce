"""The record of `bench`: its name, its file for the book, and its few lines for the reader."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devnetlib.errors import unwritable
from devnetlib.study.precision import machine_name
from devnetlib.study.results import REPOSITORY
from devnetlib.writing import atomic_write

RECORDS = REPOSITORY / "book" / "bench"


def record_name(record: Mapping[str, Any]) -> str:
    """The name of a record's file: device, cores, torch and precision, so that no two machines are mixed."""
    return f"{machine_name(record['device'], record['cores'], record['torch'])}-{record['precision']}.json"


def keep(record: Mapping[str, Any], folder: Path = RECORDS) -> Path:
    """Write a record under its name, for the book."""
    path = folder / record_name(record)
    try:
        atomic_write(path, lambda file: file.write_text(json.dumps(rounded(record), indent=1) + "\n"))
    except OSError as error:
        raise unwritable(path, error, "make room; the record is printed above") from None
    return path


def rounded(value: Any) -> Any:
    """Numbers of a record with four digits."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, list) else value


def told(record: Mapping[str, Any]) -> str:
    """The record in a few lines."""
    lines = [f"{record['device']}, {record['cores']} cores, torch {record['torch']}, {record['precision']}"]
    for table in record["sizes"]:
        for what in ("training", "evaluation"):
            rate = {side: table["batch"] / seconds for side, seconds in table[what]["seconds"].items()}
            lines.append(
                f"{what} at {table['pixels']} px: {rate['ours']:.1f} images a second, plain loop in fp32 "
                f"{rate['plain']:.1f}; {table[what]['ratio']:.2f} times as fast"
            )
    frozen = record["frozen"]
    lines.append(
        f"frozen lane, {frozen['updates']} updates and {frozen['images']} scores: {frozen['ours']:.1f} s, plain loop "
        f"{frozen['plain']:.0f} s, extrapolated from {frozen['measured']} updates; {frozen['ratio']:.0f} times as fast"
    )
    return "\n".join(lines)
