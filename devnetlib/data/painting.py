"""Painted images: fields, gradients, leaves, gratings, strokes and discs, in grey or colour, drawn from numbers alone.

They belong to no data set and to no experiment; `embedded` learns from them beside cells of ELPV that no experiment
uses. An image is a function of its number and side.
"""

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float64]  # (side,side), about [0, 1]


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number drawn evenly from a range."""
    return low + (high - low) * rng.random()


def axes_of(side: int) -> tuple[Picture, Picture]:
    """Pixel centres as shares of the side: x (1,side), y (side,1)."""
    x = ((np.arange(side) + 0.5) / side)[None]
    return x, x.T


def turned(rng: np.random.Generator, side: int) -> tuple[Picture, Picture]:
    """Coordinates along two directions at right angles, the first one drawn: (side,side) each."""
    x, y = axes_of(side)
    angle = between(rng, 0, np.pi)
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def field(rng: np.random.Generator, side: int) -> Picture:
    """A Gaussian random field whose amplitude falls with a power of the frequency, 0.7 to 2.2."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(rng.standard_normal((side, side))) * frequency ** -between(rng, 0.7, 2.2)
    spectrum[0, 0] = 0
    found = np.fft.irfft2(spectrum, (side, side))
    return 0.5 + between(rng, 0.05, 0.25) * found / found.std()


def gradient(rng: np.random.Generator, side: int) -> Picture:
    """Light that falls off along a direction and from a point, with a little noise."""
    along, _ = turned(rng, side)
    x, y = axes_of(side)
    away = np.hypot(x - rng.random(), y - rng.random())
    noise = between(rng, 0, 0.06) * rng.standard_normal((side, side))
    return between(rng, 0.2, 0.8) + between(rng, -0.6, 0.6) * (along - 0.5) + between(rng, -0.6, 0.6) * away + noise


def shape(rng: np.random.Generator, side: int, radius: float) -> NDArray[np.bool_]:
    """An ellipse or a box of about that radius, as a share of the side, at any angle and place: bool (side,side)."""
    along, across = turned(rng, side)
    centre = along.flat[(spot := rng.integers(side * side))], across.flat[spot]
    along, across = (along - centre[0]) / radius, (across - centre[1]) / (radius * between(rng, 0.3, 1))
    return np.maximum(abs(along), abs(across)) <= 1 if rng.random() < 0.4 else along**2 + across**2 <= 1


def leaves(rng: np.random.Generator, side: int) -> Picture:
    """Dead leaves: ellipses and boxes that cover one another, many small and few large, each with a grain."""
    found = np.full((side, side), rng.random())
    grain = field(rng, side) - 0.5
    radii = np.sort(0.02 * (1 - rng.random(60) * 0.995) ** -0.5)[::-1]
    for radius in radii:
        found[shape(rng, side, min(radius, 0.3))] = rng.random()
    return found + between(rng, 0, 1) * grain


def grating(rng: np.random.Generator, side: int) -> Picture:
    """Stripes, or a grid or checkers of two gratings at right angles, soft or hard."""
    waves = [np.sin(2 * np.pi * (axis * 2 ** between(rng, 1, 5) + rng.random())) for axis in turned(rng, side)]
    kind = rng.integers(3)
    wave = waves[0] if kind == 0 else np.maximum(*waves) if kind == 1 else waves[0] * waves[1]
    hard = np.tanh(wave * 2 ** between(rng, 0, 4))
    return 0.5 + between(rng, -0.45, 0.45) * hard


def strokes(rng: np.random.Generator, side: int) -> Picture:
    """Short bent strokes in rows, as in writing, or long ones anywhere, dark or bright on an even ground."""
    x, y = axes_of(side)
    ground, ink = rng.random(2)
    found = np.full((side, side), ground)
    in_rows, pitch, width = rng.random() < 0.5, between(rng, 0.05, 0.15), between(rng, 0.004, 0.015)
    for _ in range(60 if in_rows else 15):
        left, top = rng.random(2)
        top = np.floor(top / pitch) * pitch if in_rows else top
        length = pitch * between(rng, 0.3, 0.9) if in_rows else between(rng, 0.1, 0.9)
        cosine, sine = np.cos(angle := between(rng, 0, 2 * np.pi)), np.sin(angle)
        along, across = (x - left) * cosine + (y - top) * sine, (y - top) * cosine - (x - left) * sine
        bend = between(rng, -1, 1) / max(length, 0.1)
        found[(abs(along) <= length / 2) & (abs(across - bend * along**2) <= width)] = ink
    return found


def discs(rng: np.random.Generator, side: int) -> Picture:
    """One large grained shape with smaller ones inside it, on black or white."""
    found = np.full((side, side), float(rng.random() < 0.2))
    x, y = axes_of(side)
    middle = np.hypot((x - between(rng, 0.4, 0.6)) / between(rng, 0.7, 1.2), y - between(rng, 0.4, 0.6))
    inside = middle <= between(rng, 0.25, 0.5)
    body = between(rng, 0.2, 0.8) + between(rng, 0.3, 1.2) * (field(rng, side) - 0.5)
    for radius in between(rng, 0.03, 0.15) * rng.random(rng.integers(1, 8)) + 0.01:
        body = np.where(shape(rng, side, radius), body + between(rng, -0.4, 0.4), body)
    rim = inside & (middle >= between(rng, 0.4, 0.5) - 0.02)
    return np.where(inside, np.where(rim, rng.random(), body), found)


PAINTERS = (field, gradient, leaves, grating, strokes, discs)


def picture(rng: np.random.Generator, side: int, painter: int) -> Picture:
    """A painter's picture; half of the time another painter's shows through where a field is high."""
    found = PAINTERS[painter](rng, side)
    if rng.random() < 0.5:
        other = PAINTERS[rng.integers(len(PAINTERS))](rng, side)
        found = np.where(field(rng, side) > between(rng, 0.5, 0.8), other, found)
    return found


def painted(number: int, side: int) -> NDArray[np.uint8]:
    """Image `number`, uint8 (3,side,side): painters take turns; every other image is grey, the others mix two pictures
    by channel."""
    rng = np.random.default_rng([number, 20210801])
    first = picture(rng, side, number % len(PAINTERS))
    if number // len(PAINTERS) % 2:
        mixing = rng.uniform(-0.6, 0.6, (3, 2)) + np.array([0.6, 0])
        pair = np.stack([first, picture(rng, side, rng.integers(len(PAINTERS)))]) - 0.5
        found = 0.5 + np.einsum("cp,pyx->cyx", mixing, pair)
    else:
        found = np.broadcast_to(first, (3, side, side))
    return np.rint(found.clip(0, 1) * 255).astype(np.uint8)
