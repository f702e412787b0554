from __future__ import annotations

from dataclasses import replace
from threading import Barrier, Thread

import pytest

from vimmerse_mock.errors import DuplicateAccountError, InsufficientCreditError, UnknownAccountError
from vimmerse_mock.model.account import AccountState
from vimmerse_mock.model.batch import Batch, Image, Media, Submission, SubmissionKind, VideoSettings
from vimmerse_mock.model.clock import SECOND, Clock, Instant
from vimmerse_mock.model.credits import Reason
from vimmerse_mock.model.limits import Keep
from vimmerse_mock.model.outbox import Attempt, Message, MessageState
from vimmerse_mock.model.scenarios import SCENARIOS, Scenario, Script
from vimmerse_mock.model.snapshot import Snapshot
from vimmerse_mock.stores import NOBODY, Busy, Store, opened

LEASE = 30 * SECOND


def account(customer_id: str = "c1", *, is_manual: bool = False) -> AccountState:
    """An account whose clock shows 0 at real instant 0."""
    clock = Clock(0, 0, rate=0 if is_manual else 1)
    return AccountState(customer_id, "m", f"key-{customer_id}", clock, "seed")


def batch(batch_id: str = "b1") -> Batch:
    """A batch of one image."""
    return Batch(
        id=batch_id,
        customer_id="c1",
        created_at=0,
        touched_at=0,
        title="",
        description="",
        visibility_status="1",
        rating=None,
        is_highlights="",
        webhook_url=None,
        settings=VideoSettings("Auto", "", 1, 5, 1, None, "No", 5, is_transition=False),
        medias=(Media("m1", Image("a.png", "png", 3)),),
        submissions=(Submission(1, SubmissionKind.GENERATE, 0, Script(1, 2, 3)),),
    )


def message(number: int = 1, due_at: Instant = 0, customer_id: str = "c1") -> Message:
    """The message of a submission of batch b1."""
    url = "http://127.0.0.1/"
    return Message(f"msg_{number}", customer_id, "b1", number, url, "success", due_at)


def plan(store: Store, *messages: Message) -> None:
    """Put messages into the outbox."""
    for planned in messages:
        with store.transaction(planned.customer_id) as tx:
            tx.save_message(planned)


def claim_all(store: Store, now: Instant, busy: Busy = NOBODY) -> list[Message]:
    """Claim until nothing is left to claim."""
    return list(iter(lambda: store.claim(now, now + LEASE, busy), None))


class TestStore:
    """What holds for every store."""

    def test_an_account_is_found_by_id_and_by_key(self, store: Store) -> None:
        """What was opened is found both ways, as it was."""
        store.add(Snapshot(account()))
        assert store.account("c1") == store.account_by_key("key-c1") == account()

    def test_the_first_credits_come_with_the_account(self, store: Store) -> None:
        """Opening and first entry are one write, so no crash leaves an account without credit."""
        store.add(opened(account(), 10))
        (entry,) = store.ledger("c1")
        assert (entry.amount, entry.balance, entry.reason) == (10, 10, Reason.OPENING)
        assert store.balance("c1") == 10

    def test_a_lane_has_one_message_under_way(self, store: Store) -> None:
        """Of what one account sends to one URL, the next is claimed once the one before is through.

        Another URL, and another account's message to the same one, do not wait for it.
        """
        store.add(Snapshot(account("c1")))
        store.add(Snapshot(account("c2")))
        elsewhere = replace(message(3, 3), url="http://127.0.0.1/elsewhere?n=3")
        plan(store, message(1, 1), message(2, 2), elsewhere, message(1, 4, "c2"))
        claimed = claim_all(store, SECOND)
        assert [(m.customer_id, m.submission) for m in claimed] == [("c1", 1), ("c1", 3), ("c2", 1)]
        plan(store, message(1, 1).after(Attempt(2, 500, "", 0)))
        assert [m.submission for m in claim_all(store, SECOND)] == [2]

    def test_claims_at_once_never_take_two_of_a_lane(self, store: Store) -> None:
        """Eight threads that claim together get one message of each of two lanes."""
        store.add(Snapshot(account()))
        plan(store, *(message(n, n) for n in range(1, 11)))
        plan(store, *(replace(message(n, n), url="http://127.0.0.1/b") for n in range(11, 21)))
        barrier, claimed = Barrier(8), []

        def claim() -> None:
            barrier.wait()
            claimed.extend(claim_all(store, SECOND))

        threads = [Thread(target=claim) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(m.submission for m in claimed) == [1, 11]

    def test_what_comes_at_once_waits_for_nobody(self, store: Store) -> None:
        """Messages without an order are under way together, and beside one that has one."""
        store.add(Snapshot(account()))
        burst = [replace(message(n, n), at_once=True) for n in range(2, 5)]
        plan(store, message(1, 1), *burst, message(5, 5))
        assert [m.submission for m in claim_all(store, SECOND)] == [1, 2, 3, 4]

    def test_a_receiver_can_be_avoided(self, store: Store) -> None:
        """What goes to a receiver that is avoided is left for later; the others' is claimed."""
        for customer_id in ("c1", "c2"):
            store.add(Snapshot(account(customer_id)))
        busy = "http://127.0.0.1:1"
        for n in range(1, 4):
            plan(store, replace(message(n, n), url=f"{busy}/{n}"))
        plan(store, message(4, 4), replace(message(5, 5, "c2"), url=busy), message(6, 6, "c2"))
        claimed = claim_all(store, SECOND, Busy(receivers={busy}))
        assert [(m.customer_id, m.submission) for m in claimed] == [("c1", 4), ("c2", 6)]
        left = claim_all(store, SECOND)
        assert {(m.customer_id, m.submission) for m in left} == {
            ("c1", 1),
            ("c1", 2),
            ("c1", 3),
            ("c2", 5),
        }

    def test_a_customer_can_be_left_out(self, store: Store) -> None:
        """What is of a customer who is busy is left for later; the others' is claimed."""
        for customer_id in ("c1", "c2"):
            store.add(Snapshot(account(customer_id)))
        plan(store, message(1, 1), message(2, 2, "c2"))
        busy = Busy(customers={"c1"})
        assert [m.customer_id for m in claim_all(store, SECOND, busy)] == ["c2"]
        assert [m.customer_id for m in claim_all(store, SECOND)] == ["c1"]

    def test_a_submission_may_have_several_messages(self, store: Store) -> None:
        """Each is kept and found by its number, and all by their submission."""
        store.add(Snapshot(account()))
        several = [replace(message(), id=f"msg_1-{n}", number=n) for n in (1, 2, 3)]
        plan(store, *several, message(2))
        with store.transaction("c1") as tx:
            assert tx.messages("b1", 1) == tuple(several)
            assert tx.message("b1", 1, 3) == several[2]
            assert tx.message("b1", 1, 4) is None
            assert tx.messages("b1", 3) == ()
        assert store.messages("c1") == (*several, message(2))

    def test_a_message_that_is_saved_anew_keeps_its_place(self, store: Store) -> None:
        """Of messages due at one instant the first planned comes first, whatever it changed."""
        store.add(Snapshot(account()))
        elsewhere = replace(message(1, 1), url="http://127.0.0.1/elsewhere")
        plan(store, message(1, 1), replace(message(2, 1), at_once=True), elsewhere)
        assert claim_all(store, SECOND) == [elsewhere, replace(message(2, 1), at_once=True)]

    def test_a_message_that_gets_another_url_changes_its_lane(self, store: Store) -> None:
        """It is claimed beside what is under way to its former URL."""
        store.add(Snapshot(account()))
        plan(store, message(1, 1), message(2, 2))
        claim_all(store, SECOND)
        plan(store, replace(message(2, 2), url="http://127.0.0.1/elsewhere"))
        assert [m.submission for m in claim_all(store, SECOND)] == [2]

    def test_a_failed_transaction_leaves_messages_as_they_were(self, store: Store) -> None:
        """A message saved, one added and one leased in it are as before, and can be claimed."""
        store.add(Snapshot(account(is_manual=True)))
        plan(store, message(1, 0), message(2, 0))

        def change_and_fail() -> None:
            with store.transaction("c1") as tx:
                tx.save_message(message(1, 0).after(Attempt(0, 200, "", 0)))
                tx.save_message(message(3, 0))
                assert tx.claim(0, LEASE, alone=True) == message(2, 0)
                assert tx.in_flight()
                raise RuntimeError("on purpose")

        with pytest.raises(RuntimeError, match="on purpose"):
            change_and_fail()
        assert store.messages("c1") == (message(1, 0), message(2, 0))
        with store.transaction("c1") as tx:
            assert not tx.in_flight()
        plan(store, message(1, 0).after(Attempt(0, 200, "", 0)))
        assert [m.submission for m in claim_all(store, SECOND)] == [2]

    def test_an_unknown_account_is_an_error_and_an_unknown_key_none(self, store: Store) -> None:
        """Asking for a customer that is not there raises; a key that nobody has finds nobody."""
        with pytest.raises(UnknownAccountError, match="c9"):
            store.account("c9")
        assert store.account_by_key("key-c9") is None

    def test_ids_and_keys_are_taken_once(self, store: Store) -> None:
        """A second account with the same id or the same key is refused."""
        store.add(Snapshot(account()))
        with pytest.raises(DuplicateAccountError):
            store.add(Snapshot(replace(account(), api_key="other")))
        with pytest.raises(DuplicateAccountError):
            store.add(Snapshot(replace(account(), customer_id="other")))

    def test_a_removed_account_leaves_nothing_behind(self, store: Store) -> None:
        """After removal its key, batches and due messages are gone; removing again is no error."""
        store.add(Snapshot(account()))
        plan(store, message())
        store.remove_account("c1")
        store.remove_account("c1")
        assert store.account_by_key("key-c1") is None
        assert store.batch("c1", "b1") is None
        assert store.claim(SECOND, SECOND + LEASE) is None

    def test_a_transaction_writes_everything_together(self, store: Store) -> None:
        """What was written is there afterwards, and the account's clock with it."""
        store.add(Snapshot(account()))
        with store.transaction("c1") as tx:
            tx.book(10, Reason.OPENING, 0)
            tx.book(-4, Reason.CREATE, 1, "b1", 1)
            tx.save_batch(batch())
            tx.save_message(message())
            tx.save_account(replace(tx.account, batches=1))
        assert store.batch("c1", "b1") == batch()
        assert [entry.balance for entry in store.ledger("c1")] == [10, 6]
        assert store.balance("c1") == 6
        assert store.messages("c1") == (message(),)
        assert store.account("c1").batches == 1

    def test_a_failed_transaction_writes_nothing(self, store: Store) -> None:
        """An exception in the block leaves everything as it was."""
        store.add(Snapshot(account()))

        def write_and_fail() -> None:
            with store.transaction("c1") as tx:
                tx.book(10, Reason.OPENING, 0)
                tx.save_batch(batch())
                tx.save_message(message())
                tx.save_account(replace(tx.account, batches=1))
                raise RuntimeError("on purpose")

        with pytest.raises(RuntimeError, match="on purpose"):
            write_and_fail()
        assert store.batch("c1", "b1") is None
        assert store.ledger("c1") == ()
        assert store.messages("c1") == ()
        assert store.account("c1") == account()

    def test_a_transaction_sees_what_it_wrote(self, store: Store) -> None:
        """Within the block, reads see the writes before them."""
        store.add(Snapshot(account()))
        with store.transaction("c1") as tx:
            tx.save_batch(batch())
            tx.save_message(message())
            assert tx.batch("b1") == batch()
            assert tx.message("b1", 1) == message()
            assert tx.batch("b2") is None

    def test_the_balance_never_falls_under_zero(self, store: Store) -> None:
        """A charge that the balance does not cover is refused, with both numbers."""
        store.add(Snapshot(account()))
        with store.transaction("c1") as tx:
            tx.book(3, Reason.OPENING, 0)
            with pytest.raises(InsufficientCreditError, match="4 credits, and there are 3"):
                tx.book(-4, Reason.CREATE, 0)
        assert store.balance("c1") == 3

    def test_two_accounts_never_see_each_other(self, store: Store) -> None:
        """A batch of one account is not there for another."""
        store.add(Snapshot(account("c1")))
        store.add(Snapshot(account("c2")))
        with store.transaction("c1") as tx:
            tx.save_batch(batch())
        assert store.batch("c2", "b1") is None
        assert store.messages("c2") == ()

    def test_concurrent_charges_never_spend_the_same_credit(self, store: Store) -> None:
        """Of sixteen threads that each want one of four credits, four get one."""
        store.add(Snapshot(account()))
        with store.transaction("c1") as tx:
            tx.book(4, Reason.OPENING, 0)
        barrier, refused = Barrier(16), []

        def spend() -> None:
            barrier.wait()
            try:
                with store.transaction("c1") as tx:
                    tx.book(-1, Reason.CREATE, 0)
            except InsufficientCreditError as error:
                refused.append(error)

        threads = [Thread(target=spend) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(refused) == 12
        assert store.balance("c1") == 0 == sum(entry.amount for entry in store.ledger("c1"))

    def test_a_message_is_claimed_once_it_is_due(self, store: Store) -> None:
        """Before its instant nobody gets it; at its instant one claimer does, and no other."""
        store.add(Snapshot(account()))
        plan(store, message(due_at=5 * SECOND))
        assert store.next_due() == 5 * SECOND
        assert store.claim(5 * SECOND - 1, LEASE) is None
        assert store.claim(5 * SECOND, 5 * SECOND + LEASE) == message(due_at=5 * SECOND)
        assert store.claim(5 * SECOND, 5 * SECOND + LEASE) is None

    def test_the_oldest_is_claimed_first(self, store: Store) -> None:
        """Messages are claimed in the order in which they fall due, then of planning."""
        store.add(Snapshot(account()))
        plan(store, message(3, 3), message(1, 1), message(2, 2), message(4, 2))
        claimed = []
        while one := store.claim(SECOND, LEASE):
            plan(store, one.after(Attempt(SECOND, 200, "", 0)))
            claimed.append(one.submission)
        assert claimed == [1, 2, 4, 3]

    def test_a_lease_that_ran_out_gives_the_message_to_another(self, store: Store) -> None:
        """A claimer that never came back does not lose the message."""
        store.add(Snapshot(account()))
        plan(store, message())
        assert store.claim(SECOND, 2 * SECOND) == message()
        assert store.claim(2 * SECOND - 1, LEASE) is None
        assert store.claim(2 * SECOND, LEASE) == message()

    def test_a_failed_attempt_is_due_again_later(self, store: Store) -> None:
        """Recording a failure ends the lease, and plans the message anew."""
        store.add(Snapshot(account()))
        plan(store, message())
        store.claim(0, LEASE)
        retried = message().after(Attempt(0, 500, "", 0))
        plan(store, retried)
        assert store.claim(10 * SECOND - 1, LEASE) is None
        assert store.claim(10 * SECOND, 10 * SECOND + LEASE) == retried

    def test_a_delivered_or_withdrawn_message_is_never_claimed(self, store: Store) -> None:
        """What is through, or taken back, is not due any more."""
        store.add(Snapshot(account()))
        plan(store, message(1), message(2))
        plan(store, message(1).withdrawn(), message(2).after(Attempt(0, 200, "", 0)))
        assert store.claim(SECOND, LEASE) is None
        assert {m.state for m in store.messages("c1")} == {
            MessageState.WITHDRAWN,
            MessageState.DELIVERED,
        }

    def test_nothing_falls_due_by_itself_on_a_manual_clock(self, store: Store) -> None:
        """Messages of an account with a manual clock wait until the clock is moved to them."""
        store.add(Snapshot(account(is_manual=True)))
        plan(store, message(due_at=5))
        assert store.claim(SECOND, LEASE) is None
        with store.transaction("c1") as tx:
            tx.save_account(replace(tx.account, clock=tx.account.clock.moved_to(5, SECOND)))
        assert store.claim(SECOND, SECOND + LEASE) == message(due_at=5)

    def test_the_next_due_message_of_an_account_can_be_leased(self, store: Store) -> None:
        """Within a transaction the first due message is found, and leased from everybody else."""
        store.add(Snapshot(account(is_manual=True)))
        elsewhere = replace(message(2, 2), url="http://127.0.0.1/elsewhere")
        plan(store, elsewhere, message(1, 1))
        with store.transaction("c1") as tx:
            assert tx.claim(0, LEASE, alone=True) is None
            assert not tx.in_flight()
            assert tx.claim(10, LEASE, alone=True) == message(1, 1)
            assert tx.in_flight()
        with store.transaction("c1") as tx:
            assert tx.claim(10, LEASE, alone=True) is None
            assert tx.claim(10, LEASE, alone=False) == elsewhere
        plan(store, elsewhere.withdrawn())
        plan(store, message(1, 1).after(Attempt(1, 200, "", 0)))
        with store.transaction("c1") as tx:
            assert not tx.in_flight()

    def test_ended_batches_beyond_an_age_are_forgotten(self, store: Store) -> None:
        """Those that ended longer ago go, with their messages; the others stay."""
        self._fill(store)
        with store.transaction("c1") as tx:
            assert tx.forget(Keep(age=30 * SECOND), now=40 * SECOND) == 1
        assert [store.batch("c1", f"b{n}") is None for n in range(1, 5)] == [
            True,
            False,
            False,
            False,
        ]
        assert {m.batch_id for m in store.messages("c1")} == {"b2", "b3", "b4"}

    def test_batches_beyond_a_number_are_forgotten_the_oldest_first(self, store: Store) -> None:
        """The newest stay; one whose webhook is not through stays as well."""
        self._fill(store, pending="b1")
        with store.transaction("c1") as tx:
            assert tx.forget(Keep(count=1), now=40 * SECOND) == 2
            assert tx.account.customer_id == "c1"
        assert [store.batch("c1", f"b{n}") is None for n in range(1, 5)] == [
            False,
            True,
            True,
            False,
        ]

    def test_a_batch_that_has_not_ended_is_never_forgotten(self, store: Store) -> None:
        """However old, what still processes is kept."""
        self._fill(store)
        with store.transaction("c1") as tx:
            assert tx.forget(Keep(count=0), now=0) == 0

    def test_a_batch_that_is_stuck_is_never_forgotten(self, store: Store) -> None:
        """What has no end has not ended a century later, however little is kept."""
        store.add(Snapshot(account()))
        century = 100 * 366 * 86_400 * SECOND
        stuck = replace(batch().submission, script=Script(1, 2, 3, stuck_at=50))
        with store.transaction("c1") as tx:
            tx.save_batch(replace(batch(), submissions=(stuck,)))
        for keep in (Keep(count=0), Keep(age=1)):
            with store.transaction("c1") as tx:
                assert tx.forget(keep, now=century) == 0
        with store.transaction("c1") as tx:
            tx.save_batch(batch())
        with store.transaction("c1") as tx:
            assert tx.forget(Keep(count=0), now=century) == 1

    def test_the_scenarios_of_an_account_are_kept(self, store: Store) -> None:
        """The default and the next ones, in order, come back as they were saved."""
        store.add(Snapshot(account()))
        following = (SCENARIOS["stuck"], Scenario(queue="2s", fail_medias=[1], message="Oh."))
        with store.transaction("c1") as tx:
            saved = replace(tx.account, scenario=SCENARIOS["nsfw"], next_scenarios=following)
            tx.save_account(saved)
        assert store.account("c1") == saved

    def test_the_balance_is_the_ledgers_sum_after_forgetting(self, store: Store) -> None:
        """What the forgotten batches came to is carried in one entry, however often one forgets."""
        self._fill(store)
        before = store.balance("c1")
        for count in (3, 1):
            with store.transaction("c1") as tx:
                tx.forget(Keep(count=count), now=60 * SECOND)
        entries = store.ledger("c1")
        assert store.balance("c1") == before == sum(entry.amount for entry in entries)
        carried = [entry.amount for entry in entries if entry.reason is Reason.CARRIED]
        assert carried == [-6]
        assert {entry.batch_id for entry in entries} == {"", "b4"}

    def test_every_account_is_listed(self, store: Store) -> None:
        """The ids of all accounts are listed."""
        store.add(Snapshot(account("c1")))
        store.add(Snapshot(account("c2")))
        assert sorted(store.customers()) == ["c1", "c2"]

    def _left(self, store: Store) -> list[str]:
        return [f"b{n}" for n in range(1, 5) if store.batch("c1", f"b{n}")]

    def _fill(self, store: Store, pending: str = "") -> None:
        """Four batches, created and ended ten seconds apart, for 1, 2, 3 and 4 credits."""
        store.add(Snapshot(account()))
        with store.transaction("c1") as tx:
            tx.book(100, Reason.OPENING, 0)
        for n in range(1, 5):
            at = (n - 1) * 10 * SECOND
            made = replace(batch(f"b{n}"), created_at=at)
            planned = replace(message(1, at), batch_id=made.id)
            sent = planned if made.id == pending else planned.after(Attempt(at, 200, "", 0))
            with store.transaction("c1") as tx:
                tx.book(-n, Reason.CREATE, at, made.id, 1)
                tx.save_batch(replace(made, submissions=(replace(made.submission, at=at),)))
                tx.save_message(sent)
