"""The load: callers who submit, send again, ask and cancel, and remember what they were told."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx

from ground import Ground, wait_until

SUBMIT = "/v1/generation/text-to-image"
# What the probe does with each, and how often it is asked for.
PROMPTS = {
    "plain": 50,
    "slow": 22,
    "crash once": 8,
    "refuse": 6,
    "break": 4,
    "crash always": 4,
    "hang": 3,
}
# Prompts that cannot end well, whatever happens.
HOPELESS = {"refuse", "break", "crash always", "hang"}
GRANTED = 100_000
# Of an account, tasks not known to have ended and submits not answered yet: beyond this its callers
# make nothing new.
UNFINISHED_MAX = 10
# Longer than the product promises, and than any freeze.
ANSWER_SECONDS_MAX = 15.0
FINAL = ("SUCCESS", "FAILED")
# What may be answered to a request that breaks no rule.
_FINE = {200, 503}


@dataclass(slots=True)
class Sent:
    """One submit, under a key or not, and every answer to it."""

    body: dict[str, Any]
    key: str | None
    answers: list[dict[str, Any]] = field(default_factory=list)
    # Answers that were no repetition.
    accepted: int = 0
    # Times that no answer came, or one that promised nothing.
    lost: int = 0


@dataclass(slots=True)
class Account:
    """An account, and what its callers know of its tasks."""

    id: str
    key: str
    sent: list[Sent] = field(default_factory=list)
    prompts: dict[str, str] = field(default_factory=dict)
    # The last that was told of each task, and of those that have ended all there is to tell.
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    # Since when each end is known, by the monotonic clock.
    ends_known_at: dict[str, float] = field(default_factory=dict)
    unfinished: set[str] = field(default_factory=set)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def unanswered(self) -> list[Sent]:
        """What was sent under a key and must be sent again."""
        with self.guard:
            return [sent for sent in self.sent if sent.key is not None and not sent.answers]


@dataclass(slots=True)
class Caller:
    """One of an account's callers: a thread that does one thing after another."""

    account: Account
    urls: list[str]
    random: Random
    faults: list[str]
    answers: Counter[str] = field(default_factory=Counter)
    longest_seconds: float = 0.0
    # When the last request set out.
    sent_at: float = 0.0
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.account.key}"}
        self.client = httpx.Client(headers=headers, timeout=ANSWER_SECONDS_MAX)

    def run(self, over: threading.Event) -> None:
        """Call until it is over."""
        while not over.wait(self.random.uniform(0.01, 0.1)):
            waiting = len(self.account.unfinished) + len(self.account.unanswered())
            crowded = waiting >= UNFINISHED_MAX
            doings = [self._submit, self._send_again, self._ask, self._cancel]
            weights = [0 if crowded else 30, 10, 60, 4]
            [doing] = self.random.choices(doings, weights)
            doing()

    def settle(self) -> None:
        """Send again what has a key and was never answered, until it is."""
        for sent in self.account.unanswered():
            wait_until(lambda sent=sent: self.send(sent), what=f"the answer to {sent.key}")

    def send(self, sent: Sent) -> bool:
        """Send a submit; whether it was accepted, now or before."""
        headers = {} if sent.key is None else {"Idempotency-Key": sent.key}
        answer = self._call("submit", "POST", SUBMIT, json=sent.body, headers=headers)
        if answer is None:
            sent.lost += 1
            return False
        data = answer.json()["data"]
        with self.account.guard:
            if sent.answers and data != sent.answers[0]:
                self._fault(f"{sent.key} was answered {sent.answers[0]} and then {data}")
            sent.accepted += "Idempotent-Replayed" not in answer.headers
            if sent.accepted > 1:
                self._fault(f"{sent.key} was accepted anew: {data}")
            sent.answers.append(data)
            for task_id in data["task_ids"]:
                if task_id not in self.account.prompts:
                    self.account.prompts[task_id] = sent.body["prompt"]
                    self.account.unfinished.add(task_id)
        return True

    def ask(self, task_id: str) -> dict[str, Any] | None:
        """What the server tells of a task, held against what was told before."""
        answer = self._call("status", "GET", f"/v1/generation/{task_id}/status")
        if answer is None:
            return None
        task: dict[str, Any] = answer.json()["data"]
        self._learn(task)
        return task

    def makes_a_picture(self) -> bool:
        """Whether a plain picture, asked for now that nothing stands in its way, is made."""
        sent = Sent(_body("plain", 1), f"key-{len(self.account.sent)}")
        self.account.sent.append(sent)
        wait_until(lambda: self.send(sent), what=f"the answer to {sent.key}")
        [task_id] = sent.answers[0]["task_ids"]
        wait_until(lambda: self._has_ended(task_id), what=f"the end of {task_id}")
        return bool(self.account.seen[task_id]["task_status"] == "SUCCESS")

    def _has_ended(self, task_id: str) -> bool:
        task = self.ask(task_id)
        return task is not None and task["task_status"] in FINAL

    def _submit(self) -> None:
        [prompt] = self.random.choices([*PROMPTS], [*PROMPTS.values()])
        body = _body(prompt, self.random.choice([1, 1, 1, 2, 4]))
        if self.random.random() < 0.05:
            body["deadline_seconds"] = 3
        with self.account.guard:
            number = len(self.account.sent)
            key = f"key-{number}" if self.random.random() < 0.7 else None
            sent = Sent(body, key)
            self.account.sent.append(sent)
        self.send(sent)

    def _send_again(self) -> None:
        with self.account.guard:
            keyed = [sent for sent in self.account.sent[-50:] if sent.key is not None]
        keyed = self.account.unanswered() or keyed
        if keyed:
            self.send(self.random.choice(keyed))

    def _ask(self) -> None:
        with self.account.guard:
            known = [*self.account.unfinished] * 3 + [*self.account.seen][-50:]
        if known:
            self.ask(self.random.choice(known))

    def _cancel(self) -> None:
        with self.account.guard:
            known = [*self.account.prompts][-40:]
        if not known:
            return
        task_id = self.random.choice(known)
        answer = self._call("cancel", "POST", f"/v1/generation/{task_id}/cancel")
        if answer is not None:
            task = answer.json()["data"]
            if task.pop("cancel")["effect"] == "ended" and task["task_status"] != "FAILED":
                self._fault(f"a cancel ended {task_id}, and it is {task['task_status']}")
            self._learn(task)

    def _call(self, what: str, method: str, path: str, **options: Any) -> httpx.Response | None:
        """An answer with status 200, or None when there was none; any other is a fault."""
        self.sent_at = time.monotonic()
        try:
            answer = self.client.request(
                method, f"{self.random.choice(self.urls)}{path}", **options
            )
        except httpx.TransportError as exc:
            self.answers[f"{what}: {type(exc).__name__}"] += 1
            return None
        self.answers[f"{what}: {answer.status_code}"] += 1
        self.longest_seconds = max(self.longest_seconds, time.monotonic() - self.sent_at)
        if answer.status_code not in _FINE:
            self._fault(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        if answer.status_code == 503 and "Retry-After" not in answer.headers:
            self._fault(f"{method} {path}: 503 without Retry-After: {answer.text[:300]}")
        return answer if answer.status_code == 200 else None

    def _learn(self, task: dict[str, Any]) -> None:
        """Remember what was told; what was true of a task before must still be."""
        task_id = task["task_id"]
        with self.account.guard:
            before = self.account.seen.get(task_id)
            if before is not None and before["task_status"] in FINAL:
                # An answer that was on its way when another caller learned of the end may be older.
                is_later = self.sent_at > self.account.ends_known_at[task_id]
                if task != before and (is_later or task["task_status"] in FINAL):
                    self._fault(f"{task_id} ended as {before} and then was {task}")
                return
            if task["task_status"] in FINAL:
                self.account.unfinished.discard(task_id)
                self.account.ends_known_at[task_id] = time.monotonic()
            self.account.seen[task_id] = task
        # Two callers' answers may come in another order than they were given, but not their ends.
        if not 0 <= task["progress"] <= 100:
            self._fault(f"{task_id} is at {task['progress']} %")

    def _fault(self, text: str) -> None:
        self.faults.append(text)


def _body(prompt: str, number: int) -> dict[str, Any]:
    return {"model": "PROBE", "prompt": prompt, "image_number": number, "resolution": "64x64"}


def open_accounts(ground: Ground, number: int) -> list[Account]:
    """Fresh accounts with credits and a key each."""
    made = [ground.account(GRANTED) for _ in range(number)]
    return [Account(one.id, ground.key(one.id)) for one in made]
