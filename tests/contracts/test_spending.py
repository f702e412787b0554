from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_contracts.runs.exchanges import Answer
from vimmerse_contracts.runs.prices import (
    CONCATENATION,
    Cost,
    Form,
    Once,
    OneOf,
    PriceListError,
    Prices,
    Purchase,
    UnknownPriceError,
    again,
    creation,
    make_plan,
    read_prices,
    resubmits,
)
from vimmerse_contracts.runs.spending import Budget, SpendingFile

PRICES = Prices({"Auto": 2, "Veo": 10, "concat": 3})
ONE = {"image_urls": ["http://images.example/1.jpg"]}


@pytest.mark.parametrize(
    ("form", "uploads", "price"),
    [
        (ONE, 0, 10),
        ({**ONE, "duration": 1}, 0, 2),
        ({"image_urls": ["a", "b", "c"], "duration": "1"}, 0, 6),
        ({"image_urls": ["a", "b", "c"], "duration": 1}, 2, 4),
        ({"image_urls": "a", "duration": 1}, 0, 2),
        ({**ONE, "duration": 1, "quantity": 4, "motion_type": "Veo"}, 0, 40),
        ({**ONE, "duration": ["9", "1"]}, 0, 2),
        ({**ONE, "duration": ""}, 0, 10),
        ({"title": "No image"}, 0, 0),
    ],
)
def test_a_creation_is_priced_by_what_it_asks_for(form: Form, uploads: int, price: int) -> None:
    """Seconds x quantity x images at the rate; files win, the last value counts, defaults apply."""
    assert PRICES.total([creation(form, uploads)]) == price


@pytest.mark.parametrize(
    ("wrong", "price"),
    [
        ({"duration": "much"}, 20),
        ({"duration": "0"}, 20),
        ({"duration": 1, "quantity": "two"}, 8),
        ({"duration": 1, "quantity": 5}, 10),
        ({"duration": 1, "motion_type": "Sora"}, 10),
    ],
)
def test_what_must_be_refused_is_held_at_the_highest_price(wrong: Form, price: int) -> None:
    """What the API refuses is priced as the most expensive that it accepts, or as it stands."""
    assert PRICES.total([creation({**ONE, **wrong})]) == price


def test_an_update_is_priced_by_the_settings_that_result() -> None:
    """What the update does not name stays as it was bought."""
    bought = creation({**ONE, "duration": 1, "quantity": 2})
    assert PRICES.total([again(bought, {"motion_type": "Veo"})]) == 20
    assert PRICES.total([again(bought, {"duration": 3})]) == 12


def test_only_fields_that_resubmit_cost() -> None:
    """An update of metadata is no purchase; naming one of the seven is, even if empty."""
    assert not resubmits({"title": "New", "rating": "5", "webhook_url": "http://x.example/"})
    assert resubmits({"prompt": ""})


def test_a_price_that_is_not_listed_is_unknown() -> None:
    """Neither another type's price nor zero is put in its place, and it is named."""
    wan = creation({**ONE, "motion_type": "Wan"})
    for costs in ([wan], [creation(ONE), wan], [OneOf((wan, creation(ONE)))]):
        with pytest.raises(UnknownPriceError, match=r"\(--vimmerse-price Wan=CREDITS\)"):
            PRICES.total(costs)
    with pytest.raises(UnknownPriceError, match="price Wan=CREDITS --vimmerse-price concat=CREDI"):
        Prices({"Auto": 1}).total([wan, CONCATENATION, creation(ONE)])
    with pytest.raises(UnknownPriceError):
        Prices().total([creation({**ONE, "motion_type": "Sora"})])


def test_of_alternatives_the_most_expensive_counts() -> None:
    """Where the order of tests decides what is bought, the most expensive is declared."""
    cost = OneOf((creation(ONE), creation({**ONE, "motion_type": "Veo"})))
    assert PRICES.total([cost]) == 50


@pytest.mark.parametrize(
    ("text", "saying"),
    [
        ("{", "not JSON"),
        ("[1]", "JSON object like"),
        ('{"Sora": 1}', "'Sora' is not one of Auto"),
        ('{"Auto": "1"}', "number of credits, not '1'"),
        ('{"Auto": -1}', "number of credits, not -1"),
        ('{"Auto": true}', "number of credits, not True"),
    ],
)
def test_a_bad_price_list_says_what_is_wrong(text: str, saying: str) -> None:
    """Each mistake is named, with what was expected."""
    with pytest.raises(PriceListError, match=saying):
        read_prices(text)


def test_a_price_list_is_read() -> None:
    """Motion types and `concat`, in credits."""
    assert read_prices('{"Auto": 2, "Veo": 10, "concat": 3}') == PRICES


SHARED = Once("shared", (Purchase(seconds=2),))


def test_what_is_shared_is_planned_once_for_each_process() -> None:
    """Two tests that share a batch pay for it once; two workers make it twice."""
    tests: list[tuple[str, tuple[Cost, ...]]] = [("a", (SHARED,)), ("b", (SHARED, creation(ONE)))]
    assert make_plan(tests, PRICES, 100).ceiling == 4 + 10
    assert make_plan(tests, PRICES, 100, processes=2).ceiling == 8 + 10


def test_a_test_that_is_too_expensive_makes_room_for_those_after_it() -> None:
    """It is refused by its price and what is left; a cheaper one still runs."""
    much, cheap = creation({**ONE, "motion_type": "Veo"}), creation({**ONE, "duration": 1})
    plan = make_plan([("much", (much,)), ("cheap", (cheap,)), ("free", ())], PRICES, 12)
    assert plan.refusals == {
        "much": "not run, because of the limit: it may cost 50 credits, and 12 are left"
    }
    assert plan.ceiling == 2


def test_an_unknown_price_counts_as_over_any_limit() -> None:
    """The refusal says how to give the price."""
    wan = creation({**ONE, "motion_type": "Wan"})
    plan = make_plan([("unpriced", (wan,))], PRICES, 10**9)
    assert "--vimmerse-price Wan=CREDITS" in plan.refusals["unpriced"]


_costs = st.lists(
    st.one_of(
        st.builds(Purchase, st.integers(1, 4), st.sampled_from(["Auto", "Veo", "Wan"])),
        st.sampled_from([SHARED, CONCATENATION]),
    ),
    max_size=4,
)


@given(st.lists(_costs, max_size=12), st.integers(0, 300), st.integers(1, 4))
def test_no_plan_exceeds_its_limit(tests: list[list[Cost]], limit: int, processes: int) -> None:
    """Whatever tests declare, those that run come to no more than the limit together."""
    named = [(str(number), tuple(costs)) for number, costs in enumerate(tests)]
    plan = make_plan(named, PRICES, limit, processes)
    runs = [costs for name, costs in named if name not in plan.refusals]
    assert plan.ceiling <= limit
    assert all(PRICES.total(costs) >= 0 for costs in runs)


def test_the_first_balance_is_the_runs(tmp_path: Path) -> None:
    """Whichever process reads it later, a balance is compared with what the first one saw."""
    file = SpendingFile(tmp_path / "spending.json")
    file.create(100)
    balances = iter([50, 20])
    for _ in range(2):
        Budget(PRICES, file, lambda: next(balances))
    assert file.read().balance == 50


def test_what_a_budget_sees_of_a_batch_is_noted(tmp_path: Path) -> None:
    """It runs until an answer shows its end; a concat that changed nothing is given back."""
    file = SpendingFile(tmp_path / "spending.json")
    file.create(100)
    budget = Budget(PRICES, file)
    processing, success = (
        Answer(200, {}, {"data": {"id": "b", "status": status}})
        for status in ("processing", "success")
    )
    budget.settle(budget.create(ONE, 0), processing, solvent=True)
    budget.observe(processing)
    assert file.read().running == ("b",)
    budget.observe(success)
    concat = budget.concat("b")
    assert concat is not None
    budget.settle(concat, success, solvent=True)
    spending = file.read()
    assert (spending.running, spending.total, spending.unanswered) == ((), 10, ())
