"""The use cases: create, read, update and concat batches. Knows time and stores, not HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

from vimmerse_contracts.vocabulary import METADATA_FIELDS, RESUBMITTING_FIELDS, BatchStatus
from vimmerse_mock.delivery.planning import plan_webhooks, redirect_webhooks, withdraw_webhooks
from vimmerse_mock.errors import (
    BatchNotFoundError,
    InvalidBatchIdError,
    NoImagesError,
    NotConcatenableError,
    UnknownAccountError,
)
from vimmerse_mock.model.account import AccountState, random_uuid
from vimmerse_mock.model.batch import (
    Batch,
    Image,
    Media,
    Submission,
    SubmissionKind,
    VideoSettings,
    shared,
)
from vimmerse_mock.model.clock import Instant, wall_clock
from vimmerse_mock.model.credits import LedgerEntry, PriceList, Reason
from vimmerse_mock.model.faults import Fault, count_call
from vimmerse_mock.model.magic import Magic, read_magic, read_title
from vimmerse_mock.model.outbox import LEASE, Message
from vimmerse_mock.model.scenarios import Pace, Scenario
from vimmerse_mock.model.timeline import Observation, Timeline, plan
from vimmerse_mock.stores import Store, Transaction
from vimmerse_mock.stores.conflicts import retried

_UUID: Final = re.compile(r"(urn:uuid:)?\{?[0-9a-fA-F-]{32,36}\}?")
"""What may be one: Python's own reading takes digits of every script, and `1_0`."""
_SETTINGS: Final = tuple(VideoSettings.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch as it is seen at one instant, and what the request that looks at it was charged."""

    account: AccountState
    batch: Batch
    seen: Observation
    charges: tuple[LedgerEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a request was charged, and the webhook that comes before its answer, leased."""

    charges: tuple[LedgerEntry, ...] = ()
    early: Message | None = None


@dataclass(frozen=True, slots=True)
class BatchService:
    """What can be done with batches.

    `on_planned` is called when a webhook may fall due sooner, `deliver_early` with a leased one
    that a delivery plan wants delivered before the request is answered; it must not raise.
    """

    store: Store
    prices: PriceList = field(default_factory=PriceList)
    pace: Pace = field(default_factory=Pace)
    real_time: Callable[[], Instant] = wall_clock
    on_planned: Callable[[], None] = lambda: None
    deliver_early: Callable[[Message], None] = lambda _message: None

    @retried
    def admit(self, customer_id: str, operation: str) -> Fault | None:
        """Count a call against the account's limits and faults; return the fault that it meets.

        Raises:
            ThrottledError: the account has had its requests of this minute.
        """
        with self.store.transaction(customer_id) as tx:
            account = tx.account
            throttle = account.throttle.admit(self._now(account))
            faults, met = count_call(account.faults, operation)
            if (throttle, faults) != (account.throttle, account.faults):
                tx.save_account(replace(account, throttle=throttle, faults=faults))
        return met

    @retried
    def create(
        self, customer_id: str, form: Mapping[str, Any], images: Sequence[Image]
    ) -> BatchView:
        """Create a batch from a form loaded by `CreateBatchSchema`, and charge for it (S).

        Raises:
            MarkerError: a magic marker says nothing known.
            NoImagesError: there is no image.
            InsufficientCreditError: the balance does not suffice; nothing was created.
        """
        magic = read_magic(form["title"], images)
        if not images:
            raise NoImagesError("a batch needs at least one image")
        with self.store.transaction(customer_id) as tx:
            account, now = tx.account, self._now(tx.account)
            batch = self._generated(tx, _new_batch(account, form, images, now), now, magic)
            tx.save_account(replace(tx.account, batches=account.batches + 1))
            done = self._submit(tx, batch, Reason.CREATE)
        return self._begun(account, batch, done)

    def read(self, account: AccountState, batch_id: str) -> BatchView:
        """Look at a batch; while it has not ended, that moves a clock that steps.

        Raises:
            InvalidBatchIdError: the id is no UUID (P26).
            BatchNotFoundError: the account has no such batch.
        """
        batch = self.store.batch(account.customer_id, checked_id(batch_id))
        view = _view(account, batch, self._now(account))
        if account.clock.step and not view.seen.status.is_final:
            self._step(account.customer_id)
        return view

    def seen(self, account: AccountState, batches: Iterable[Batch]) -> tuple[BatchView, ...]:
        """Look at batches of an account, all at one instant."""
        now = self._now(account)
        return tuple(_view(account, batch, now) for batch in batches)

    def look(self, customer_id: str, batch_id: str) -> BatchView:
        """Look at a batch as someone who holds a link to it, without a key.

        Raises:
            BatchNotFoundError: there is no such customer, or no such batch of theirs.
        """
        try:
            account = self.store.account(customer_id.replace("\0", ""))
            return self.read(account, batch_id)
        except (UnknownAccountError, InvalidBatchIdError) as error:
            raise BatchNotFoundError("no such customer, or no such batch of theirs") from error

    @retried
    def update(self, customer_id: str, batch_id: str, form: Mapping[str, Any]) -> BatchView:
        """Change a batch by a form loaded by `UpdateBatchSchema`; may process and charge again (S).

        Raises:
            MarkerError: a magic marker in the title says nothing known.
            InvalidBatchIdError: the id is no UUID.
            BatchNotFoundError: the account has no such batch.
            InsufficientCreditError: the balance does not suffice; nothing was changed.
        """
        read_title(form.get("title", ""))
        with self.store.transaction(customer_id) as tx:
            account, now = tx.account, self._now(tx.account)
            before = _view(account, tx.batch(checked_id(batch_id)), now)
            batch = replace(before.batch, touched_at=now, **_given(form, METADATA_FIELDS))
            changes = _given(form, RESUBMITTING_FIELDS)
            if changes:
                batch = replace(batch, settings=replace(batch.settings, **changes))
                magic = read_magic(batch.title, [media.image for media in batch.medias])
                batch = self._generated(tx, batch, now, magic)
                if not before.seen.status.is_final:
                    withdraw_webhooks(tx, before.batch)
                done = self._submit(tx, batch, Reason.RESUBMIT)
            else:
                done = _change_metadata(tx, batch, before)
        if changes:
            return self._begun(account, batch, done)
        return self._answer(account, batch, now, done)

    @retried
    def concat(self, customer_id: str, batch_id: str) -> BatchView:
        """Make one video of the finished ones of a batch (S).

        Raises:
            InvalidBatchIdError: the id is no UUID.
            BatchNotFoundError: the account has no such batch.
            NotConcatenableError: it still processes, or nothing is finished.
            InsufficientCreditError: the balance does not suffice; nothing was changed.
        """
        with self.store.transaction(customer_id) as tx:
            account, now = tx.account, self._now(tx.account)
            before = _view(account, tx.batch(checked_id(batch_id)), now)
            if before.seen.status is not BatchStatus.SUCCESS:
                raise NotConcatenableError("a batch can be concatenated once it is in 'success'")
            batch = replace(before.batch, touched_at=now)
            batch = batch.submitted(
                Submission(
                    number=batch.next_number,
                    kind=SubmissionKind.CONCAT,
                    at=now,
                    script=self.pace.concat_script(),
                    finished=before.seen.finished,
                    failed=before.seen.failed,
                )
            )
            done = self._submit(tx, batch, Reason.CONCAT)
        return self._answer(account, batch, now, done)

    @retried
    def _step(self, customer_id: str) -> None:
        """Move a stepping clock; the dispatcher delivers what falls due."""
        with self.store.transaction(customer_id) as tx:
            clock = tx.account.clock.stepped(self.real_time())
            tx.save_account(replace(tx.account, clock=clock))
        self.on_planned()

    def _now(self, account: AccountState) -> Instant:
        return account.clock.at(self.real_time())

    def _answer(
        self, account: AccountState, batch: Batch, now: Instant, done: Submitted
    ) -> BatchView:
        if done.early is not None:
            self.deliver_early(done.early)
        if batch.webhook_url:
            self.on_planned()
        return BatchView(account, batch, _timeline(batch).at(now), done.charges)

    def _begun(self, account: AccountState, batch: Batch, done: Submitted) -> BatchView:
        """Answer a generation as accepted, even if it ends in this same instant (S)."""
        view = self._answer(account, batch, batch.submission.at, done)
        return replace(view, seen=_timeline(batch).begun())

    def _generated(self, tx: Transaction, batch: Batch, now: Instant, magic: Magic) -> Batch:
        """Add a submission of all media for generation, by the scenario that is its turn."""
        how, medias = batch.settings, len(batch.medias)
        chosen = _take_scenario(tx, magic)
        script = self.pace.script(how.motion_type, how.duration, how.quantity, chosen, medias)
        return batch.submitted(
            Submission(batch.next_number, SubmissionKind.GENERATE, now, shared(script))
        )

    def _submit(self, tx: Transaction, batch: Batch, reason: Reason) -> Submitted:
        """Write batch, charge and webhook together, or nothing."""
        throttle, now = tx.account.throttle, batch.submission.at
        if throttle.concurrent_batches is not None:
            throttle.require_room(tx.processing(now, batch.id), now)
        charges: tuple[LedgerEntry, ...] = ()
        if price := self._price(batch):
            charges = (tx.book(-price, reason, now, batch.id, batch.submission.number),)
        tx.save_batch(batch)
        early = plan_webhooks(tx, batch)
        if early is not None:
            tx.lease(early, self.real_time() + LEASE)
        return Submitted(charges, early)

    def _price(self, batch: Batch) -> int:
        if batch.submission.kind is SubmissionKind.CONCAT:
            return self.prices.concat
        return self.prices.generation(batch.settings, len(batch.medias))


def checked_id(batch_id: str) -> str:
    """Return a batch id in its canonical form.

    Raises:
        InvalidBatchIdError: it is no UUID.
    """
    if _UUID.fullmatch(batch_id):
        with suppress(ValueError):
            return str(UUID(batch_id))
    raise InvalidBatchIdError("a batch id is a UUID")


def _view(account: AccountState, batch: Batch | None, now: Instant) -> BatchView:
    if batch is None:
        raise BatchNotFoundError("the account has no such batch")
    return BatchView(account, batch, _timeline(batch).at(now))


def _take_scenario(tx: Transaction, magic: Magic) -> Scenario:
    """Choose what becomes of a batch: its title's marker, else the account's next, else its usual.

    Markers in the names of images then decide over those images.
    """
    if magic.scenario is not None:
        return magic.on(magic.scenario)
    if not tx.account.next_scenarios:
        return magic.on(tx.account.scenario)
    chosen, *others = tx.account.next_scenarios
    tx.save_account(replace(tx.account, next_scenarios=tuple(others)))
    return magic.on(chosen)


def _timeline(batch: Batch) -> Timeline:
    return plan(batch.submission, len(batch.medias))


def _given(form: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: form[name] for name in names if name in form}


def _new_batch(
    account: AccountState, form: Mapping[str, Any], images: Sequence[Image], now: Instant
) -> Batch:
    random = account.random("batch", account.batches)
    settings = VideoSettings(**_given(form, _SETTINGS))
    return Batch(
        id=random_uuid(random),
        customer_id=account.customer_id,
        created_at=now,
        touched_at=now,
        title=form["title"],
        description=form["description"],
        visibility_status=form["visibility_status"],
        rating=None,
        is_highlights=form["is_highlights"],
        webhook_url=form["webhook_url"],
        settings=settings if settings.prompt else shared(settings),
        medias=tuple(Media(id=random_uuid(random), image=image) for image in images),
        submissions=(),
    )


def _change_metadata(tx: Transaction, batch: Batch, before: BatchView) -> Submitted:
    """Write what never costs; a webhook that is still to come goes to the new address."""
    tx.save_batch(batch)
    if batch.webhook_url == before.batch.webhook_url or before.seen.status.is_final:
        return Submitted()
    if before.batch.webhook_url is None:
        plan_webhooks(tx, batch)
    elif batch.webhook_url is not None:
        redirect_webhooks(tx, batch, batch.webhook_url)
    return Submitted()
