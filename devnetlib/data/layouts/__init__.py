"""One reader a raw release: `locate(data_root)` finds or makes the files, `read(root)` lists them as an image table."""

from types import ModuleType

from devnetlib.data.layouts import (
    aitex,
    brainmri,
    elpv,
    folder,
    headct,
    hyperkvasir,
    kolektorsdd,
    mastcam,
    mvtec,
    optical,
    toy,
)

LAYOUTS: dict[str, ModuleType] = {
    "aitex": aitex,
    "brainmri": brainmri,
    "elpv": elpv,
    "headct": headct,
    "hyperkvasir": hyperkvasir,
    "kolektorsdd": kolektorsdd,
    "mastcam": mastcam,
    "mvtec": mvtec,
    "my": folder,
    "optical": optical,
    "toy": toy,
}
