"""The leak census for people: two tables of a page, lines for a terminal, and the numbers that sentences quote."""

from collections import Counter
from functools import cache
from html import escape

from devnetlib.evidence.census import Census, Effect, Leaks, committed, committed_table, effect, leaks
from devnetlib.report.html import tag
from devnetlib.report.tables import MISSING

PROBE_TITLES = {"order": "number", "size": "size", "grey": "grey"}
METHOD_TITLES = {"devnet": "DevNet", "bce": "Cross-entropy", "mahalanobis": "Mahalanobis, no labels"}
FAR = 100  # numbers apart: no module of ELPV has as many cells


@cache
def counted() -> dict[str, tuple[Census, Leaks]]:
    """Every committed census with its counts, by name."""
    return {one.name: (one, leaks(one, committed_table(one.dataset, one.reading))) for one in committed()}


@cache
def effects() -> dict[tuple[str, str], Effect]:
    """What the near copies do to the published AUROC, by census and method; only where every cell is published."""
    found = {(name, method): effect(one, method) for name, (one, _) in counted().items() for method in METHOD_TITLES}
    return {key: value for key, value in found.items() if value is not None}


def leaks_table_html() -> str:
    """A line a data set and reading: copies, how many of them a partition tears apart, and the probes."""
    columns = ["images", "same bytes", "near", "bits", "mixed", "normals", "anomalies"]
    columns += PROBE_TITLES.values()
    single = [head("data set", rowspan=2), *(head(name, rowspan=2) for name in columns[:5])]
    groups = [head("tested, with a partner", colspan=2), head("AUROC of", colspan=len(PROBE_TITLES))]
    rows = tag("tr", "".join([*single, *groups])) + tag("tr", "".join(map(head, columns[5:])))
    body = "".join(line(name, leak_texts(*found)) for name, found in counted().items())
    words = (
        "Images in groups with the same bytes, and nearly the same: their hashes differ in no more than so many bits. "
        "Mixed are pairs of a normal and an anomalous image. Then how many test images have a partner that trains "
        "(means over the published splits and draws, ten labelled anomalies), and the AUROC of the file's number, the "
        "image's size and its mean grey."
    )
    return page_table(words, rows, body)


def leak_texts(census: Census, found: Leaks) -> list[str]:
    """The cells of one line."""
    return [
        f"{found.images:,}",
        groups_text(found.identical_groups, found.identical_images),
        groups_text(found.near_groups, found.near_images),
        str(census.within),
        str(found.mixed_pairs),
        f"{found.normals_partnered:.1f} of {found.normals:.0f}",
        f"{found.anomalies_partnered:.1f} of {found.anomalies:.0f}",
        *(f"{census.probes[name]:.3f}" for name in PROBE_TITLES),
    ]


def groups_text(groups: int, images: int) -> str:
    return f"{images:,} in {groups:,}" if groups else "none"


def effect_table_html() -> str:
    """A line a data set with published scores: AUROC with and without the test images that have a partner in
    training."""
    single = head("data set", rowspan=2)
    groups = "".join(head(title, colspan=2) for title in METHOD_TITLES.values())
    columns = "".join(head(name) for name in ("AUROC", "change without") * len(METHOD_TITLES))
    names = [name for name in counted() if any(key[0] == name for key in effects())]
    body = "".join(
        line(name, [text for method in METHOD_TITLES for text in effect_texts(name, method)]) for name in names
    )
    words = (
        "Mean AUROC of the published runs, frozen lane, on all test images, and the change on those without a partner "
        "that trains, paired over splits and draws, with its 95 % interval."
    )
    return page_table(words, tag("tr", single + groups) + tag("tr", columns), body)


def effect_texts(name: str, method: str) -> tuple[str, str]:
    """AUROC on everything, and the change."""
    found = effects().get((name, method))
    return (f"{found.everything:.3f}", change_text(found)) if found else (MISSING, MISSING)


def change_text(found: Effect) -> str:
    """The paired change with its interval, four decimals: most are smaller than one of three."""
    change = found.difference
    return f"{change.mean:+.4f} [{change.low:+.4f}, {change.high:+.4f}]"


def head(name: str, **spans: int) -> str:
    return tag("th", name, scope="colgroup" if "colspan" in spans else "col", **spans)


def line(name: str, texts: list[str]) -> str:
    return tag("tr", tag("th", escape(name), scope="row") + "".join(tag("td", text) for text in texts))


def page_table(words: str, rows: str, body: str) -> str:
    caption = tag("p", escape(words), class_="table-caption")
    return caption + tag("table", tag("thead", rows) + tag("tbody", body), class_="results")


def text_lines(census: Census, found: Leaks) -> list[str]:
    """A census for a terminal."""
    probes = ", ".join(f"{title} {census.probes[name]:.3f}" for name, title in PROBE_TITLES.items())
    tested = "{5} normals and {6} anomalies".format(*leak_texts(census, found))
    return [
        f"{census.name}: {found.images:,} images",
        f"  images in groups with the same bytes: {groups_text(found.identical_groups, found.identical_images)}",
        f"  nearly the same, within {census.within} of {census.bits} bits: "
        f"{groups_text(found.near_groups, found.near_images)}; {found.mixed_pairs} pairs normal and anomalous",
        f"  tested, with a partner that trains: {tested}",
        f"  AUROC of the probes: {probes}",
    ]


def numbers() -> dict[str, str]:
    """What sentences of a page quote, `census_NAME_FACT`; `:` in a name becomes `_`."""
    texts = {}
    for name, (census, found) in counted().items():
        facts = {
            "near_pairs": f"{found.near_pairs:,}",
            "mixed_pairs": str(found.mixed_pairs),
            "ungrouped_pairs": str(found.ungrouped_pairs),
            "normals_partnered": f"{found.normals_partnered:.1f}",
            "normals": f"{found.normals:.0f}",
        }
        facts |= {f"{probe}_auroc": f"{value:.3f}" for probe, value in census.probes.items()}
        texts |= {f"census_{name.replace(':', '_')}_{fact}": text for fact, text in facts.items()}
    elpv = counted()["elpv"][0]
    gap, pairs = commonest_gap(elpv)
    changes = {place: found.difference.mean for place, found in effects().items()}
    there, elsewhere = ([c for (name, _), c in changes.items() if name.startswith("brainmri") == on] for on in (1, 0))
    texts |= {"census_elpv_gap": str(gap), "census_elpv_gap_pairs": str(pairs), "census_bits": str(elpv.bits)}
    texts |= {"census_brainmri_least": f"{-max(there):.3f}", "census_brainmri_most": f"{-min(there):.3f}"}
    return texts | {"census_largest_elsewhere": f"{max(map(abs, elsewhere)):.4f}"}


def commonest_gap(census: Census) -> tuple[int, int]:
    """The commonest difference of two file numbers of a pair that are far apart, and how many pairs have it."""
    numbered = [[int("".join(filter(str.isdigit, name))) for name in pair[:2]] for pair in census.near]
    gaps = Counter(abs(a - b) for a, b in numbered if abs(a - b) > FAR)
    return gaps.most_common(1)[0]
