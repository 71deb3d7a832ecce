"""KDAD: what the student is compared on, and a teacher that never changes."""

import pytest
import torch

from devnetlib.methods.kdad import STUDENTS, Kdad, Student, discrepancy


def test_there_is_no_discrepancy_where_the_student_equals_the_teacher(noise):
    maps = noise(3, 4, 5, 5)
    torch.testing.assert_close(discrepancy(maps, maps), torch.zeros(3), atol=1e-6, rtol=0)


def test_the_discrepancy_of_two_small_maps_worked_out_by_hand():
    student, teacher = torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[3.0, 4.0]]]])
    # cosine 3/5; squared differences 4 and 16, their mean 10
    assert discrepancy(student, teacher, mse_weight=0.1).item() == pytest.approx(1 - 0.6 + 0.1 * 10)
    with pytest.raises(ValueError, match="student"):
        discrepancy(student, teacher[..., :1])


@pytest.mark.parametrize("teacher", STUDENTS)
def test_student_and_teacher_are_compared_map_by_map_and_the_finest_is_left_out_of_the_score(teacher, generator, noise):
    detector = Kdad(generator, teacher=teacher).eval()
    count = len(detector.stages)
    with torch.inference_mode():
        maps = detector.features(noise(2, 3, 64, 64))
        assert [m.shape for m in maps[:count]] == [m.shape for m in maps[count:]]
        apart = [discrepancy(s, t) for s, t in zip(maps[count:], maps[:count], strict=True)]
        torch.testing.assert_close(detector.score(maps), sum(apart[1:]))
        torch.testing.assert_close(detector.outputs(maps)[:, 0], sum(apart))


def test_a_student_on_the_teachers_own_maps_scores_0(generator, noise):
    detector = Kdad(generator, teacher="resnet18").eval()
    with torch.inference_mode():
        maps = detector.features(noise(2, 3, 64, 64))
        own = maps[: len(detector.stages)]
        torch.testing.assert_close(detector.score([*own, *own]), torch.zeros(2), atol=1e-6, rtol=0)


def test_an_update_changes_the_student_and_nothing_of_the_teacher(generator, noise):
    detector = Kdad(generator, teacher="resnet18").train()
    teacher = {key: value.clone() for key, value in detector.backbone.state_dict().items()}
    student = detector.student.layers[0][0].weight.clone()
    optimiser = torch.optim.Adam([p for p in detector.parameters() if p.requires_grad], lr=1e-3)
    detector.loss(detector.outputs(detector.features(noise(4, 3, 64, 64)))[:, 0], torch.zeros(4)).backward()
    optimiser.step()
    assert all(torch.equal(value, teacher[key]) for key, value in detector.backbone.state_dict().items())
    assert not torch.equal(detector.student.layers[0][0].weight, student)


def test_the_students_have_the_authors_widths_and_no_biases(generator):
    student = Student(STUDENTS["vgg16"], compared=4)
    convolutions = [m for m in student.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [16, 16, 16, 128, 16, 16, 256, 16, 16, 512, 16, 16, 512]
    assert all(c.bias is None for c in convolutions)
    norms = [m.num_features for m in student.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms == [16, 16, 16, 16, 16, 16, 16, 16]  # none on the last convolution before a pool


def test_only_the_teacher_that_its_authors_use_sees_images_that_are_not_normalised(generator):
    assert Kdad(generator).raw and not Kdad(generator, teacher="resnet18").raw
    with pytest.raises(ValueError, match="teacher 'vgg19': expected one of"):
        Kdad(generator, teacher="vgg19")
