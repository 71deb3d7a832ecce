"""Numbers that are exact or say that they are not: the order of file names, and p-values by counting."""

from itertools import product
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from devnetlib.methods.controls import Images, id_number
from devnetlib.report.statistics import wilcoxon
from tests.stress.trials import RIGHT, Wrong, held, numbered

Rng = np.random.Generator
NO_DIGITS = "²³①②١٢३Ⅳ½"  # that Python takes for digits, or nearly
FOLDERS = ["normal", "anomaly", "type1", "type1/2024", "anomaly/cam7_20240131"]
WORDS = ["", "img_", "scan-", "Bild ", "tile", "a.b."]


def names_trial(rng: Rng, folder: Path) -> str:
    """Names of numbered files in folders that bear numbers too: in the order of their own numbers, and of nothing else.

    Where a name holds several numbers, each has as many digits in all names, so that one order alone is meant.
    """
    widths = [
        [int(rng.choice([1, 3, 8, 17, 40, 320], p=[0.2, 0.2, 0.2, 0.2, 0.1, 0.1])), 4, 6][part]
        for part in range(rng.integers(1, 4))
    ]
    padded = bool(len(widths) > 1 or rng.random() < 0.5)
    start = [int(rng.integers(0, 10)) * 10 ** (width - 1) for width in widths]
    ids, meant = [], []
    for _ in range(int(rng.integers(2, 20))):
        parts = [
            base + int(rng.integers(0, min(200, 10**width // 2))) for base, width in zip(start, widths, strict=True)
        ]
        parts = [part % 10**width for part, width in zip(parts, widths, strict=True)]
        texts = [str(part).zfill(width if padded else 1) for part, width in zip(parts, widths, strict=True)]
        odd = "".join(rng.choice(list(NO_DIGITS), 2)) if rng.random() < 0.1 else ""
        word, suffix = rng.choice(WORDS), rng.choice([".png", ".jpg", ".jp2", ""])
        ids.append(f"{rng.choice(FOLDERS)}/{word}{'_'.join(texts)}{odd}{suffix or '.tif'}")
        meant.append(tuple(parts))
    found = np.asarray(id_number(Images(np.zeros(0), list, ids)))
    ranks = {number: rank for rank, number in enumerate(sorted(set(meant)))}
    right = rankdata([ranks[number] for number in meant])
    if found.shape != right.shape or not np.isfinite(found).all():
        raise Wrong(f"{ids}: {found}")
    if not np.array_equal(rankdata(found), right):
        first = next(place for place in np.argsort(right) if rankdata(found)[place] != right[place])
        raise Wrong(f"{ids[first][:60]} among {len(ids)} names: rank {rankdata(found)[first]}, right is {right[first]}")
    return RIGHT


def signed_rank_trial(rng: Rng, folder: Path) -> str:
    """Pairs with ties and zeros: an exact p is that of counting over all signs of the ranks, and no other is called
    exact."""
    pairs = int(rng.integers(2, 12))
    differences = rng.integers(-6, 7, pairs) / rng.choice([1, 10, 1000])
    if rng.random() < 0.3:
        differences = rng.normal(size=pairs).round(rng.integers(1, 5))
    if not differences.any():
        differences[0] = 1
    other = rng.integers(0, 1000, pairs) / 1000
    found = wilcoxon(other + differences, other, method="exact" if rng.random() < 0.5 else None)
    used = differences[differences != 0]
    if found.pairs != len(used):
        raise Wrong(f"{differences}: {found.pairs} pairs used of {len(used)}")
    if found.method != "exact":
        return RIGHT
    ranks = rankdata(abs(used).round(9))
    every = np.array(list(product([-1, 1], repeat=len(used)))) @ ranks
    counted = (abs(every) >= abs((np.sign(used) * ranks).sum()) - 1e-9).mean()
    if abs(found.p - counted) > 1e-12:
        raise Wrong(f"{used.tolist()}: p {found.p:.6f} called exact, counted are {counted:.6f}")
    return RIGHT


@numbered(60, 2000)
def test_the_control_order_follows_the_numbers_of_the_files_exactly(tmp_path, record_property, numbers):
    held("names", names_trial, numbers, tmp_path, record_property)


@numbered(60, 2000)
def test_an_exact_p_is_what_counting_gives(tmp_path, record_property, numbers):
    held("exact p", signed_rank_trial, numbers, tmp_path, record_property)
