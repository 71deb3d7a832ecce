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
# # Results: every number on one page

# %% tags=["parameters", "hide-cell"]
datasets = ""  # data sets to show, NAME or NAME:READING, separated by commas; empty: all that are published
results = ""  # folder of your scores; empty: results/ of the repository

# %% tags=["hide-input"]
from IPython.display import Markdown

from devnetlib import QUESTIONS, check_parameters
from devnetlib.report.answers import not_published, verdict_counts
from devnetlib.report.tables import published_datasets

request = check_parameters(globals())
names = request.datasets or published_datasets()
Markdown(
    "**{runs} published runs, {measured} of {claims} claims judged**, which gives {judgements} verdicts, one a data set and rival: {verdicts}. Every table below is computed from the scores that come with this book; a dash marks what nobody has run, and no cell is filled from another profile. The scores have the digest `{digest}`, which `make verify` prints, too.".format(
        **verdict_counts()
    )
    + not_published(names)
)

# %% [markdown]
# You will be able to: find the number behind any sentence of this book, the command that makes it again, and how far to trust it. Nothing is executed here.

# %% [markdown]
# ## Verdicts
#
# Each claim by the rule that was written down before ({doc}`how to read them <../claims>`).

# %% tags=["hide-input"]
from IPython.display import HTML, display

from devnetlib.report.html import claims_table_html, question_tables_html, scrolling

HTML(scrolling(claims_table_html(), "Claims and verdicts"))

# %% [markdown]
# ## DevNet against print, and against a second measurement
#
# *Printed* is the paper's fine-tuned network, *again* is {cite:t}`zhu2024anomaly`, who ran the released code once more; ours is the frozen lane.

# %%
from devnetlib.report.pairs import beside_print

beside_print(names)

# %% [markdown]
# ## Where the spread comes from
#
# Of a mean over splits and draws (Q1): its standard error, the three components (which normals train, which anomalies are labelled, which seed), and what is left. *Test images* is the
# standard error of one run's AUROC over its test images: it is part of what differs between splits and stands beside it, not on top of it. Images that stand alone: DeLong; others: the bootstrap over whole
# groups.

# %%
from devnetlib.report.spread import spread_table

spread_table(names, ("DevNet", "FLOS", "Cross-entropy", "Mahalanobis, no labels"))

# %% [markdown]
# ## Paired differences
#
# DevNet's lead over each main row on each data set, over the same splits and draws, with its 95 % interval; then the same with Nadeau and Bengio's correction: the part of the variance that comes from the
# splits counts for more, because they train on nearly the same images. Both are conditional on this release of the images: another sample of the same product may differ by more.

# %%
from devnetlib.report.pairs import lead_table

rivals = ["DevNet, signed", "FLOS", "Cross-entropy", "Mahalanobis, no labels", "DevNet, shuffled labels"]
display(lead_table("q1", "DevNet", rivals))
display(lead_table("q1", "DevNet", rivals, corrected=True))

# %% [markdown]
# Over four data sets no two-sided signed-rank test can fall below .125, so none is made of ours. The paper's own nine, twenty-three and thirty sets allow one: see {doc}`Q1 <q1_detection>` and
# {doc}`Q2 <q2_open_set>`.

# %% [markdown]
# ## The tables
#
# Fold one open; each row ends with the command that executes it again.

# %% tags=["hide-input"]
for question, asked in QUESTIONS.items():
    display(Markdown(f"**{question.upper()}.** {asked.title}"))
    display(HTML(question_tables_html(question, names, request.results)))

# %% [markdown]
# ## What is missing
#
# Rows that nobody has run, with the reason where there is one.

# %%
from devnetlib.report.pairs import missing_cells

missing_cells(names)
