-- Call history searched by failure and by key; usage: calls and tasks counted by hour and by day,
-- from here on.

ALTER TABLE call_records
    -- What a refusal said.
    ADD COLUMN error text;
-- In the reference spelling a refusal is HTTP 200 with a code.
CREATE INDEX call_records_failed ON call_records (account_id, status, at DESC, request_id DESC)
    WHERE status >= 400 OR code <> 0;
CREATE INDEX call_records_key ON call_records (api_key_id, at DESC, request_id DESC);

-- The step of a duration on a scale of half octaves: step n begins at 2 ^ (n / 2) milliseconds.
CREATE FUNCTION usage_step(milliseconds float8) RETURNS smallint LANGUAGE sql IMMUTABLE
    RETURN least(floor(2 * ln(greatest(milliseconds, 0.25)) / ln(2)), 48)::smallint;

-- What is to be counted, appended in the transaction that makes it a fact: a few rows of this kind
-- cost that transaction less than the rows of the counts, which many would change at once.
CREATE TABLE usage_calls_new (
    account_id  text NOT NULL,
    api_key_id  text NOT NULL,
    hour_at     timestamptz NOT NULL,
    status      smallint NOT NULL,
    code        integer NOT NULL,
    step        smallint NOT NULL,
    requests    integer NOT NULL
);
CREATE TABLE usage_tasks_new (
    account_id    text NOT NULL,
    api_key_id    text NOT NULL,
    model         text NOT NULL,
    hour_at       timestamptz NOT NULL,
    code          integer NOT NULL,
    step          smallint NOT NULL,
    charged_mill  bigint NOT NULL
);

-- Answered requests.
CREATE TABLE usage_calls (
    account_id  text NOT NULL,
    -- The hour or the day (UTC) that is counted.
    hours       smallint NOT NULL CHECK (hours IN (1, 24)),
    -- '': made without a key, from the console.
    api_key_id  text NOT NULL,
    starts_at   timestamptz NOT NULL,
    status      smallint NOT NULL,
    code        integer NOT NULL,
    requests    bigint NOT NULL,
    PRIMARY KEY (account_id, hours, api_key_id, starts_at, status, code)
) WITH (fillfactor = 70);
CREATE INDEX usage_calls_age ON usage_calls USING brin (starts_at);

-- The same requests by their durations.
CREATE TABLE usage_latencies (
    account_id  text NOT NULL,
    hours       smallint NOT NULL CHECK (hours IN (1, 24)),
    -- '*': of all keys together, so that a chart never reads more for an account with many.
    api_key_id  text NOT NULL,
    starts_at   timestamptz NOT NULL,
    step        smallint NOT NULL,
    requests    bigint NOT NULL,
    PRIMARY KEY (account_id, hours, api_key_id, starts_at, step)
) WITH (fillfactor = 70);
CREATE INDEX usage_latencies_age ON usage_latencies USING brin (starts_at);

-- Ended tasks.
CREATE TABLE usage_tasks (
    account_id    text NOT NULL,
    hours         smallint NOT NULL CHECK (hours IN (1, 24)),
    api_key_id    text NOT NULL,
    model         text NOT NULL,
    starts_at     timestamptz NOT NULL,
    -- 0: it succeeded.
    code          integer NOT NULL,
    -- Of the time from its start to its end, if it succeeded; else 0.
    step          smallint NOT NULL,
    tasks         bigint NOT NULL,
    charged_mill  bigint NOT NULL,
    PRIMARY KEY (account_id, hours, api_key_id, model, starts_at, code, step)
) WITH (fillfactor = 70);
CREATE INDEX usage_tasks_age ON usage_tasks USING brin (starts_at);
