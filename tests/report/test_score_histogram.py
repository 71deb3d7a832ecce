"""The histogram of one run's scores."""

import matplotlib.pyplot as plt

from devnetlib.report.figures import axes, score_histogram


def test_without_a_run_the_histogram_says_so_and_draws_nothing():
    figure, (ax,) = axes(2, 2)
    score_histogram(None, ax)
    assert ax.texts[0].get_text() == "no such run is stored" and not ax.patches
    plt.close(figure)
