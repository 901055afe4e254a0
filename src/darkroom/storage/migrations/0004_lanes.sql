-- Fair queueing: what an account may take, its lane into the queue, workers and what they learn.

ALTER TABLE accounts
    ADD COLUMN weight real NOT NULL DEFAULT 1 CHECK (weight BETWEEN 0.01 AND 100),
    ADD COLUMN running_max integer NOT NULL DEFAULT 64 CHECK (running_max > 0),
    ADD COLUMN waiting_max integer NOT NULL DEFAULT 10000 CHECK (waiting_max >= 0),
    ADD COLUMN requests_per_minute integer CHECK (requests_per_minute > 0);
ALTER TABLE api_keys
    ADD COLUMN requests_per_minute integer CHECK (requests_per_minute > 0);

-- An account's way into the queue. Admitted tasks are in the queue or running, at most
-- `running_max` of them; the others of the account are parked until one of these has ended.
CREATE TABLE lanes (
    account_id  text PRIMARY KEY REFERENCES accounts (id),
    admitted    integer NOT NULL DEFAULT 0 CHECK (admitted >= 0),
    parked      integer NOT NULL DEFAULT 0 CHECK (parked >= 0),
    -- Where the work of the last admitted task ends, in the virtual time of its model's workers.
    finish_tag  float8 NOT NULL DEFAULT 0,
    model       text
) WITH (fillfactor = 50);
CREATE INDEX lanes_parked ON lanes (account_id) WHERE parked > 0;

-- A worker's virtual time is the highest start tag that it has claimed, in seconds of work.
CREATE TABLE workers (
    id            text PRIMARY KEY,
    host          text NOT NULL,
    models        text[] NOT NULL,
    slots         integer NOT NULL,
    virtual_time  float8 NOT NULL DEFAULT 0,
    started_at    timestamptz NOT NULL DEFAULT now(),
    seen_at       timestamptz NOT NULL DEFAULT now(),
    ended_at      timestamptz
) WITH (fillfactor = 50);

-- How long a task of a model, kind and size takes, as its workers have measured it.
CREATE TABLE paces (
    model       text NOT NULL,
    kind        text NOT NULL,
    size        smallint NOT NULL,
    seconds     float8 NOT NULL CHECK (seconds > 0),
    learned_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model, kind, size)
) WITH (fillfactor = 50);

ALTER TABLE tasks
    -- Its place in the queue, in virtual time; null: parked.
    ADD COLUMN start_tag float8,
    ADD COLUMN priority smallint NOT NULL DEFAULT 0,
    ADD COLUMN size smallint NOT NULL DEFAULT 0,
    ADD COLUMN work_seconds float8 NOT NULL DEFAULT 0;
UPDATE tasks SET start_tag = 0 WHERE status IN ('PENDING', 'PROCESSING');
INSERT INTO lanes (account_id, admitted)
SELECT a.id, count(t.id) FROM accounts a
  LEFT JOIN tasks t ON t.account_id = a.id AND t.status IN ('PENDING', 'PROCESSING')
 GROUP BY a.id;
DROP INDEX tasks_waiting;
CREATE INDEX tasks_queued ON tasks (start_tag, id)
    WHERE status = 'PENDING' AND start_tag IS NOT NULL;
CREATE INDEX tasks_parked ON tasks (account_id, priority DESC, batch_id, position)
    WHERE status = 'PENDING' AND start_tag IS NULL;

-- Tokens of request limits, shared by all servers. Not logged: after a crash buckets are full.
CREATE UNLOGGED TABLE buckets (
    id         text PRIMARY KEY,
    tokens     float8 NOT NULL,
    filled_at  timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
