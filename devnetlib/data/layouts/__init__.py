"""One reader a raw release: `locate(data_root)` finds or makes the files, `read(root)` lists them as an image table."""

from types import ModuleType

from devnetlib.data.layouts import elpv, toy

LAYOUTS: dict[str, ModuleType] = {"elpv": elpv, "toy": toy}
