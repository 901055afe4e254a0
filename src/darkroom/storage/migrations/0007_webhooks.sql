-- Webhooks: who wants to be told of what, each delivery, and each attempt at one.

ALTER TABLE batches
    -- Under which address the caller reached the server: the addresses of results stand under it.
    ADD COLUMN base_url text,
    ADD COLUMN webhook_url text,
    ADD COLUMN webhook_events text[];

CREATE TABLE webhook_endpoints (
    id               text PRIMARY KEY,
    account_id       text NOT NULL REFERENCES accounts (id),
    url              text NOT NULL,
    events           text[] NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    -- Since when no attempt has succeeded; null: the last one did.
    failing_since    timestamptz,
    disabled_at      timestamptz,
    disabled_reason  text,
    -- A listener takes its deliveries itself, for as long as it is there; null: no listener.
    listens_until    timestamptz,
    CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX webhook_endpoints_url ON webhook_endpoints (account_id, md5(url));

-- The row is the queue: `next_at` is when it may be sent next, or the end of the lease while it is.
CREATE TABLE webhook_deliveries (
    -- The webhook-id, the same on every attempt.
    id               text PRIMARY KEY,
    account_id       text NOT NULL REFERENCES accounts (id),
    task_id          text REFERENCES tasks (id),
    -- Null: the address is that of the submit. An endpoint that was removed is still named.
    endpoint_id      text,
    url              text NOT NULL,
    host             text NOT NULL
                     GENERATED ALWAYS AS (lower(substring(url FROM '://([^/?#]+)'))) STORED,
    type             text NOT NULL,
    -- What is told where it is not of a task.
    data             jsonb,
    status           text NOT NULL DEFAULT 'PENDING'
                     CHECK (status IN ('PENDING', 'DELIVERED', 'FAILED')),
    -- The number of the last attempt; it fences what an earlier one comes late to record.
    attempts         integer NOT NULL DEFAULT 0,
    -- Attempts that failed since it was sent first, or again by hand: its place in the schedule.
    failures         integer NOT NULL DEFAULT 0,
    next_at          timestamptz NOT NULL DEFAULT now(),
    lease_until      timestamptz,
    error            text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    -- From when on it is given up if it has not arrived.
    expires_at       timestamptz NOT NULL,
    ended_at         timestamptz,
    CHECK ((status = 'PENDING') = (ended_at IS NULL)),
    CHECK (status = 'PENDING' OR lease_until IS NULL),
    CHECK ((type LIKE 'task.%') = (task_id IS NOT NULL)),
    CHECK ((task_id IS NULL) = (data IS NOT NULL))
) WITH (fillfactor = 70);
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (account_id, host, next_at)
    WHERE status = 'PENDING';
-- A task ends once; and news of its progress that nobody has taken yet is not told twice.
CREATE UNIQUE INDEX webhook_deliveries_ended ON webhook_deliveries (task_id, md5(url))
    WHERE type = 'task.ended';
CREATE UNIQUE INDEX webhook_deliveries_progress ON webhook_deliveries (task_id, md5(url))
    WHERE type = 'task.progress' AND status = 'PENDING';
CREATE INDEX webhook_deliveries_task ON webhook_deliveries (task_id) WHERE task_id IS NOT NULL;
CREATE INDEX webhook_deliveries_account ON webhook_deliveries (account_id, id DESC);
CREATE INDEX webhook_deliveries_age ON webhook_deliveries USING brin (created_at);

-- A number that is missing was sent by a process that did not live to record what came of it.
CREATE TABLE webhook_attempts (
    delivery_id      text NOT NULL REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
    number           integer NOT NULL,
    at               timestamptz NOT NULL,
    seconds          real NOT NULL,
    request_headers  jsonb NOT NULL,
    request_body     text NOT NULL,
    answer_status    smallint,
    answer_headers   jsonb,
    answer_body      text,
    error            text,
    PRIMARY KEY (delivery_id, number)
);

-- One secret of an account has no end; the one before it is valid for a while beside it.
CREATE TABLE webhook_secrets (
    account_id  text NOT NULL REFERENCES accounts (id),
    secret      text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz,
    PRIMARY KEY (account_id, secret)
);
CREATE UNIQUE INDEX webhook_secrets_current ON webhook_secrets (account_id)
    WHERE expires_at IS NULL;

-- The server's own pair of keys, made once for all processes.
CREATE TABLE signing_keys (
    id          smallint PRIMARY KEY CHECK (id = 1),
    private     text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);
