# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A tour in seven steps
#
# One run of DevNet by hand, from pixels to an explained defect: look at the images, split them, decode them, build the detector, train it, score
# the test set, explain one defect. About five minutes on a laptop without a GPU, most of it for the backbone's maps, which are kept. Every step is
# a function that `execute` calls in the same order.

# %% tags=["parameters"]
profile = "quick"  # smoke (everything trained, tiny) or quick (frozen lane: only the head is trained)
datasets = "elpv"  # the one to tour: a card of data_manifests or my/NAME; toy is synthetic and needs nothing
split = 0  # which normals train
draw = 0  # which anomalies are labelled: ten, or half of fewer than twenty

# %%
from devnetlib import check_parameters
from devnetlib.data.manifests import in_reading

request = check_parameters(globals())
name, reading = in_reading(request.datasets[0])  # the one that is toured

# %% [markdown]
# ## 1. Look at the images
#
# A *card* says what the data set is, an *image table* has one row an image. Normal images above, anomalies below: the first four of each by name.
# (Images of ELPV: Buerhop-Lutz et al., CC BY-NC-SA 4.0.)

# %% mystnb={"image": {"alt": "Two rows of four grey images: above the first normal images by name, below the first anomalous ones, which on ELPV show dark regions and cracks."}} tags=["heavy"]
import matplotlib.pyplot as plt
import numpy as np

from devnetlib.data.images import boxes_of, load_crops
from devnetlib.data.prepare import counts, prepare
from devnetlib.report.figures import image_grid

data = prepare(name, reading)
print(data.card.facts["title"], counts(data.table))
chosen = [data.table[data.table["label"] == label].head(4) for label in (0, 1)]
placed = [zip(rows["file"], boxes_of(rows), strict=True) for rows in chosen]
shown = [[load_crops(data.root / file, [box], 224)[0] for file, box in rows] for rows in placed]
image_grid([[np.asarray(image) for image in images] for images in shown], ["normal", "anomalous"])
plt.show()

# %% [markdown]
# ## 2. Split
#
# `split` divides the normals 3:1, `draw` chooses which ten anomalies carry a label; all other anomalies are tested. Neither number moves the other's
# choice.

# %% tags=["heavy"]
from devnetlib.study.execution import Machine, partition_of, row_numbers
from devnetlib.study.planning import plan

machine = Machine()
asked = {"reading": reading, "splits": [split], "draws": [draw]}
asked["anomalies"] = min(10, counts(data.table)["test_anomaly"] // 2)  # some are left to test
(run,) = plan(name, "devnet", profile, **asked)
partition = partition_of(run, data)
rows = row_numbers(data, partition)
print({name: len(numbers) for name, numbers in rows.items()}, "labelled:", *partition.labelled[:3], "...")

# %% [markdown]
# ## 3. Decode once: the bank
#
# All images, squashed to one size, as one array of bytes that is kept on disk.

# %% tags=["heavy"]
from devnetlib.data.images import image_bank

bank = image_bank(data.table, data.root, run.training.pixels, machine.cache)
print(bank.shape, bank.dtype, f"{bank.nbytes / 1e6:.0f} MB")

# %% [markdown]
# ## 4. Build
#
# A ResNet-18 cut after a stage, and one linear unit a head on every cell of its map. In the frozen lane the maps of all images are computed once and kept.

# %% tags=["heavy"]
import torch

from devnetlib.report.numbers import numbers
from devnetlib.report.selection import weights_title
from devnetlib.study.execution import THREADS, build_detector, lane_inputs

torch.set_num_threads(THREADS[run.training.lane])
detector, _ = build_detector(run, machine)
inputs = lane_inputs(run, detector, data, bank, machine)
print(f"{run.training.lane} lane, weights {weights_title(run.weights)}, taps (scale, stage) {detector.taps}")
if run.weights == "random":
    print(f"with ImageNet weights expect an AUROC of about {numbers()['elpv_devnet_auroc']} under quick on ELPV")

# %% [markdown]
# ## 5. Train
#
# Every update sees as many labelled anomalies as normals, so each of the ten comes two or three times. The loss is the deviation loss, summed over the heads.

# %% mystnb={"image": {"alt": "The loss over the updates: it falls steeply at first and then levels off."}} tags=["heavy"]
from devnetlib.report.figures import axes
from devnetlib.study.execution import train

losses = train(run, detector, inputs, rows)
_, (ax,) = axes(6, 2.6)
ax.plot(losses, linewidth=2)
ax.set(xlabel="update", ylabel="loss, summed over heads", ylim=(0, None))
plt.show()

# %% [markdown]
# ## 6. Score
#
# One number an image; larger means more anomalous. AUROC is the chance that an anomaly scores higher than a normal image.

# %% mystnb={"image": {"alt": "Two overlapping histograms of test scores: normal images at small scores, anomalous ones shifted to larger ones; a dashed line at 1.96."}} tags=["heavy"]
import numpy as np

from devnetlib import Scores, auroc
from devnetlib.report.figures import score_histogram
from devnetlib.study.execution import score

values = score(detector, inputs, rows["test"])
labels = np.array(partition.test_label)
print(f"AUROC {auroc(values, labels):.3f}")
_, (ax,) = axes(6, 3)
score_histogram(Scores(run, partition.digest, tuple(values), {}, labels=labels), ax)
plt.show()

# %% [markdown]
# ## 7. Explain one defect
#
# The gradient of the score with respect to each pixel says where the score comes from. The three test anomalies with the highest scores, by rule
# and not by hand; beneath them the three with the lowest, which the detector misses.

# %% mystnb={"image": {"alt": "Six test anomalies with a saliency map laid over each: above the three with the highest scores, where the map gathers on dark or cracked regions, below the three with the lowest scores, where it is diffuse."}} tags=["heavy"]
from devnetlib.report.figures import overlay_grid
from devnetlib.saliency import saliency
from devnetlib.study.training import Pixels

detector.eval()
anomalous = rows["test"][labels == 1]
order = np.argsort(-values[labels == 1])
shown = [anomalous[order[:3]], anomalous[order[-3:]]]
pixels = Pixels(bank, machine.torch_device(), 0, np.random.default_rng(0))
maps = [saliency(detector, pixels.plain(chosen)).cpu().numpy() for chosen in shown]
overlay_grid([bank[chosen][:, 0] for chosen in shown], maps, ["highest scores", "lowest scores"])
plt.show()

# %% [markdown]
# ## The same in one line
#
# `execute(run)` does the seven steps and returns scores that can be stored; `python -m devnetlib run` is the same from a terminal.

# %% tags=["heavy"]
from devnetlib import execute

scores, _ = execute(run, machine)
assert np.allclose(scores.values, values, rtol=1e-6)
print(run.command)

# %% [markdown]
# ## Try it
#
# **Exercise.** Predict: what happens to the AUROC when the score keeps its sign, as the paper writes it? Then run it.

# %% tags=["heavy", "hide-cell", "solution"]
(signed,) = plan(name, "devnet", profile, **asked, options={"signed": True})
signed_scores, _ = execute(signed, machine)
print(f"|score| {auroc(values, labels):.3f}, signed {auroc(signed_scores.values, signed_scores.labels):.3f}")
assert values.min() >= 0  # without its sign a score cannot fall below the reference's mean
