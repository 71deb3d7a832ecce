"""toy: a synthetic printed cloth with five kinds of defects and exact masks, for tests and first steps. Not a real data
set.

An image is a pure function of its number, defect, side and difficulty, with the same pixels on every machine: it is
made of evenly drawn numbers by + - * / and comparisons of doubles alone, which IEEE 754 rounds alike everywhere (it
promises nothing of sines and logarithms). The scene is drawn before the noise and in shares of the side, so that a
number shows the same one at any side.
"""

from dataclasses import dataclass
from functools import reduce

import numpy as np

SIZE = 112  # pixels; the study explains at 224, where a pixel of a mask is then exactly 2 x 2
SMALLEST = 32  # pixels; a thread is then about two wide
FAINTEST = 0.1  # how much of a defect is left at difficulty 1
THREADS = 14  # across a side
PITCH, MOTIF = 0.25, 0.06  # of the side: between printed diamonds, and from the middle of one to its corner
SLIP = 0.06  # of the side: how far a diamond can be printed beside its place, each way


@dataclass(frozen=True)
class Threads:
    """The parallel threads of one direction, along one axis: arrays that broadcast to (size,size)."""

    number: np.ndarray  # which thread a pixel lies on
    across: np.ndarray  # where on it, -1 to 1
    tone: np.ndarray  # how bright it is


@dataclass(frozen=True)
class Cloth:
    """A flawless scene: pixel centres as shares of the side, threads, and where the print begins."""

    x: np.ndarray  # (1,size)
    y: np.ndarray  # (size,1)
    warp: Threads  # upright
    weft: Threads  # level
    corner: np.ndarray  # (2,), x and y of the first diamond that is inside wherever it is misprinted
    light: np.ndarray  # (size,size), factor


Defect = tuple[np.ndarray, np.ndarray | float]  # its mask, bool (size,size), and the surface there, before light


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number drawn evenly from a range."""
    return low + (high - low) * rng.random()


def spun(rng: np.random.Generator, position: np.ndarray) -> Threads:
    """Threads that differ a little in brightness, cut by the edge where they happen to be."""
    place = position * THREADS + rng.random()
    number = np.floor(place).astype(int)
    return Threads(number, 2 * (place - number) - 1, (0.8 + 0.1 * rng.random(THREADS + 1))[number])


def lay(rng: np.random.Generator, size: int) -> Cloth:
    """A scene: its threads, its print and a light that falls off towards a side."""
    x = ((np.arange(size) + 0.5) / size)[None]
    y = x.T
    light = 1 + between(rng, -0.12, 0.12) * (2 * x - 1) + between(rng, -0.12, 0.12) * (2 * y - 1)
    return Cloth(x, y, spun(rng, x), spun(rng, y), MOTIF + SLIP + PITCH * rng.random(2), light)


def seen(top: Threads, below: Threads) -> np.ndarray:
    """Brightness of threads that pass over the others: round, and bent down where they go under again."""
    return top.tone * (1 - 0.45 * top.across * top.across) * (1 - 0.25 * below.across * below.across)


def diamond(cloth: Cloth, x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
    """Where a printed diamond around a point lies: bool (size,size)."""
    return np.abs(cloth.x - x) + np.abs(cloth.y - y) <= MOTIF


def nearest(position: np.ndarray, start: float) -> np.ndarray:
    """For every pixel the nearest row or column of printed diamonds, along one axis."""
    return start + PITCH * np.floor((position - start) / PITCH + 0.5)


def pattern(cloth: Cloth) -> np.ndarray:
    """Where the print lies, diamonds in rows and columns: bool (size,size)."""
    return diamond(cloth, nearest(cloth.x, cloth.corner[0]), nearest(cloth.y, cloth.corner[1]))


def woven(cloth: Cloth) -> np.ndarray:
    """A plain weave, every thread over one and under the next: (size,size)."""
    over = cloth.warp.number % 2 == cloth.weft.number % 2
    return np.where(over, seen(cloth.warp, cloth.weft), seen(cloth.weft, cloth.warp))


def printed(surface: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The surface with ink on it."""
    return np.where(where, 0.6 * surface, surface)


def blob(rng: np.random.Generator, cloth: Cloth, low: float, high: float) -> np.ndarray:
    """An uneven round patch of a radius in the range, wholly inside: (size,size), 0 in its middle, 1 on its edge."""
    radius = between(rng, low, high)
    centre = 1.8 * radius + (1 - 3.6 * radius) * rng.random(2)
    lobes = [(0.0, 0.0, radius)]
    lobes += [(*(radius * (1.2 * rng.random(2) - 0.6)), between(rng, 0.5, 0.9) * radius) for _ in range(3)]
    away = [(cloth.x - centre[0] - dx, cloth.y - centre[1] - dy, part) for dx, dy, part in lobes]
    return reduce(np.minimum, [(dx * dx + dy * dy) / (part * part) for dx, dy, part in away])


def hole(rng: np.random.Generator, cloth: Cloth, surface: np.ndarray) -> Defect:
    """A dark hole with a radius of about 5-8 % of the side."""
    return blob(rng, cloth, 0.05, 0.08) <= 1, 0.1


def stain(rng: np.random.Generator, cloth: Cloth, surface: np.ndarray) -> Defect:
    """A stain that darkens the threads, most at its rim, with a radius of about 9-14 % of the side."""
    edge = blob(rng, cloth, 0.09, 0.14)
    return edge <= 1, surface * (0.8 - 0.3 * edge)


def scratch(rng: np.random.Generator, cloth: Cloth, surface: np.ndarray) -> Defect:
    """A bright, slightly bent scratch, 35-60 % of the side long and 2-3 % wide (1.5 pixels at the least)."""
    half, wide, bend = between(rng, 0.175, 0.3), between(rng, 0.01, 0.015), between(rng, -0.3, 0.3)
    centre = half + 0.03 + (1 - 2 * half - 0.06) * rng.random(2)
    turn = between(rng, -1, 1)  # the tangent of half its angle
    cosine, sine = (1 - turn * turn) / (1 + turn * turn), 2 * turn / (1 + turn * turn)
    dx, dy = cloth.x - centre[0], cloth.y - centre[1]
    along, across = dx * cosine + dy * sine, dy * cosine - dx * sine
    off = np.abs(across - bend * (along * along - half * half / 3))
    return (np.abs(along) <= half) & (off <= max(wide, 0.75 / cloth.x.size)), 0.95


def missing_thread(rng: np.random.Generator, cloth: Cloth, surface: np.ndarray) -> Defect:
    """A thread that is not there for 40-70 % of the side: the crossing ones lie bare and deep."""
    length, level = between(rng, 0.4, 0.7), rng.random() < 0.5
    start, lost = (1 - length) * rng.random(), 1 + int((THREADS - 1) * rng.random())
    along, gone, bare = (cloth.x, cloth.weft, cloth.warp) if level else (cloth.y, cloth.warp, cloth.weft)
    mask = (gone.number == lost) & (along >= start) & (along <= start + length)
    return mask, 0.4 * bare.tone * (1 - bare.across * bare.across)


def misprint(rng: np.random.Generator, cloth: Cloth, surface: np.ndarray) -> Defect:
    """Two by two diamonds printed a second time, 3-6 % of the side beside their places each way, ink on ink."""
    slip = [between(rng, 0.03, SLIP) * (1 if rng.random() < 0.5 else -1) for _ in range(2)]
    first = cloth.corner + PITCH * np.floor(2 * rng.random(2)) + slip
    axes = ((cloth.x, first[0]), (cloth.y, first[1]))
    again = diamond(cloth, *(np.clip(nearest(axis, start), start, start + PITCH) for axis, start in axes))
    return again, printed(surface, again)


PAINTERS = {painter.__name__: painter for painter in (hole, scratch, stain, missing_thread, misprint)}
DEFECTS = tuple(PAINTERS)


def exposed(rng: np.random.Generator, cloth: Cloth, surface: np.ndarray) -> np.ndarray:
    """The surface in its light and with the noise of a sensor, about [0, 1]: (size,size)."""
    first, second, third = rng.random((3, *surface.shape))  # their sum is nearly normal
    return surface * cloth.light + 0.05 * (first + second + third - 1.5)


def weave(rng: np.random.Generator, size: int = SIZE) -> np.ndarray:
    """A printed cloth without a defect, unevenly lit, with sensor noise: float (size,size), about [0, 1]."""
    cloth = lay(rng, size)
    return exposed(rng, cloth, printed(woven(cloth), pattern(cloth)))


def toy_image(
    number: int, defect: str = "", size: int = SIZE, difficulty: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Image `number` with the defect named, or none: uint8 (size,size), and its exact mask, bool (size,size).

    `difficulty` fades the defect into the surface: 0 shows it whole, 1 leaves a tenth of it; the mask stays. Raises
    ValueError for an unknown defect, a side below 32 and a difficulty outside [0, 1].
    """
    if defect not in ("", *DEFECTS) or size < SMALLEST or not 0 <= difficulty <= 1:
        asked = f"defect {defect!r}, size {size}, difficulty {difficulty}"
        raise ValueError(f"{asked}: expected one of {', '.join(DEFECTS)}, {SMALLEST} or more, and 0 to 1")
    rng = np.random.Generator(np.random.PCG64([number, ("", *DEFECTS).index(defect)]))
    cloth = lay(rng, size)
    surface, mask = printed(woven(cloth), pattern(cloth)), np.zeros((size, size), bool)
    if defect:
        mask, changed = PAINTERS[defect](rng, cloth, surface)
        left = 1 - (1 - FAINTEST) * difficulty
        surface = np.where(mask, surface + left * (changed - surface), surface)
    return np.rint(exposed(rng, cloth, surface).clip(0, 1) * 255).astype(np.uint8), mask
