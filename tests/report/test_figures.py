"""Figures: what a fork adds is drawn as well."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from devnetlib.report import figures
from devnetlib.report.curves import Point
from devnetlib.report.explanation_figures import trade_off
from devnetlib.report.figures import LOOKS, SET_LOOKS, look
from devnetlib.report.selection import cell, published
from devnetlib.report.sweeps import Sweep

NEW = ("A method of one's own", "my/tiles", "Another")


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def test_a_row_without_a_look_of_its_own_gets_one_that_no_other_has_and_keeps_it():
    known = [*LOOKS.values(), *SET_LOOKS.values()]
    assert all(look(title) == look(title) not in known for title in NEW) and len(set(map(look, NEW))) == len(NEW)
    assert look("DevNet") == LOOKS["DevNet"] and look("headct") == SET_LOOKS["headct"]


def test_new_rows_are_drawn_in_every_figure(ax):
    runs = list(cell(published(), "headct", "devnet", "quick").runs.values())
    titles = [*NEW, "DevNet", "FLOS", "MINNS", "Deep SAD", "KDAD"]
    assert figures.run_points(dict.fromkeys(titles, np.array([[0.8, 0.9]])), 0.9, ax) is ax
    figures.critical_difference({title: rank for rank, title in enumerate(titles, start=1)}, 1.5, ax)
    figures.draw_curves({title: [Point(1, 0.8, 0.7, 0.9, 20, 4)] for title in titles}, "labels", ax, (NEW[2], 0.8))
    trade_off(dict.fromkeys(titles, Sweep(np.array([0.1]), np.array([0.5]), np.array([0.9]))), ax)
    ax.clear()
    figures.roc(dict(zip(titles, runs, strict=False)), ax)
    assert len(ax.lines) == len(titles) + 1  # and the diagonal: no row is left out for want of a line style


def test_the_legend_of_several_panels_names_every_row_of_any_panel():
    points = [Point(1, 0.8, 0.7, 0.9, 20, 4)]
    figure = figures.curve_panels({"a": {"DevNet": points}, "b": {"DevNet": points, NEW[0]: points}}, "labels", "FLOS")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["DevNet", NEW[0]]
    plt.close(figure)
