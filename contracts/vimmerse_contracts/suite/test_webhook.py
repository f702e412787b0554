"""The webhook: what is sent, when, to whom, and how often."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vimmerse_contracts.checks import Batch, check_webhook, check_webhook_count
from vimmerse_contracts.runs.prices import CONCATENATION, Form, creation
from vimmerse_contracts.suite.api import IMAGE_URL, TINY, Api
from vimmerse_contracts.suite.target import Capability, Target

pytestmark = pytest.mark.vimmerse_needs(Capability.WEBHOOKS)


def _check_reported(target: Target, url: str, batch: Batch, *ends: str) -> None:
    """Check that a URL was sent these ends of a batch, and nothing else."""
    target.settle(url, len(ends))
    received = target.webhooks(url)
    check_webhook_count(received, len(ends))
    for each, end in zip(received, ends, strict=True):
        check_webhook(each, customer_id=batch["customer_id"], batch_id=batch["id"], end=end)


@pytest.mark.vimmerse_costs(creation(TINY))
def test_one_webhook_comes_when_a_batch_is_done(vimmerse_target: Target, contract_api: Api) -> None:
    """One webhook, with the documented body, reports success (webhook.body, webhook.when)."""
    url = vimmerse_target.webhook_url()
    batch = contract_api.course({**TINY, "webhook_url": url})[0]
    _check_reported(vimmerse_target, url, batch, "success")


@pytest.mark.vimmerse_costs(creation(TINY))
def test_no_webhook_comes_before_the_end(
    vimmerse_target: Target, contract_api: Api, contract_unfinished: Form
) -> None:
    """While a batch processes, nothing is sent (webhook.when)."""
    url = vimmerse_target.webhook_url()
    batch = contract_api.created({**contract_unfinished, "webhook_url": url})

    def sent_and_status() -> tuple[int, str]:
        sent = len(vimmerse_target.webhooks(url))
        return sent, contract_api.seen(batch["id"])["status"]

    readings = vimmerse_target.observe(sent_and_status, lambda reading: reading[1] == "success")
    assert {sent for sent, status in readings if status == "processing"} == {0}


@pytest.mark.vimmerse_needs(Capability.WEBHOOKS, Capability.FAILING_MEDIAS)
@pytest.mark.vimmerse_costs(creation(TINY))
def test_a_failure_is_reported_too(
    vimmerse_target: Target, contract_api: Api, contract_failing: Callable[[int], None]
) -> None:
    """The webhook of a batch that failed says 'fail', once (webhook.fail)."""
    contract_failing(1)
    url = vimmerse_target.webhook_url()
    batch = contract_api.course({**TINY, "webhook_url": url})[0]
    _check_reported(vimmerse_target, url, batch, "fail")


@pytest.mark.vimmerse_needs(Capability.WEBHOOKS, Capability.FAILING_MEDIAS)
@pytest.mark.vimmerse_costs(creation({**TINY, "image_urls": [IMAGE_URL] * 2}))
def test_a_partial_success_is_reported_as_success(
    vimmerse_target: Target, contract_api: Api, contract_failing: Callable[[int], None]
) -> None:
    """The webhook of a batch with a finished media says 'success' (read.partial, webhook.body)."""
    contract_failing(1)
    url = vimmerse_target.webhook_url()
    batch = contract_api.course({**TINY, "image_urls": [IMAGE_URL] * 2, "webhook_url": url})[0]
    _check_reported(vimmerse_target, url, batch, "success")


@pytest.mark.vimmerse_costs(creation(TINY), CONCATENATION)
def test_a_concat_is_reported_too(vimmerse_target: Target, contract_api: Api) -> None:
    """A second webhook comes when a concat ends, and no third (concat.webhook)."""
    url = vimmerse_target.webhook_url()
    batch = contract_api.course({**TINY, "webhook_url": url})[0]
    contract_api.concatenated(batch["id"])
    contract_api.watch(batch["id"])
    _check_reported(vimmerse_target, url, batch, "success", "success")


@pytest.mark.vimmerse_costs(creation(TINY), creation(TINY))
def test_an_update_may_ask_for_the_webhook(vimmerse_target: Target, contract_api: Api) -> None:
    """A webhook_url given on update is sent the end of what that update began (webhook.when)."""
    url = vimmerse_target.webhook_url()
    batch = contract_api.course(TINY)[0]
    contract_api.updated(batch["id"], {"prompt": "Anew", "webhook_url": url})
    contract_api.watch(batch["id"])
    _check_reported(vimmerse_target, url, batch, "success")


@pytest.mark.vimmerse_costs(creation(TINY))
def test_a_processing_batch_may_be_given_a_webhook(
    vimmerse_target: Target, contract_api: Api, contract_unfinished: Form
) -> None:
    """A webhook_url given while the batch processes is sent its end (webhook.when)."""
    url = vimmerse_target.webhook_url()
    batch = contract_api.created(contract_unfinished)
    contract_api.updated(batch["id"], {"webhook_url": url})
    contract_api.watch(batch["id"])
    _check_reported(vimmerse_target, url, batch, "success")


@pytest.mark.vimmerse_costs(creation(TINY))
def test_a_finished_batch_reports_no_second_time(
    vimmerse_target: Target, contract_api: Api
) -> None:
    """Metadata of a finished batch, a new webhook_url included, is no end (update.metadata)."""
    first, second = vimmerse_target.webhook_url(), vimmerse_target.webhook_url()
    batch = contract_api.course({**TINY, "webhook_url": first})[0]
    contract_api.updated(batch["id"], {"title": "Done", "webhook_url": second})
    _check_reported(vimmerse_target, first, batch, "success")
    _check_reported(vimmerse_target, second, batch)


@pytest.mark.vimmerse_costs(creation(TINY), creation(TINY))
def test_a_replaced_submission_is_not_reported(
    vimmerse_target: Target, contract_api: Api, contract_unfinished: Form
) -> None:
    """An update in mid-course replaces the submission, webhook and all (update.supersedes)."""
    url = vimmerse_target.webhook_url()
    batch = contract_api.created({**contract_unfinished, "webhook_url": url})
    contract_api.updated(batch["id"], {"prompt": "Anew", "duration": 1})
    contract_api.watch(batch["id"])
    _check_reported(vimmerse_target, url, batch, "success")
