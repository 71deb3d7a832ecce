"""Rule `recomputed`: sentences of the paper held against its own printed tables (Tables II to V).

A function a claim, registered under its id. What the sentence says stands in it; what is found is computed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from devnetlib.report.families import DEVNET, DIVIDED, LEVEL, comparisons, differences, means
from devnetlib.report.paper import printed, rules
from devnetlib.report.parts import Part, count, lead, levels_part, majority, p_value_parts, value
from devnetlib.report.statistics import ROUNDING

LARGE = 0.02  # the bound that claims.yml gives to "large margins"
VERY_CLOSE = 0.01  # and to "very close"
Parts = Callable[[], Iterable[Part]]
SENTENCES: dict[str, Parts] = {}


@dataclass(frozen=True)
class Recomputed:
    """The parts of a sentence, and the verdict of the rule over them."""

    parts: tuple[Part, ...]
    verdict: str

    def __str__(self) -> str:
        return "; ".join(map(str, self.parts))


@cache
def recomputed(identifier: str) -> Recomputed:
    """A claim of rule `recomputed` by its id (KeyError for another): all parts follow, some, or none."""
    parts = tuple(SENTENCES[identifier]())
    holds, in_part, fails = rules()["recomputed"].verdicts
    following = sum(part.follows for part in parts)
    return Recomputed(parts, holds if following == len(parts) else in_part if following else fails)


def sentence(identifier: str) -> Callable[[Parts], Parts]:
    """Registers the function that gives the parts of a claim."""

    def register(parts: Parts) -> Parts:
        SENTENCES[identifier] = parts
        return parts

    return register


@sentence("q1-text-best-sets")
def best_of_nine() -> Iterable[Part]:
    leads = lead(means("nine"))
    yield count("sets on which DevNet is best", 7, (leads >= 0).sum(), f"alone on {(leads > 0).sum()}")


@sentence("q1-text-gains")
def gains() -> Iterable[Part]:
    leads = lead(means("nine"))
    for name, said in {"AITEX": 0.046, "ELPV": 0.028, "Hyper-Kvasir": 0.056}.items():
        yield value(f"lead over the second best on {name}", said, leads[name, "all"])


@sentence("q1-text-close")
def close_to_the_best() -> Iterable[Part]:
    leads, margin = lead(means("nine")), rules()["printed"].constants["margin"]
    for name in ("Mastcam", "HeadCT"):
        gap = float(-leads[name, "all"])
        yield Part(f"gap to the best on {name}", f"close (at most {margin:g})", gap, 0 <= gap <= margin, digits=3)


@sentence("q1-text-mvtec-subsets")
def best_of_fifteen() -> Iterable[Part]:
    leads = lead(means("twenty-three").loc[DIVIDED])
    behind = leads[leads < 0].sort_values(ascending=False)
    gaps = ", ".join(f"{name} {gap:+.3f}" for name, gap in behind.items())
    yield count("subsets on which DevNet is best, ties counted", 8, (leads >= 0).sum())
    yield count("subsets on which DevNet is best alone", 8, (leads > 0).sum())
    yield count(f"others within {VERY_CLOSE:g} of the best", 3, (behind >= -VERY_CLOSE).sum(), gaps)


@sentence("q1-text-mvtec-range")
def range_of_leads() -> Iterable[Part]:
    rows, whole = means("twenty-three").loc[DIVIDED].mean(), means("nine").loc[(DIVIDED, "all")]
    leads, printed_leads = ((one[DEVNET] - one.drop(DEVNET)).round(ROUNDING) for one in (rows, whole))
    for which, said in {"min": 0.006, "max": 0.218}.items():
        rival = getattr(leads, f"idx{which}")()
        beside = f"over {rival}; {printed_leads[rival]:.3f} from the printed means"
        yield value(f"{which}imum lead by the fifteen rows", said, leads[rival], beside)


@sentence("q1-text-significance")
def significance_in_table_2() -> Iterable[Part]:
    yield levels_part("nine", 0.01, {"MINNS": 0.05})
    yield levels_part("twenty-three", 0.05, {"MINNS": 0.10})
    yield from p_value_parts("nine")
    yield from p_value_parts("twenty-three")


@sentence("q1-text-supervised")
def labels_against_none() -> Iterable[Part]:
    values, without = means("nine"), ["KDAD", "Deep SVDD"]
    for method in values.columns.drop(without):
        leads = lead(values, method, without)
        what = f"sets on which {method} is better than KDAD and Deep SVDD"
        yield count(what, len(leads), (leads > 0).sum(), f"smallest lead {leads.min():+.3f}")


@sentence("q2-text-families")
def best_of_open_sets() -> Iterable[Part]:
    said = {DEVNET: {"six": 4, "thirty": 12}, "KDAD": {"six": 2, "thirty": 7}}
    for method, numbers in said.items():
        for family, number in numbers.items():
            what = f"{'families' if family == 'six' else 'sets'} on which {method} is best"
            yield count(what, number, (lead(means(family), method) >= 0).sum())


@sentence("q2-text-boosts")
def boosts() -> Iterable[Part]:
    leads = lead(means("thirty"), others=["Deep SAD", "FLOS", "MINNS"])
    what = "sets on which DevNet leads the best other detector with labels by 0.05 or more"
    beside = f"largest lead {leads.max():.3f}; behind on {(leads < 0).sum()}"
    yield majority(what, "many", (leads >= 0.05).sum(), len(leads), beside)


@sentence("q2-text-significance")
def significance_in_table_3() -> Iterable[Part]:
    by_family = ", ".join(f"{rival} {p:.3f}" for rival, p in comparisons("six")["p"].items())
    yield levels_part("thirty", LEVEL, beside=f"p over the six families' means: {by_family}")
    yield from p_value_parts("thirty")


@sentence("q3-text-best")
def localises_best() -> Iterable[Part]:
    values, tests = means("fifteen").loc[DIVIDED], comparisons("fifteen")
    kinds = printed(4).drop_duplicates("subset").set_index("subset")["type"].reindex(values.index)
    for kind in ("Texture", "Object"):
        average = values[kinds == kind].mean()
        for rival in tests.index:
            gain = float(average[DEVNET] - average[rival])
            beside = f"p {tests.loc[rival, 'p']:.4f} over all fifteen"
            yield Part(f"lead over {rival}, {kind.lower()}s", "better", gain, gain > 0, beside, digits=4)


@sentence("q4-text-ds-rep")
def score_against_representation() -> Iterable[Part]:
    row = comparisons("twenty-two", "DS").loc["Rep"]
    beside = f"{row['wins']} better, {row['losses']} worse, {row['ties']} equal"
    follows = bool(row["rank_biserial"] > 0 and row["p"] < LEVEL)
    said = f"significant (below {LEVEL:g})"
    yield Part("p of DS over Rep, 22 sets", said, float(row["p"]), follows, beside, digits=4)


@sentence("q4-text-patch")
def patch_by_patch() -> Iterable[Part]:
    change = differences("twenty-two", "Patch-DS", "DS")
    worse, severely = (change < 0).sum(), (change <= -LARGE).sum()
    beside = f"by {LARGE:g} or more on {severely}; better on {(change > 0).sum()}, equal on {(change == 0).sum()}"
    yield majority("sets on which Patch-DS is worse than DS", "most", worse, len(change), beside)


@sentence("q4-text-margins")
def large_margins() -> Iterable[Part]:
    for rival in ("DS", "Patch-DS"):
        leads = differences("twenty-two", DEVNET, rival)
        beside = f"better at all on {(leads > 0).sum()}, p {comparisons('twenty-two').loc[rival, 'p']:.4f}"
        what = f"sets on which DevNet leads {rival} by {LARGE:g} or more"
        yield majority(what, "most", (leads >= LARGE).sum(), len(leads), beside)


@sentence("q4-text-backbones")
def backbones() -> Iterable[Part]:
    for backbone, said, largest_share in (("ResNet-50", "a few (fewer than half)", 0.5), ("AlexNet", "some", 1.0)):
        leads = differences("twenty-two", f"DS on {backbone}", "DS")
        better, beside = int((leads > 0).sum()), f"of {len(leads)}; worse on {(leads < 0).sum()}"
        follows = 0 < better < largest_share * len(leads)
        yield Part(f"sets on which {backbone} is better than ResNet-18", said, better, follows, beside)
