"""The numbers that sentences of the book quote, each formatted once; `{{ name }}` on a page becomes its value."""

from collections import Counter

import numpy as np
import pandas as pd

from devnetlib.data.manifests import in_reading
from devnetlib.metrics import auroc
from devnetlib.report import costs, rounding
from devnetlib.report.answers import ablation, budget, contamination, open_set, told, verdict_counts
from devnetlib.report.imitations import moved_most
from devnetlib.report.judgement import measure
from devnetlib.report.paper import printed_value, rules
from devnetlib.report.selection import Mixture, cell, published, seed_spread, weights_title, yours
from devnetlib.report.statistics import crossed
from devnetlib.report.summaries import summary
from devnetlib.report.tables import MISSING
from devnetlib.study.questions import GROUPED, asked
from devnetlib.study.results import REPOSITORY, YOURS
from devnetlib.study.runs import PROFILES

# Measured on two idle cores and a fast network, Debian 12, Python 3.11, uv with an empty cache; sizes by `du -sh`.
ENVIRONMENTS = {"full": ("5.9 GB", "23 s"), "light": ("541 MB", "6 s")}
LABELLED = 10
TOLERANCE = 0.005  # AUROC of one run across machines, thread counts and devices


def numbers() -> dict[str, str]:
    """All of them."""
    return (
        elpv_counts()
        | elpv_results()
        | fine_tuned()
        | other_sets()
        | profiles()
        | published_origin()
        | environments()
        | performance()
        | prefixed("half", rounding.texts("half_precision"))
        | prefixed("thread", rounding.texts("one_thread"))
        | prefixed("q2", open_set())
        | prefixed("q4", ablation())
        | prefixed("q5", budget())
        | prefixed("q6", contamination())
        | verdict_counts()
        | moved_most()
        | {"yours_note": yours_note()}
    )


def prefixed(prefix: str, texts: dict[str, str]) -> dict[str, str]:
    """The same under names that begin with the prefix."""
    return {f"{prefix}_{name}": text for name, text in texts.items()}


def elpv_counts() -> dict[str, str]:
    """Images of ELPV by label and module, from its image table."""
    table = pd.read_csv(REPOSITORY / "data_manifests" / "elpv.csv", dtype=str, keep_default_na=False)
    by_label = {
        name: table[table["label"] == label] for name, label in (("normal", "0"), ("anomaly", "1"), ("left_out", ""))
    }
    found = {"images": len(table)} | {name: len(rows) for name, rows in by_label.items()}
    for module in ("mono", "poly"):
        found |= {
            f"{module}_{name}": int(by_label[name]["defect"].str.startswith(module).sum())
            for name in ("anomaly", "left_out")
        }
    tested = -(-found["normal"] // 4)
    found |= {
        "test_normal": tested,
        "train_normal": found["normal"] - tested,
        "tested_anomaly": found["anomaly"] - LABELLED,
    }
    return {f"elpv_{name}": f"{count:,}" for name, count in found.items()}


def elpv_results() -> dict[str, str]:
    """Published AUROC of the rows that sentences name, frozen lane."""
    names = {"devnet": {}, "flos": {}, "bce": {}, "mahalanobis": {}, "grey": {}, "shuffled": {}, "untrained": {}}
    found = {name: summary(cell(published(), "elpv", name, "quick")) for name in names}
    texts = {f"elpv_{name}_auroc": told(value, "auroc") for name, value in found.items()}
    signed = summary(cell(published(), "elpv", "devnet", "quick", options={"signed": True}))
    devnet = cell(published(), "elpv", "devnet", "quick")
    parts = crossed(devnet.values()) if devnet.complete else None
    above = devnet.values(measure(rules()["separation"]))
    seeds = {name: seed_spread("elpv", name) for name in ("devnet", "flos", "bce")}
    return texts | {
        "elpv_signed_auroc": told(signed, "auroc"),
        "elpv_devnet_low": told(found["devnet"], "split_low"),
        "elpv_devnet_high": told(found["devnet"], "split_high"),
        "elpv_devnet_printed": f"{printed_value('elpv', 'devnet')[0]:.3f}",
        "elpv_flos_printed": f"{printed_value('elpv', 'flos')[0]:.3f}",
        "elpv_q1_runs": str(len(devnet.runs)),
        "elpv_split_sd": told(parts, "split_sd"),
        "elpv_draw_sd": told(parts, "draw_sd"),
        "elpv_share_above": f"{above.mean():.0%}".replace("%", " %") if devnet.complete else MISSING,
        **{f"elpv_{name}_seed_sd": MISSING if sd is None else f"{sd:.3f}" for name, sd in seeds.items()},
    }


def other_sets() -> dict[str, str]:
    """DevNet on the other published data sets, frozen lane, beside the printed number and the label-free row."""
    texts = {}
    for dataset in ("headct", "kolektorsdd", "brainmri", "brainmri:official_loader"):
        (plain, reading), name = in_reading(dataset), dataset.replace(":", "_")
        devnet, free = (
            summary(cell(published(), plain, method, "quick", reading=reading)) for method in ("devnet", "mahalanobis")
        )
        texts |= {f"{name}_devnet_auroc": told(devnet, "auroc"), f"{name}_mahalanobis_auroc": told(free, "auroc")}
        texts |= {f"{name}_devnet_low": told(devnet, "split_low"), f"{name}_devnet_high": told(devnet, "split_high")}
        texts |= {f"{name}_devnet_printed": f"{printed_value(plain, 'devnet')[0]:.3f}"}
        if GROUPED in asked("q1").settings_of(dataset):
            apart = cell(published(), plain, "devnet", "quick", reading=reading, protocol=GROUPED.protocol)
            texts |= {f"{name}_devnet_grouped": told(summary(apart), "auroc")}
    return texts | {"reaches_margin": f"{rules()['reaches'].constants['margin']}"}


def fine_tuned() -> dict[str, str]:
    """AUROC of the published fine-tuned runs of DevNet on ELPV: mean and range, and of how many runs and splits."""
    runs = cell(published(), "elpv", "devnet", "laptop", splits=range(100)).runs.values()
    values = [scores.measure(auroc) for scores in runs]
    facts = (("auroc", np.mean), ("low", min), ("high", max))
    found = {name: f"{of(values):.3f}" if values else MISSING for name, of in facts}
    found |= {"runs": str(len(runs)), "splits": str(len({scores.run.split for scores in runs}))}
    return {f"elpv_laptop_{name}": text for name, text in found.items()}


def profiles() -> dict[str, str]:
    """What each profile is for and what it takes."""
    texts = {}
    for name, profile in PROFILES.items():
        facts = {"purpose": profile.purpose, "cost": profile.cost}
        facts |= {"pixels": profile.training.pixels, "updates": f"{profile.training.updates:,}"}
        texts |= {f"{name}_{fact}": str(value) for fact, value in facts.items()}
    side = PROFILES["quick"].training.pixels // 16  # the stride at stage 3
    return texts | {
        "quick_cells": str(side**2),
        "quick_top_cells": str(side**2 // 10),
        "quick_heads": str(PROFILES["quick"].options["heads"]),
    }


def published_origin() -> dict[str, str]:
    """Where the published scores come from, and how far another machine may be off."""
    origins = [scores.origin for scores in published()]
    weights = Counter(scores.run.weights for scores in published() if scores.run.weights != "none")
    named = [f"{weights_title(name)} ({name}): {runs:,} runs" for name, runs in weights.most_common()]
    hardware = sorted(
        {
            f"{o['device'].upper()} with {o['threads']} thread{'s'[: o['threads'] - 1]}, torch {o['torch']}"
            for o in origins
        }
    )
    return {
        "published_runs": str(len(origins)),
        "published_weights": "; ".join(named) or "none",
        "published_hardware": " and ".join(hardware) or "none",
        "tolerance_auroc": f"{TOLERANCE}",
    }


def performance() -> dict[str, str]:
    """What the plan of the large grid rests on."""
    training = PROFILES["released"].training
    update = costs.flops_of(training.pixels, scales=2)["update"]
    return {
        "plan_update_gflop": f"{update / 1e9:.1f}",
        "plan_batch": str(training.batch),
        "plan_share": f"{costs.SHARE:.0%}".replace("%", " %"),
        "plan_peak": f"{costs.GPU_TFLOPS:,}",
        "plan_gpu": costs.GPU,
    }


def environments() -> dict[str, str]:
    return {
        f"{name}_environment_{fact}": text
        for name, facts in ENVIRONMENTS.items()
        for fact, text in zip(("size", "seconds"), facts, strict=True)
    }


def yours_note() -> str:
    """One sentence on the runs of this machine, and what to expect of the weights they start from."""
    try:
        mine = cell(yours(YOURS), "elpv", "devnet", "quick")
    except Mixture as error:
        return f"The runs of the machine that built these pages are a mixture ({error})."
    if not mine.runs:
        return "No run was made on the machine that built these pages; `make study` makes them."
    name = mine.any.run.weights
    here = np.mean([s.measure(auroc) for s in mine.runs.values()])
    beside = summary(cell(published(), "elpv", "devnet", "quick", weights=name))
    if beside is None:
        expected = told(summary(cell(published(), "elpv", "devnet", "quick")), "auroc")
        return (
            f"Yours start from **{weights_title(name)}**{' weights' * (name == 'random')}, with which DevNet comes to "
            f"{here:.3f}; with ImageNet weights expect {expected}, as published (`make weights` looks for them)."
        )
    here_and_there = f"DevNet comes to {here:.3f}; published with the same is {beside.auroc:.3f}"
    return f"Yours start from {weights_title(name)}: {here_and_there}."
