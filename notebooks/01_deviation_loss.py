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
# # The loss: what does training ask of a score?
#
# **One value from normal images, and from anomalies any value beyond a margin.** This chapter takes the loss apart: its references, its margin, the top-K score
# beneath it, its threshold, and what the paper says about space where no data lie.
#
# You will be able to: write the loss down and say where its gradient is zero; tell which of its numbers matter and which do not; test a claim about unseen
# anomalies on data whose answer you know. You need the {doc}`method page <../method>`. Reading takes a quarter of an hour, executing less than a minute.
# Everything here is **synthetic**, drawn from the seed below, but for the published scores in the section on 1.96.

# %% tags=["parameters"]
profile = "quick"  # smoke: fewer repetitions and updates, to see that everything runs
datasets = "elpv,headct,kolektorsdd"  # whose published scores are held against the threshold 1.96
seed = 0  # of everything that is drawn
references = 5000  # l: reference scores
margin = 5.0  # a: how far above the references anomalies shall lie

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from devnetlib import auroc, check_parameters
from devnetlib.report.figures import axes
from devnetlib.report.teaching_figures import curves, distributions, heat, mark

request = check_parameters(globals())
rng = np.random.default_rng(seed)
repeats, steps = (50, 60) if profile == "smoke" else (1000, 400)

# %% [markdown]
# ## The loss and its gradient
#
# Draw references $r_1 \dots r_l$ from $\mathcal{N}(0, 1)$ (Eqs. 4 and 5), with mean $\mu_R$ and standard deviation $\sigma_R$. The score $\phi(x)$ of an image
# becomes a deviation (Eq. 7), and the deviation a loss (Eq. 8):
#
# $$\mathrm{dev}(x) = \frac{\phi(x) - \mu_R}{\sigma_R}, \qquad
#   L = (1 - y)\,|\mathrm{dev}(x)| + y \max(0, a - \mathrm{dev}(x)).$$
#
# Look at the right panel first. The gradient has one size, $1/\sigma_R$, wherever it is not zero: a normal image at 0.1 is pulled as hard as one at 3. An
# anomaly beyond the margin is no longer pulled, however many normal images lie beside it. For normal images there is no such rest: the pull turns round at the
# references' mean, and steps of one size overshoot. A falling learning rate helps.


# %% mystnb={"figure": {"caption": "Loss (left) and its gradient in the score (right) for a normal image and an anomaly, a = 5. The gradient knows only one size.", "name": "fig-loss"}, "image": {"alt": "Left, loss against score: for a normal image a V with its tip at 0, for an anomaly a line that falls to 0 at a score of 5 and stays there. Right, the gradient: for a normal image it jumps from -1 to 1 at 0, for an anomaly from -1 to 0 at 5."}}
def loss(scores, labels, mean=0.0, sd=1.0):
    dev = (scores - mean) / sd
    return np.where(labels > 0, np.maximum(0, margin - dev), np.abs(dev))


reference, score = rng.normal(size=references), np.linspace(-4, 8, 1201)
mean, sd = reference.mean(), reference.std(ddof=1)
losses = {name: loss(score, label, mean, sd) for label, name in enumerate(("normal, y = 0", "anomaly, y = 1"))}
_, (left, right) = axes(9, 3, columns=2)
curves({name: (score, values) for name, values in losses.items()}, left).set(xlabel="score", ylabel="loss")
curves({name: (score, np.gradient(values, score)) for name, values in losses.items()}, right, legend=(0.62, 0.64))
right.set(xlabel="score", ylabel="gradient of the loss", ylim=(-1.2, 1.2))
plt.show()

# %% [markdown]
# ## What 5,000 references do
#
# Each call of the loss draws its references anew, so the loss of the same scores changes from call to call. By how much? Theory says that the mean of $l$ draws
# has a standard deviation of $1/\sqrt{l}$, and that $\sigma_R$ has one of about $1/\sqrt{2l}$. Below, both are simulated, and with them the loss of one batch
# of 24 normal images and 24 anomalies. For comparison: the loss when the references stay and the batch is drawn anew.

# %%
labels = np.repeat([0, 1], 24)
batches = rng.normal(np.where(labels, 4.0, 0.0), np.where(labels, 1.0, 0.5), size=(repeats, 48))
other_batches = loss(batches, labels).mean(axis=1)
sizes = (50, 200, 1000, 5000)  # l
spreads, average = {}, {}
for size in sizes:
    drawn = rng.normal(size=(repeats, size))
    moments = drawn.mean(axis=1), drawn.std(axis=1, ddof=1)
    one_batch = [loss(batches[0], labels, mean, sd).mean() for mean, sd in zip(*moments, strict=True)]
    spreads[size], average[size] = [np.std(values) for values in (*moments, one_batch)], np.mean(one_batch)
sd_mean, sd_sigma, sd_loss = spreads[5000]
print(f"sd of the mean {sd_mean:.4f} (theory {5000**-0.5:.4f}), of sigma {sd_sigma:.4f} (theory {1e4**-0.5:.4f})")
print(f"sd of the loss: {sd_loss:.4f} from the references, {other_batches.std():.4f} from the batch")
print(f"loss: {average[5000]:.4f} over redrawn references, {loss(batches[0], labels).mean():.4f} with a fixed (0, 1)")

# %% mystnb={"figure": {"caption": "How much the references' mean, their standard deviation and the loss of one batch vary from call to call, against the number of references. Dotted: the loss when the batch is drawn anew. At 5,000 the batch decides, and (0, 1) could stand in for the references.", "name": "fig-references"}, "image": {"alt": "Standard deviations over calls against the number of references, both axes logarithmic. Those of the references' mean, of their standard deviation and of the loss fall in parallel lines as one over the root of l; the mean's is 0.014 at 5,000. The spread from drawing another batch is a horizontal line near 0.09, which they cross below 200 references."}} tags=["hide-input"]
_, (ax,) = axes(6.5, 3.6)
names = ("mean of the references", "their standard deviation", "loss, references redrawn")
lines = {name: (sizes, values) for name, values in zip(names, zip(*spreads.values(), strict=True), strict=True)}
curves(lines | {"loss, batch redrawn": (sizes, [other_batches.std()] * len(sizes))}, ax, marker="o")
ax.set(xscale="log", yscale="log", xlabel="number of references l", ylabel="standard deviation over calls")
plt.show()

# %% [markdown]
# ## The margin
#
# Five standard deviations sound like a strong demand: a standard normal score would lie above them once in millions (the cell says how often). Yet nothing makes a
# normal image's score standard normal; training pulls it to 0. So what does $a$ decide? Think of images that look alike, of which a share $q$ in the batch are
# anomalies. They get the same score. Which score makes their mean loss least?
#
# Below $0$ and beyond $a$ it can only grow. Between them the slope is $(1 - q) - q$: the best score is 0 where anomalies are the minority and $a$ where they are
# the majority. **The loss learns a decision, and $a$ is the unit in which it is written.** Another margin changes the scale of the scores, and with a fixed
# learning rate how long it takes to get there, but not which images are best called anomalous. Cross-entropy learns more here: its best score is the log odds
# of $q$, which grades the doubtful cases.

# %% mystnb={"figure": {"caption": "Images that look alike, a share q of them anomalies. Left: their mean deviation loss against the score they all get, a = 5. Right: the score where the loss is least. Another margin moves the upper step and not the place of the jump.", "name": "fig-margin"}, "image": {"alt": "Left, mean loss against score: least at 0 for a share of 0.3, flat between 0 and 5 for 0.5, least at 5 for 0.7. Right, best score against the share: steps that jump at one half from 0 to 3, 5 or 10, the margin; for cross-entropy a smooth curve from -4 to 4."}}
from math import erfc

share, candidates = np.linspace(0.02, 0.98, 97), np.linspace(-2, 12, 1401)
best = {f"margin {a}": (share, np.where(share > 0.5, a, 0.0)) for a in (3, 5, 10)}
best["cross-entropy"] = share, np.log(share / (1 - share))
mixed = {f"q = {q}": (1 - q) * loss(candidates, 0) + q * loss(candidates, 1) for q in (0.3, 0.5, 0.7)}
_, (left, right) = axes(9, 3.2, columns=2)
curves({name: (candidates, values) for name, values in mixed.items()}, left).set(xlabel="score", ylabel="mean loss")
curves(best, right).set(xlabel="share q of anomalies in the batch", ylabel="best score")
plt.show()
for name in ("q = 0.3", "q = 0.7"):
    print(f"{name}: the loss is least at a score of {candidates[mixed[name].argmin()]:.2f}")
print(", ".join(f"P(Z > {a}) = {erfc(a / 2**0.5) / 2:.3g}" for a in (3, 5, 10)))

# %% [markdown]
# ## Beneath the loss: the mean of the K largest
#
# A score belongs to a cell of the map first. The image's score is the mean over the K largest cells (Eq. 6), a tenth of all; the holistic alternative is the mean
# over all of them. Take maps of 14 × 14 cells with independent standard normal scores and raise a few cells by 3: a defect. With one cell out of 196 the mean of
# all moves by 3/196. How well do three ways of joining the cells tell such maps from maps without a defect, as the defect shrinks?


# %%
def largest(patches, kept):
    return np.sort(patches, axis=-1)[..., -kept:].mean(axis=-1)


normal_maps, others = rng.normal(size=(2, repeats, 196))
truth, defects = np.repeat([0, 1], repeats), (1, 2, 3, 5, 10, 20, 50)
separation = {196: [], 19: [], 1: []}
for cells in defects:
    maps = others + 3 * (np.arange(196) < cells)
    for kept, values in separation.items():
        values.append(auroc(np.r_[largest(normal_maps, kept), largest(maps, kept)], truth))
print("AUROC for one cell in 196:", {f"mean of {kept}": round(values[0], 2) for kept, values in separation.items()})

# %% mystnb={"figure": {"caption": "Left: a synthetic map with one anomalous cell, marked, raised by 3; other cells are as high by chance. Right: AUROC of three image scores against the size of the defect. The mean over all cells loses small defects first; for a single cell the largest one alone is the better score.", "name": "fig-top-k"}, "image": {"alt": "Left, a noisy map of 14 by 14 cells; the anomalous cell is hardly brighter than others. Right, AUROC against the number of anomalous cells: for one cell about 0.55 with the mean of all cells, 0.65 with the mean of the 19 largest and 0.75 with the largest; all three near 1 from 20 cells on."}} tags=["hide-input"]
_, (left, right) = axes(9, 3.2, columns=2)
heat((others[0] + 3 * (np.arange(196) == 90)).reshape(14, 14), "patch score", left)
left.plot(90 % 14, 90 // 14, "s", markersize=14, markerfacecolor="none", color="#D55E00", markeredgewidth=2)
titles = {196: "mean of all 196", 19: "mean of the 19 largest", 1: "the largest"}
curves({titles[kept]: (defects, values) for kept, values in separation.items()}, right, marker="o")
right.set(xscale="log", xticks=defects, xticklabels=defects, ylim=(0.48, 1.02))
right.set(xlabel="anomalous cells of 196", ylabel="AUROC (0.5 is chance)")
right.minorticks_off()
plt.show()

# %% tags=["heavy"]
import torch

from devnetlib import deviation_loss
from devnetlib.deviation import reference_scores
from devnetlib.network import top_k_mean

# the same with the package: the loss on its own references, its gradient, the top-K mean
drawn = reference_scores(torch.Generator().manual_seed(seed), references)
scores = torch.tensor(batches[0], requires_grad=True)
deviation_loss(scores, torch.tensor(labels), drawn, margin).backward()
print("sizes of the gradient, times the batch:", sorted({round(48 * abs(slope), 3) for slope in scores.grad.tolist()}))
ours = loss(batches[0], labels, drawn.mean().item(), drawn.std().item()).mean()
assert np.isclose(deviation_loss(scores, torch.tensor(labels), drawn, margin).item(), ours)
assert np.allclose(top_k_mean(torch.tensor(normal_maps)), largest(normal_maps, 19))

# %% [markdown]
# ## With or without the sign
#
# The paper joins the scores of the cells as they are. The released code takes absolute values first, and so does this study unless a row says *signed*.
# With absolute values
#
# - no image scores below 0, so what the first figure shows left of 0 does not occur;
# - a cell may vote for "anomalous" by being very negative: training may push the cells of a defect to either side, and an unseen defect counts on either side;
# - normal cells are squeezed from both sides, where the signed score lets them fall as low as they like;
# - the mean of the largest starts higher. The figure shows by how much for cells that are independent and standard normal: what a normal image's map would be if
#   the references were taken at their word.

# %% mystnb={"figure": {"caption": "Top-10 % means of synthetic maps without any defect, 196 independent standard normal cells each: as the paper writes the score, and with absolute values as released. Dashed: 1.96.", "name": "fig-sign"}, "image": {"alt": "Two narrow histograms: the signed mean of the 19 largest cells lies around 1.76, almost all of it below 1.96; with absolute values it lies around 2.06, most of it above 1.96."}}
maps = rng.normal(size=(20 * repeats, 196))
normals = {"signed (paper)": largest(maps, 19), "absolute (released)": largest(np.abs(maps), 19)}
_, (ax,) = axes(6.5, 3)
distributions(normals, ax)
mark(1.96, "1.96", ax).set(xlabel="score of a map without defect", ylabel="share of the maps")
plt.show()
for name, values in normals.items():
    print(f"{name}: mean {values.mean():.2f}, above 1.96: {(values > 1.96).mean():.0%}")
maps[:, :10] = -4  # a defect of ten cells that training has pushed to the negative side
print(f"with ten cells at -4: signed {largest(maps, 19).mean():.2f}, absolute {largest(np.abs(maps), 19).mean():.2f}")

# %% [markdown]
# ## What 1.96 means
#
# Proposition 1 reads a score as a number of standard deviations and calls an image anomalous at 95 % where it exceeds 1.96, in the upper tail. For
# $Z \sim \mathcal{N}(0, 1)$ that is the two-sided point; the upper tail alone holds half as much. Neither speaks of our scores. A score is not one draw of $Z$ but
# a mean of the largest of many: the last figure shows where those lie. Nor has training asked for $\mathcal{N}(0, 1)$: it pulls *all* normal training images
# to 0, and says nothing of normal images it has not seen. So the share of normal test images above 1.96 must be counted. Here it is, for the published runs.

# %%
from statistics import NormalDist

from devnetlib.data.manifests import in_reading
from devnetlib.report.selection import cell, published

z = NormalDist()
print(f"Z > 1.96: {z.cdf(-1.96):.3f}; |Z| > 1.96: {2 * z.cdf(-1.96):.3f}; one-sided 5 % point: {z.inv_cdf(0.95):.3f}")
for dataset in request.datasets:
    plain, reading = in_reading(dataset)
    for name, options in (("absolute", {}), ("signed", {"signed": True})):
        runs = cell(published(), plain, "devnet", "quick", reading=reading, options=options).runs.values()
        above = [(run.values[run.labels == 0] > 1.96).mean() for run in runs]
        shares = f"{np.mean(above):.1%} ({min(above):.1%} to {max(above):.1%})" if above else "no published run"
        print(f"{dataset}, {name}: normal test images above 1.96 in {len(above)} runs: {shares}")

# %% [markdown]
# ## Where no data lie
#
# Ten labelled anomalies show a few kinds; others come later. The paper argues with the open-space risk (Eqs. 10 and 11), a notion of Scheirer and others
# (2013) for recognition with unknown classes: of the space far from all training data, how much does a detector accept as known, here as normal? The less the
# better. In two dimensions it can be counted. Normal points: two Gaussians. Seen anomalies: ten points above them. Unseen ones: a kind opposite to the seen one,
# and one between the Gaussians. Far away: a square frame without any data.
#
# A small network, two inputs, 32 hidden units and one score, is trained on balanced batches with the deviation loss and with cross-entropy, which takes the score
# as a logit, each on signed and on absolute scores. One rule for the threshold makes the four comparable: the 95 % quantile of normal points not trained on.


# %%
rng = np.random.default_rng(seed)


def blobs(number, sd, *centres):
    return np.vstack([rng.normal(centre, sd, size=(number, 2)) for centre in centres])


train_normal, test_normal = (blobs(number, 0.6, (-2, 0), (2, 0)) for number in (100, 1000))
train_seen = blobs(10, 0.5, (0, 4))
kinds = {"seen": blobs(500, 0.5, (0, 4)), "opposite": blobs(500, 0.5, (0, -4)), "between": blobs(500, 0.3, (0, 0))}
square = rng.uniform(-20, 20, size=(20000, 2))
kinds["far away"] = square[np.abs(square).max(axis=1) > 8]

# %% tags=["heavy"]
from devnetlib.network import initialise

inputs = np.vstack([train_normal, np.repeat(train_seen, 20, axis=0)])  # as many anomalies as normal points
targets = torch.repeat_interleave(torch.tensor([0.0, 1.0]), 200)


def score_of(network, points, signed):
    scores = network(torch.as_tensor(points, dtype=torch.float32))[:, 0]
    return scores if signed else scores.abs()


# %% tags=["heavy"]
def trained(network, deviates, signed, seed):
    generator = torch.Generator().manual_seed(seed)
    initialise(network.requires_grad_(), generator)  # a trained one starts anew
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01, fused=True)
    cross_entropy = torch.nn.BCEWithLogitsLoss()
    for _ in range(steps):
        scores = score_of(network, inputs, signed)
        drawn = reference_scores(generator, references)
        value = deviation_loss(scores, targets, drawn, margin) if deviates else cross_entropy(scores, targets)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    return network.requires_grad_(False)


# %% tags=["heavy"]
def accepted(network, signed):  # the share of each kind that scores as normal
    threshold = np.quantile(score_of(network, test_normal, signed), 0.95)
    return {kind: (score_of(network, points, signed).numpy() <= threshold).mean() for kind, points in kinds.items()}


def small_network(unit=torch.nn.ReLU):
    return torch.nn.Sequential(torch.nn.Linear(2, 32), unit(), torch.nn.Linear(32, 1))


recipes = {"deviation, signed": (True, True), "deviation, absolute": (True, False)}
recipes |= {"cross-entropy, signed": (False, True), "cross-entropy, absolute": (False, False)}

# %% [markdown]
# Five networks each, which differ in their first weights. The table has the share of each kind that scores as normal: the mean, the least and the most of the five.

# %% tags=["heavy"]
networks, shares = {}, {}
for name, recipe in recipes.items():
    networks[name] = [trained(small_network(), *recipe, seed + number) for number in range(5)]
    five = pd.DataFrame([accepted(network, recipe[1]) for network in networks[name]])
    shares[name] = {kind: f"{of.mean():.0%} ({of.min():.0%} to {of.max():.0%})" for kind, of in five.items()}
pd.DataFrame(shares).T

# %% mystnb={"figure": {"caption": "Synthetic plane. Blue: what a network, the first of five, calls normal, up to the black line at the threshold; grey: contours of the score. Signed cross-entropy accepts nearly all that lies away from the seen anomalies.", "name": "fig-open-space"}, "image": {"alt": "Four maps of a square plane, the region called normal in blue. Deviation loss on signed scores: wedges to the left and right, over the five networks about a quarter of the far frame. On absolute scores: a wedge and thin bands, a few per cent. Cross-entropy on signed scores: all but a wedge above, about four fifths. On absolute scores: hardly more than thin bands."}} tags=["heavy", "hide-input"]
from devnetlib.report.teaching_figures import legend_below, plane

figure, panels = axes(11, 3.4, columns=4)
grid = np.stack(np.meshgrid(*[np.linspace(-20, 20, 401)] * 2), axis=-1)
points = {"normal": train_normal, "seen": train_seen}
points |= {kind: kinds[kind][:40] for kind in ("opposite", "between")}
for ax, (name, (_, signed)) in zip(panels, recipes.items(), strict=True):
    threshold = np.quantile(score_of(networks[name][0], test_normal, signed), 0.95)
    scores = score_of(networks[name][0], grid.reshape(-1, 2), signed).numpy().reshape(401, 401)
    plane(scores, 20, threshold, points, ax).set(xlabel=name)
legend_below(figure)
plt.show()

# %% [markdown]
# ## What to notice
#
# 1. **The pull has one size.** Being nearly right does not weaken it; only the margin ends it, and only for anomalies.
# 2. **The references are nearly a constant.** At 5,000 their noise is a fraction of what drawing another batch makes, and a fixed (0, 1) gives nearly the same loss.
# 3. **The margin is a unit**, not a probability: it moves where anomalies go, not who goes there.
# 4. **The top-K mean is a compromise.** It keeps small defects that the mean over all cells loses; for a single cell the largest one alone keeps more.
# 5. **1.96 has no error rate of its own.** Even maps of standard normal cells exceed it, with absolute values most of them, and the data sets differ widely.
# 6. **Open space: what helps is that normal points have a value to keep and not only a side to be on.** The deviation loss asks for that, and on signed scores it
#    accepts far less of the frame than cross-entropy, for which lower is always more normal. But absolute scores do the same for cross-entropy.
# 7. **No row is safe everywhere.** Between the Gaussians the order of the two losses on signed scores is the reverse. Nothing was trained there or far away: the
#    network fills the gaps, and its units (Exercise 2) and the length of its training decide how. Two dimensions show a mechanism; they are no evidence on images.
#
# ## Try it
#
# **Exercise 1.** In a batch every second image is an anomaly; in the world perhaps one in a hundred. Take images that look alike and have a share $s$ of anomalies among
# them in the world. Predict: from which $s$ on is the margin the best score? Then find it.

# %% tags=["hide-cell", "solution"]
in_world = 0.01
share = np.linspace(0.001, 0.05, 491)  # s
odds = share / (1 - share) * (1 - in_world) / in_world  # balancing the batch multiplies the odds of an anomaly
in_batch = (odds / (1 + odds))[:, None]
expected = (1 - in_batch) * loss(candidates, 0) + in_batch * loss(candidates, 1)
jump = share[candidates[expected.argmin(axis=1)] > margin / 2].min()
print(f"the best score jumps at a share of {jump:.4f}")
assert abs(jump - in_world) < 0.0005  # images more often anomalous than the average image go to the margin

# %% [markdown]
# **Exercise 2.** Put one linear unit, which is all that the frozen lane trains, in the place of the small network, then a small network with `Tanh` units. Predict how
# much of the far frame each accepts, signed and absolute, under either loss. Then count.

# %% tags=["heavy", "hide-cell", "solution"]
far_away = {}
for kind, network in (("linear", torch.nn.Linear(2, 1)), ("tanh", small_network(torch.nn.Tanh))):
    for name, recipe in recipes.items():
        far_away[kind, name] = accepted(trained(network, *recipe, seed), recipe[1])["far away"]
        print(f"{kind}, {name}: {far_away[kind, name]:.0%}")
for loss_name in ("deviation", "cross-entropy"):
    assert abs(far_away["linear", f"{loss_name}, signed"] - 0.5) < 0.1  # half of the plane, whatever the loss
    assert far_away["linear", f"{loss_name}, absolute"] < 0.2  # a band
