"""Settings: a flag wins over the environment, the environment over `darkroom.toml`; loaded once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec.structs import replace

from darkroom import errors, sources

# Bounds of the system that are no settings; each with its unit in its name.
JSON_BYTES_MAX = 32 * 2**20  # a few pictures as data: URLs fit
# An input file, however it comes.
UPLOAD_BYTES_MAX = {"picture": 20 * 2**20, "clip": 100 * 2**20, "sound": 50 * 2**20}
CALL_RECORDS_WAITING_MAX = 50_000
CALL_RECORDS_FLUSH_SECONDS = 0.5
# How long requests and tasks stay counted by hour, and by day.
USAGE_HOURS_KEPT_DAYS = 8
USAGE_DAYS_KEPT_DAYS = 400
# Records that one page of a filtered history looks at; what failed lies far apart on the disk.
HISTORY_LOOKED_AT_MAX = 10_000
HISTORY_FAILURES_LOOKED_AT_MAX = 2_000
KEY_SECONDS_MAX = 0.9  # a revoked key stops working within a second
KEYS_CACHED_MAX = 10_000
KEY_RENEWED_SECONDS = 10.0  # after its last use in which a key is looked up again and again
KEYS_RENEWED_MAX = 1_000
KEY_OVERLAP_HOURS = 24  # for which a rotated key goes on
KEY_OVERLAP_HOURS_MAX = 720
KEY_DAYS_MAX = 3_650
KEY_LISTED_MAX = 200  # models, or hosts, that a key names
SESSION_DAYS = 14  # that a session lives after its last use
SUBMITS_TOGETHER_MAX = 64
READS_TOGETHER_MAX = 128
FINISHED_CACHED_MAX = 10_000
FINISHED_SECONDS_MAX = 10.0  # after which another process knows that a task was deleted
EVENT_STREAMS_MAX = 1_000  # answers that are kept open, waiting for tasks, in one process
EVENT_STREAM_SECONDS_MAX = 3_600.0
KEEP_ALIVE_SECONDS = 15.0
PREFER_WAIT_SECONDS_MAX = 60
SYNCHRONOUS_SECONDS_MAX = 60.0  # that a kind which is answered at once may take
HELD_SECONDS_MAX = 300.0  # that an answer is held back until its tasks have ended
QUEUE_COUNTED_MAX = 1_000  # places in the queue that are told exactly
WAITING_MAX = 1_000_000  # parked tasks of all accounts together
CLAIM_LOOKED_AT_MAX = 32  # of the queue, among which a worker prefers what it has loaded
ALIKE_LOOKED_AT_MAX = 128  # of the queue, among which tasks are found that can run in one call
LOAD_SECONDS_MIN = 0.2  # a model that loads faster is not preferred for being loaded
OVERTAKEN_MAX = 8  # claims in a row by which a worker may leave the first of the queue behind
WORKER_SEEN_SECONDS = 2.0  # how often a worker says that it lives
WORKER_ALIVE_SECONDS = 30.0  # how long it is believed
WORKERS_LISTED_MAX = 1_000
MEASURED_MAX = 1_000  # tasks whose duration a worker keeps until it has told the database
CATALOGUE_SECONDS = 2.0  # after which every process knows of an edit that holds from now on
AUDIT_LEASE_SECONDS = 60.0  # how long a daemon that runs an audit is believed to live
AUDIT_FINDINGS_KEPT_MAX = 100  # of each check
STRIKES_MAX = 3  # attempts of a task that may end with a worker lost or unable to do it
CRASHES_MAX = 2  # attempts of a task that may cost a child: it died, or ran out of memory
AVOID_SECONDS = 2.0  # what other workers get to take a task before the one that gave it back
SWEEP_TASKS_MAX = 100
FETCH_SECONDS_MAX = 60.0
FILES_AWAY_SECONDS_MAX = 600.0  # that an attempt waits for the store of files to come back
DOWNLOAD_SECONDS = 3_600  # for which a presigned address works
STORING_MAX = 16  # results that a worker signs and stores while its children go on
SEATS_SECONDS_MAX = 1.0  # that tasks which share a call wait for each other's inputs
PREVIEW_SECONDS = 1.0  # between two previews of a task
NEWS_SECONDS = 1.0  # between two webhooks about the progress of a task
PROGRESS_SECONDS_MAX = 60.0  # after which nobody cares
LETTER_SECONDS_MAX = 3 * 86_400.0  # after which a letter that could not be sent is given up
LETTER_DAYS = 30  # that letters are listed, long without their links
DELIVERY_SECONDS_MAX = 5 * 86_400.0  # after which a delivery that did not arrive is given up
ATTEMPT_SECONDS_MAX = 15.0  # that a receiver may take to answer
RESENT_TOGETHER_MAX = 10_000
SECRET_OVERLAP_HOURS = 24  # for which a rotated secret signs beside the new one
SECRET_OVERLAP_HOURS_MAX = 168
LISTENER_SECONDS = 60.0  # for which one is kept that was last seen now
LISTENER_TAKES_MAX = 50  # at once
ENDPOINTS_MAX = 10  # of one account
ENDPOINT_FAILING_SECONDS_MAX = 5 * 86_400.0  # after which one is disabled
RETRY_AFTER_SECONDS_MAX = 3_600.0  # that a receiver may ask for beyond the schedule
ANSWER_KEPT_BYTES_MAX = 4_096
# At once, in one process: to one host for one account, to one host, for one account, in all.
DELIVERIES_TO_ONE_MAX = 8
DELIVERIES_TO_HOST_MAX = 32
DELIVERIES_OF_ACCOUNT_MAX = 32
DELIVERIES_MAX = 128
DESTINATIONS_LOOKED_AT_MAX = 1_000
DESTINATIONS_FAILING_MAX = 10_000  # that a process remembers


_DAY = {"gt": 0, "le": 86_400}
# What is set needs the other to be set as well.
_TOGETHER = (
    # Links in letters never lead where a stranger's Host header says.
    ("smtp_url", "mail_from"),
    ("smtp_url", "public_url"),
    ("oidc_issuer", "oidc_client_id"),
    ("provenance_certificate", "provenance_key"),
    ("provenance_key", "provenance_certificate"),
    ("s3_endpoint", "files_url"),
    ("s3_region", "files_url"),
)
_BUCKET = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*/?$"
_ENDPOINT = r"^https?://[A-Za-z0-9.:_\[\]-]+(/[A-Za-z0-9._/-]*)?$"
_GPU = r"^(\d{1,2}|(GPU|MIG)-[0-9A-Za-z/-]+)$"


def _said(description: str, **bounds: Any) -> Any:
    return msgspec.Meta(description=description, **bounds)


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting; each is also a variable DARKROOM_<NAME> and a line of `darkroom.toml`."""

    data: Annotated[Path, _said("Folder of everything that Darkroom keeps.")] = Path("data")
    database_url: Annotated[
        str | None, _said("A PostgreSQL 15 or newer; unset: the embedded one, in the data folder.")
    ] = None
    host: Annotated[str, _said("Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1"
    port: Annotated[int, _said("Port to listen on.", ge=0, le=65535)] = 8080
    public_url: Annotated[
        str | None, _said("Address that callers see, used in file links; unset: that of the call.")
    ] = None
    trusted_proxies: Annotated[
        tuple[str, ...],
        _said("Addresses of proxies whose X-Forwarded-For and -Proto are believed."),
    ] = ()
    files_url: Annotated[
        Annotated[str, msgspec.Meta(pattern=_BUCKET)] | None,
        _said("Bucket for the files, as s3://bucket/prefix; unset: the data folder."),
    ] = None
    s3_endpoint: Annotated[
        Annotated[str, msgspec.Meta(pattern=_ENDPOINT)] | None,
        _said("Address of an S3-compatible server that has the bucket; unset: Amazon."),
    ] = None
    s3_region: Annotated[
        str | None, _said("Region of the bucket; unset: that of AWS_REGION, or us-east-1.")
    ] = None
    downloads: Annotated[
        Literal["proxied", "presigned"],
        _said("How results come out of a bucket: through this server, or by a link to it."),
    ] = "proxied"
    workers: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=256)] | None,
        _said("Tasks run at once by this process; unset: one a GPU, or one a core; 0: none."),
    ] = None
    models: Annotated[
        tuple[str, ...], _said("Models whose tasks this process runs; unset: all that it can.")
    ] = ()
    gpus: Annotated[
        tuple[Annotated[str, msgspec.Meta(pattern=_GPU)], ...],
        _said("GPUs for its tasks, by number or UUID; a child sees one of them; unset: all."),
    ] = ()
    wire: Annotated[
        Literal["quickstart", "reference"], _said("Spelling of a new API key's answers.")
    ] = "quickstart"
    sandbox: Annotated[
        bool, _said("Serve every catalogue model with the built-in backends, and say so.")
    ] = True
    catalogue_file: Annotated[
        Path | None,
        _said("Models and rates of your own; unset: `catalogue.toml` in the data folder, if any."),
    ] = None
    packages_file: Annotated[
        Path | None, _said("Packages of credits of your own instead of the shipped ones.")
    ] = None
    stripe_key: Annotated[
        str | None, _said("Secret key of the Stripe account that takes the money.")
    ] = None
    stripe_webhook_secret: Annotated[
        str | None, _said("Signing secret of the events that Stripe sends to /stripe/events.")
    ] = None
    stripe_api: Annotated[str | None, _said("Base address of Stripe, for tests.")] = None
    test_checkout: Annotated[
        bool, _said("Sell packages for no money while there is no Stripe key.")
    ] = True
    operator_name: Annotated[str | None, _said("Who runs this server, as receipts say it.")] = None
    outbound_allow: Annotated[
        tuple[str, ...],
        _said("Addresses, networks or hosts that callers may name although they are private."),
    ] = ()
    webhook_http: Annotated[
        bool, _said("Send webhooks over plain http too; false: only to what is allowed above.")
    ] = False
    policy_file: Annotated[
        Path | None, _said("A content policy of your own instead of the shipped one.")
    ] = None
    moderation: Annotated[
        Literal["enforce", "shadow", "off"],
        _said("What the content policy does: refuse, only record, or nothing."),
    ] = "enforce"
    moderation_url: Annotated[
        str | None, _said("Base address of an OpenAI-compatible moderation API to ask as well.")
    ] = None
    moderation_key: Annotated[str | None, _said("API key for the moderation API.")] = None
    moderation_model: Annotated[str | None, _said("Model to ask the moderation API for.")] = None
    moderation_on_error: Annotated[
        Literal["allow", "refuse"], _said("What happens when the moderation API does not answer.")
    ] = "allow"
    provenance_certificate: Annotated[
        Path | None,
        _said(
            "Certificates in PEM with which the files that are made are signed, the one that signs "
            "first and its root last; unset: the instance's own."
        ),
    ] = None
    provenance_key: Annotated[
        Path | None, _said("File with the private key of the first of them, P-256 in PEM.")
    ] = None
    account_running_max: Annotated[
        int, _said("Tasks of a new account that run at once; more of them wait.", ge=1, le=100_000)
    ] = 64
    account_waiting_max: Annotated[
        int, _said("Tasks of a new account that may wait beyond these.", ge=0, le=10_000_000)
    ] = 10_000
    account_requests_per_minute: Annotated[
        int, _said("Requests a minute of a new account; 0: as many as it likes.", ge=0)
    ] = 0
    sign_up: Annotated[
        Literal["open", "invite", "closed"],
        _said("Who may register: everybody, those who are invited, or nobody."),
    ] = "open"
    smtp_url: Annotated[
        str | None,
        _said(
            "Mail server that sends the letters, as smtp://user:password@host:port or smtps://; "
            "unset: their links are shown to the operator."
        ),
    ] = None
    mail_from: Annotated[str | None, _said("Address that the letters come from.")] = None
    oidc_issuer: Annotated[
        str | None, _said("OpenID Connect issuer with which people may sign in, by its address.")
    ] = None
    oidc_client_id: Annotated[str | None, _said("What this server is called there.")] = None
    oidc_client_secret: Annotated[
        str | None, _said("What it proves itself with there; unset: by PKCE alone.")
    ] = None
    oidc_name: Annotated[str, _said("What people know the issuer as.")] = "single sign-on"
    audit_hours: Annotated[
        float, _said("Hours between two audits by the daemon; 0: only when asked.", ge=0, le=8760)
    ] = 24.0
    history_days: Annotated[
        int, _said("Days that call records and webhook deliveries are kept.", ge=1, le=3650)
    ] = 90
    file_days: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=36_500)] | None,
        _said("Days that results and uploads are kept; unset: until their owner deletes them."),
    ] = None
    task_seconds_max: Annotated[
        float,
        _said("Seconds that a model may take for a task, if it has no bound of its own.", **_DAY),
    ] = 600.0
    remote_tasks_max: Annotated[
        int, _said("Tasks at once that a worker leaves to other services.", ge=1, le=4096)
    ] = 32
    child_threads: Annotated[
        int, _said("Threads that a child's libraries may use.", ge=1, le=1024)
    ] = 1
    child_memory_mb: Annotated[
        Annotated[int, msgspec.Meta(ge=256, le=2**24)] | None,
        _said("Memory that a child may allocate, in MiB, without the GPU's; unset: no bound."),
    ] = None
    lease_seconds: Annotated[
        float, _said("Seconds without a heartbeat after which a task is taken back.", ge=2, le=600)
    ] = 15.0
    drain_seconds: Annotated[
        float, _said("Seconds that running tasks get to finish at a stop.", ge=0, le=3600)
    ] = 30.0
    notice_seconds: Annotated[
        float,
        _said(
            "Seconds that a server asked to end by SIGTERM says so on `/health/ready` and still "
            "takes requests.",
            ge=0,
            le=600,
        ),
    ] = 5.0
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], _said("How much is logged.")
    ] = "info"

    @property
    def workers_count(self) -> int:
        """How many tasks this process runs at once."""
        return self.workers if self.workers is not None else len(self.gpus) or os.cpu_count() or 1

    @property
    def files_folder(self) -> Path:
        return self.data / "files"

    @property
    def work_folder(self) -> Path:
        return self.data / "work"


_MASK = "••••••"
# Settings whose names end so hold a secret; and where one stands inside an address or a conninfo.
_SECRET = ("_key", "_secret", "_password", "_token")
_PASSWORD = re.compile(
    r"(?i)(?P<before>//[^/?#@:]*:)[^/\s]*(?=@)|(?P<named>\bpassword=)(?:'[^']*'|[^\s'&]+)"
)


def load(flags: Mapping[str, Any], environment: Mapping[str, str]) -> Config:
    """The settings of this process; raises `ConfigInvalid` naming the setting and its source."""
    given = sources.given(Config.__struct_fields__, flags, environment)
    values = {name: value for name, (value, _) in given.items()}
    try:
        config = msgspec.convert(values, Config, strict=False, dec_hook=_path)
    except msgspec.ValidationError as exc:
        name = str(exc).partition("$.")[2].rstrip("`").partition("[")[0]
        setting = f"DARKROOM_{name.upper()}" if name else "A setting"
        raise errors.ConfigInvalid(f"{setting} is wrong: {exc}") from exc
    _check(config)
    return replace(config, data=config.data.expanduser().absolute())


def _check(config: Config) -> None:
    """Refuse what is set by halves."""
    for first, name in _TOGETHER:
        if getattr(config, first) is not None and getattr(config, name) is None:
            raise errors.ConfigInvalid(
                f"DARKROOM_{first.upper()} is set, and DARKROOM_{name.upper()} is not."
            )
    if config.downloads == "presigned" and config.files_url is None:
        raise errors.ConfigInvalid(
            "DARKROOM_DOWNLOADS is presigned, which needs a bucket: set DARKROOM_FILES_URL."
        )


class InForce(msgspec.Struct, frozen=True):
    """One setting in force: its value as text, secrets masked, and where it was found."""

    name: str
    value: str
    source: str
    description: str


def in_force(flags: Mapping[str, Any], environment: Mapping[str, str]) -> list[InForce]:
    """Every setting of this process with its source: a flag, a variable, the file, the default."""
    config = load(flags, environment)
    given = sources.given(Config.__struct_fields__, flags, environment)
    told = []
    for field in msgspec.structs.fields(Config):
        _, source = given.get(field.name, (None, "default"))
        value = _text(field.name, getattr(config, field.name))
        meta = msgspec.inspect.type_info(field.type)
        assert isinstance(meta, msgspec.inspect.Metadata), f"{field.name} says nothing of itself"
        description = (meta.extra_json_schema or {})["description"]
        told.append(InForce(f"DARKROOM_{field.name.upper()}", value, source, description))
    return told


def _text(name: str, value: Any) -> str:
    """A value for people's eyes, without what opens something."""
    if value is None:
        return "unset"
    if name.endswith(_SECRET):
        return _MASK
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return _PASSWORD.sub(lambda one: (one["before"] or one["named"]) + _MASK, str(value))


def text_of(path: Path, setting: str) -> str:
    """The text of a file that a setting names; raises `ConfigInvalid` naming both."""
    try:
        return path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise errors.ConfigInvalid(f"{setting} names {path}, which cannot be read: {exc}") from exc


def _path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    raise NotImplementedError
