"""toy: a synthetic woven surface with holes and scratches and exact masks, for tests and first steps. Not a real
data set."""

import numpy as np

SIZE = 96  # pixels
DEFECTS = ("hole", "scratch")


def weave(rng: np.random.Generator, size: int = SIZE) -> np.ndarray:
    """A woven surface, unevenly lit, with sensor noise: float (size,size), about [0, 1]."""
    y, x = np.mgrid[:size, :size] / size
    phase, tilt = rng.uniform(0, 2 * np.pi, 2), rng.uniform(-0.05, 0.05, 2)
    threads = np.sin(2 * np.pi * 12 * x + phase[0]) + np.sin(2 * np.pi * 12 * y + phase[1])
    light = 0.55 + tilt[0] * (2 * x - 1) + tilt[1] * (2 * y - 1)
    return light + 0.08 * threads + rng.normal(0, 0.02, (size, size))


def hole(rng: np.random.Generator, size: int = SIZE) -> np.ndarray:
    """Mask of a round hole, 5-9 % of the side in radius, wholly inside: bool (size,size)."""
    y, x = np.mgrid[:size, :size] + 0.5
    radius = rng.uniform(0.05, 0.09) * size
    centre = rng.uniform(radius + 1, size - radius - 1, 2)
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2


def scratch(rng: np.random.Generator, size: int = SIZE) -> np.ndarray:
    """Mask of a straight scratch, 25-45 % of the side long and about 2 pixels wide: bool (size,size)."""
    y, x = np.mgrid[:size, :size] + 0.5
    angle, half = rng.uniform(0, np.pi), rng.uniform(0.125, 0.225) * size
    centre = rng.uniform(half + 1, size - half - 1, 2)
    along = (x - centre[1]) * np.cos(angle) + (y - centre[0]) * np.sin(angle)
    across = -(x - centre[1]) * np.sin(angle) + (y - centre[0]) * np.cos(angle)
    return (np.abs(along) <= half) & (np.abs(across) <= 1.2)


def toy_image(number: int, defect: str = "", size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Image `number` with the defect named, or none: uint8 (size,size), and its exact mask, bool (size,size)."""
    rng = np.random.default_rng([number, DEFECTS.index(defect) + 1 if defect else 0])
    surface, mask = weave(rng, size), np.zeros((size, size), bool)
    if defect:
        mask = {"hole": hole, "scratch": scratch}[defect](rng, size)
        surface = np.where(mask, 0.15 if defect == "hole" else surface + 0.3, surface)
    return (surface.clip(0, 1) * 255).round().astype(np.uint8), mask
