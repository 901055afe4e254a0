-- What is asked of other services: a row before each request that may cost money.

-- `id` is also the idempotency key that is sent. A call goes on from attempt to attempt of its task
-- until it has ended; one that was delivered is asked for again, never sent again.
CREATE TABLE upstream_calls (
    id          text PRIMARY KEY,
    task_id     text NOT NULL REFERENCES tasks (id),
    attempt     smallint NOT NULL,
    model       text NOT NULL,
    backend     text NOT NULL,
    state       text NOT NULL DEFAULT 'sending' CHECK (state IN
                ('sending', 'accepted', 'delivered', 'refused', 'failed', 'canceled', 'unknown')),
    remote_id   text,
    -- Null: nobody knows.
    is_billed   boolean,
    -- Millionths of a US dollar; null where the service does not tell.
    cost_micro  bigint CHECK (cost_micro >= 0),
    error       text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    changed_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX upstream_calls_going ON upstream_calls (task_id, backend)
 WHERE state IN ('sending', 'accepted', 'delivered');
CREATE INDEX upstream_calls_task ON upstream_calls (task_id);
CREATE INDEX upstream_calls_open ON upstream_calls (changed_at)
 WHERE state IN ('sending', 'accepted');
CREATE INDEX upstream_calls_doubtful ON upstream_calls (id)
 WHERE is_billed IS NULL AND state IN ('failed', 'canceled', 'unknown');

-- The backends that could not serve a task, so that its next attempt asks another.
ALTER TABLE tasks ADD COLUMN passed_over text[];
