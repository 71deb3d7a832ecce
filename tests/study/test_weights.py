"""Weights: plain tensors of ResNet-18 and nothing else, named by what of them is used."""

import os
import socket
from http.client import IncompleteRead
from itertools import permutations
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from safetensors.torch import save_file

from devnetlib.backbones import build_backbone
from devnetlib.errors import Misuse
from devnetlib.network import ResNet18, initialise
from devnetlib.study.imagenet import ARCHITECTURES, download, fetch_imagenet, imagenet_url
from devnetlib.study.weights import RANDOM, checked, load_backbone, load_weights


@pytest.fixture(scope="module")
def whole() -> dict[str, torch.Tensor]:
    """A state dictionary with torchvision's keys, classifier included."""
    network = ResNet18(4)
    initialise(network, torch.Generator().manual_seed(8))
    return dict(network.state_dict()) | {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}


@pytest.fixture
def saved(tmp_path):
    """`saved(tensors)` -> the path of a safetensors file."""

    def save(tensors: dict[str, torch.Tensor], name: str = "some.safetensors") -> str:
        save_file(tensors, tmp_path / name)
        return str(tmp_path / name)

    return save


class Payload:
    """Unpickled, it would make a folder."""

    def __init__(self, folder: str):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def refusal(choice: str) -> str:
    with pytest.raises(Misuse) as caught:
        load_weights(choice)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(tmp_path):
    torch.save({"conv1.weight": Payload(str(tmp_path / "made"))}, tmp_path / "evil.pth")
    assert "evil.pth: not readable as plain tensors" in refusal(str(tmp_path / "evil.pth"))
    assert not (tmp_path / "made").exists()


def test_weights_of_another_network_are_refused_by_the_keys_that_do_not_fit(whole, saved):
    assert "layer1.0.conv3.weight" in refusal(saved(whole | {"layer1.0.conv3.weight": torch.zeros(256, 64, 1, 1)}))
    wrong = refusal(saved(whole | {"layer2.0.conv1.weight": torch.zeros(128, 32, 3, 3)}))
    assert "layer2.0.conv1.weight (128, 32, 3, 3)" in wrong and "not the weights of ResNet-18" in wrong
    assert "no conv1.weight" in refusal(saved({"fc.bias": torch.zeros(10)}))


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"not tensors"])
@pytest.mark.parametrize("name", ["some.safetensors", "some.pth"])
def test_a_file_that_holds_no_tensors_is_refused_by_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert name in refusal(str(tmp_path / name))


def test_a_state_that_is_not_a_dictionary_of_tensors_is_refused(tmp_path):
    for number, state in enumerate([[1, 2], {"conv1.weight": "text"}, {"model": {"conv1.weight": torch.zeros(1)}}]):
        torch.save(state, tmp_path / f"{number}.pth")
        assert f"{number}.pth" in refusal(str(tmp_path / f"{number}.pth"))


def test_a_file_that_is_not_there_is_named_with_what_was_expected(tmp_path):
    assert "expected a .safetensors or .pth file" in refusal(str(tmp_path / "absent.pth"))


def test_a_trunk_and_the_whole_file_are_the_same_weights_as_far_as_both_go(whole, saved, tmp_path):
    trunk = {key: value for key, value in whole.items() if not key.startswith(("layer4", "fc"))}
    torch.save(whole, tmp_path / "whole.pth")
    short, full = load_weights(saved(trunk)), load_weights(str(tmp_path / "whole.pth"))
    three, four = ResNet18(3), ResNet18(4)
    assert short.name(three) == full.name(three) and len(full.name(three)) == 16
    assert short.name(four) != full.name(four) and full.name(three) != full.name(four)
    assert short.missing(three) == full.missing(four) == []
    assert all(key.startswith("layer4.") for key in short.missing(four))


def test_a_changed_number_changes_the_name(whole, saved):
    moved = whole | {"bn1.bias": whole["bn1.bias"] + 1e-3}
    stage = ResNet18(1)
    assert load_weights(saved(moved, "moved.safetensors")).name(stage) != load_weights(saved(whole)).name(stage)


def test_a_file_that_has_changed_since_it_was_read_is_read_again(whole, saved):
    first = load_weights(saved(whole)).name(ResNet18(1))
    path = saved(whole | {"bn1.bias": whole["bn1.bias"] + 1e-3})
    os.utime(path, ns=(0, 1))
    assert load_weights(path).name(ResNet18(1)) != first


def test_a_backbone_takes_the_weights_and_keeps_its_own_where_they_end(whole, saved):
    trunk = {key: value for key, value in whole.items() if not key.startswith(("layer4", "fc"))}
    backbone = ResNet18(4)
    initialise(backbone, torch.Generator().manual_seed(1))
    own = backbone.layer4[0].conv1.weight.clone()
    missing = load_backbone(backbone, load_weights(saved(trunk)), frozen=False)
    assert missing and all(key.startswith("layer4.") for key in missing)
    assert torch.equal(backbone.conv1.weight, whole["conv1.weight"]) and torch.equal(
        backbone.layer4[0].conv1.weight, own
    )
    with pytest.raises(Misuse, match=r"layer4\.0\.conv1\.weight is missing"):
        load_backbone(backbone, load_weights(saved(trunk)), frozen=True)


def test_random_weights_are_the_same_for_every_run_so_that_their_maps_can_be_cached():
    one, other = ResNet18(2), ResNet18(2)
    assert load_backbone(one, RANDOM, True) == load_backbone(other, RANDOM, True) == []
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert RANDOM.name(one) == "random"


def test_without_a_choice_imagenet_weights_are_used_where_they_are_and_random_ones_where_not(
    whole, saved, monkeypatch, tmp_path
):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.delenv("DEVNET_WEIGHTS", raising=False)
    assert load_weights(None) == RANDOM
    with pytest.raises(Misuse, match="no ImageNet weights of ResNet-18 at hand: run 'python -m devnetlib weights"):
        load_weights("imagenet")
    monkeypatch.setenv("DEVNET_WEIGHTS", saved(whole))
    assert load_weights(None).name(ResNet18(4)) == load_weights("imagenet").name(ResNet18(4)) != "random"
    assert fetch_imagenet() == "ImageNet weights: some.safetensors"
    monkeypatch.setenv("DEVNET_WEIGHTS", str(tmp_path / "absent.pth"))
    with pytest.raises(Misuse, match=r"absent\.pth"):
        load_weights(None)


def test_a_download_that_fails_is_told_in_a_line_and_leaves_nothing(monkeypatch, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/weights.pth"
        said = download(url, tmp_path / "checkpoints" / ARCHITECTURES["resnet18"].file)
    assert said.startswith("no ImageNet weights (") and "make weights" in said and "\n" not in said
    assert list((tmp_path / "checkpoints").iterdir()) == [] and socket.getdefaulttimeout() is None


@pytest.mark.parametrize("home", ["file/below", "~"])
def test_weights_that_cannot_be_kept_are_told_in_a_line(home, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    said = download("http://127.0.0.1:9/weights.pth", Path(home, ARCHITECTURES["resnet18"].file))
    assert said.startswith("no ImageNet weights (") and "the embedded trunk stands in" in said and "\n" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_download_that_ends_in_whatever_error_is_told_in_a_line(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "download_url_to_file", Mock(side_effect=IncompleteRead(b"some")))
    said = download("http://127.0.0.1:9/weights.pth", tmp_path / ARCHITECTURES["resnet18"].file)
    assert said.startswith("no ImageNet weights (IncompleteRead: ")


def test_a_path_that_no_file_can_have_is_no_weights_file():
    assert "no weights file" in refusal("a" * 5000)


def test_the_trunk_has_everything_up_to_stage_3(trunk):
    assert load_weights(str(trunk)).missing(ResNet18(3)) == []


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_file_we_look_for_is_the_one_that_torchvision_calls_imagenet1k_v1(architecture):
    assert imagenet_url(architecture).endswith("/" + ARCHITECTURES[architecture].file)


def placeholders(architecture: str) -> dict[str, torch.Tensor]:
    """Tensors of the keys and shapes of a network, which take no memory."""
    return {
        key: torch.zeros(()).expand(value.shape) for key, value in build_backbone(architecture).state_dict().items()
    }


@pytest.mark.parametrize(("given", "wanted"), list(permutations(ARCHITECTURES, 2)))
def test_the_weights_of_one_architecture_are_refused_for_another_by_their_keys_and_shapes(given, wanted):
    tensors = placeholders(given)
    assert checked(tensors, "some.pth", given)
    with pytest.raises(Misuse, match=rf"some\.pth: not the weights of {ARCHITECTURES[wanted].title} \(") as caught:
        checked(tensors, "some.pth", wanted)
    assert any(key in str(caught.value) for key in tensors)


def test_a_file_of_another_architecture_than_the_one_asked_for_is_refused(whole, saved):
    with pytest.raises(Misuse, match=r"some\.safetensors: not the weights of VGG-16"):
        load_weights(saved(whole), "vgg16")


@pytest.mark.parametrize("architecture", ["vgg16", "alexnet", "resnet50"])
def test_without_weights_another_network_is_random_only_where_that_is_asked_for(architecture, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    assert load_weights("random", architecture) == RANDOM
    for choice in (None, "imagenet"):
        with pytest.raises(Misuse, match=f"at hand: run 'python -m devnetlib weights {architecture}'"):
            load_weights(choice, architecture)
