"""The claims' file: valid, complete, resolvable, and written before the results."""

import json
from itertools import pairwise

import jsonschema
import pytest
import yaml

from devnetlib.data.splits import read_protocol
from devnetlib.report.paper import PAPER, about, claims, printed_value, rules

CLAIMS = claims()
READINGS = ["elpv", "kolektorsdd", "brainmri (all)", "brainmri (official_loader)", "headct"]


@pytest.fixture(scope="module")
def document():
    return yaml.safe_load((PAPER / "claims.yml").read_text(encoding="utf-8"))


def schema():
    return json.loads((PAPER / "claims.schema.json").read_text(encoding="utf-8"))


def test_the_file_is_valid_by_its_schema(document):
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.Draft202012Validator(schema()).validate(document)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda claim: claim.pop("change_our_mind"),
        lambda claim: claim.update(status="confirmed"),
        lambda claim: claim.update(datasets=[{"name": "brainmri"}]),
        lambda claim: claim.pop("printed"),
        lambda claim: claim.update(lane="printed"),
        lambda claim: claim.update(verdict="agrees"),
    ],
)
def test_the_schema_refuses_a_claim_that_is_incomplete_or_says_too_much(document, spoil):
    entry = dict(document["claims"][0])
    spoil(entry)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema()).validate(document | {"claims": [entry]})


@pytest.mark.parametrize("protocol", ["general", "open-set:hole", "budget:40", "contamination:0.2"])
def test_a_claim_may_be_judged_under_every_protocol_and_its_grouped_form(document, protocol):
    family, _, parameter = protocol.partition(":")
    for name in (protocol, f"{family}-grouped" + (f":{parameter}" if parameter else "")):
        entry = document["claims"][0] | {"protocol": name}
        jsonschema.Draft202012Validator(schema()).validate(document | {"claims": [entry]})
        read_protocol(name)
    for name in (f"{protocol}-grouped:0.2", f"grouped-{protocol}", family[:-1]):
        entry = document["claims"][0] | {"protocol": name}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(schema()).validate(document | {"claims": [entry]})


def test_ids_are_unique_and_begin_with_their_question():
    identifiers = [claim.id for claim in CLAIMS]
    assert len(set(identifiers)) == len(identifiers)
    assert all(claim.id.startswith(claim.question.lower() + "-") for claim in CLAIMS)


def test_no_two_claims_say_the_same():
    assert len({claim.claim for claim in CLAIMS}) == len(CLAIMS)


def test_every_claim_is_judged_by_a_rule_of_the_file_in_that_rules_lane():
    for claim in CLAIMS:
        assert rules()[claim.rule].lane in (None, claim.lane), claim.id


def test_every_rule_is_used():
    assert {claim.rule for claim in CLAIMS} == set(rules())


@pytest.mark.parametrize("claim", [claim for claim in CLAIMS if claim.printed], ids=lambda claim: claim.id)
def test_every_lookup_resolves_to_the_number_printed_for_that_data_set_and_method(claim):
    assert len(claim.printed) == len(claim.datasets)
    for reference, lookup in zip(claim.datasets, claim.printed, strict=True):
        _, _, known = claim.protocol.partition("open-set:")
        assert lookup.value() == printed_value(reference.name, claim.methods[0], lookup.table, known or None)


def test_every_number_that_is_compared_by_interval_has_a_printed_spread():
    for claim in CLAIMS:
        if claim.rule == "printed":
            assert all(lookup.value()[1] is not None for lookup in claim.printed), claim.id


def test_options_are_given_method_by_method():
    assert all(len(claim.options) in (0, len(claim.methods)) for claim in CLAIMS)


def test_a_method_is_compared_with_itself_only_under_other_options():
    for claim in CLAIMS:
        options = claim.options or ({},) * len(claim.methods)
        contenders = list(zip(claim.methods, map(str, options), strict=True))
        assert len(set(contenders)) == len(contenders), claim.id


def test_what_varies_grows():
    assert all(claim.vary.start < claim.vary.stop for claim in CLAIMS if claim.vary)


def test_all_six_questions_are_asked_in_order():
    questions = [claim.question for claim in CLAIMS]
    assert set(questions) == {f"Q{number}" for number in range(1, 7)}
    assert all(first <= second for first, second in pairwise(questions))


@pytest.mark.parametrize("method", ["devnet", "flos"])
@pytest.mark.parametrize("rule", ["printed", "reaches"])
def test_question_one_holds_every_set_against_the_printed_number_in_both_lanes(method, rule):
    asked = {
        str(reference)
        for claim in claims("Q1")
        if claim.rule == rule and claim.methods == (method,)
        for reference in claim.datasets
    }
    assert asked == set(READINGS)


@pytest.mark.parametrize("lane", ["frozen", "fine-tuned"])
@pytest.mark.parametrize(("rule", "methods"), [("order", ("devnet", "flos")), ("learned", ("devnet",))])
def test_question_one_asks_every_set_for_the_order_and_for_what_was_learned(lane, rule, methods):
    asked = {
        str(reference)
        for claim in claims("Q1")
        if (claim.rule, claim.lane, claim.methods) == (rule, lane, methods)
        for reference in claim.datasets
    }
    assert asked == set(READINGS)


def test_constants_are_those_that_the_words_name():
    found = {name: rule.constants for name, rule in rules().items()}
    assert found["printed"] == {"margin": 0.03, "confidence": 0.90, "printed_runs": 3}
    assert found["reaches"] == {"margin": 0.03}
    assert found["separation"] == {"confidence": 0.95, "threshold": 1.96, "expected_share": 0.05}
    assert rules()["learned"].over == ("mahalanobis", "shuffled", "grey")
    assert {found[name]["confidence"] for name in ("order", "learned", "trend", "robust", "steadier")} == {0.95}


def test_the_pilot_stands_in_the_file_for_all_sets():
    pilot = about()["pilot"]
    for row in pilot["table"]:
        assert set(row) == {"row", *pilot["columns"]}
    assert set(pilot["splits"]) == set(pilot["columns"])
    assert sum(finding["about"].startswith("Failure") for finding in pilot["findings"]) >= 2


def test_the_file_does_not_pass_for_a_pre_registration(document):
    head = (PAPER / "claims.yml").read_text(encoding="utf-8").split("\nabout:")[0]
    assert "not a pre-registration" in head
    assert document["about"]["pre_registration"] is False
