-- The operator's desk: what admins did, edits of the catalogue, prices to come, audits kept.

-- Who did what about whom; written in the transaction in which it was done.
CREATE TABLE acts (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT now(),
    -- The e-mail address of who acted, as it was then, or "cli", which has no account.
    actor       text NOT NULL,
    actor_id    text,
    verb        text NOT NULL,
    -- What it was done to, and the account that this belongs to, if any.
    subject     text NOT NULL,
    account_id  text,
    before      jsonb,
    after       jsonb,
    request_id  text,
    ip          text
);
CREATE INDEX acts_subject ON acts (subject, id DESC);
CREATE INDEX acts_account ON acts (account_id, id DESC) WHERE account_id IS NOT NULL;
CREATE TRIGGER acts_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON acts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The waiting tasks of a suspended account that are to be canceled; null: none, or none any more.
ALTER TABLE accounts ADD COLUMN emptying_since timestamptz;
CREATE INDEX accounts_emptying ON accounts (id) WHERE emptying_since IS NOT NULL;
-- The desk lists the newest accounts, and finds them by how their address begins.
CREATE INDEX accounts_created ON accounts (created_at DESC, id DESC);
CREATE INDEX accounts_email_prefix ON accounts (lower(email) text_pattern_ops);

-- What holds of a model from an instant on, over the catalogue's files: of the edits that are in
-- force the last by instant, then by version. A hidden one keeps its document: what waits of it is
-- still run.
CREATE TABLE catalogue_edits (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model         text NOT NULL,
    version       integer NOT NULL,
    effect        text NOT NULL CHECK (effect IN ('set', 'hide', 'file')),
    -- Null: the catalogue's file says it.
    document      jsonb,
    effective_at  timestamptz NOT NULL,
    author        text NOT NULL,
    note          text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (model, version),
    CHECK ((document IS NULL) = (effect = 'file'))
);
CREATE TRIGGER catalogue_edits_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON catalogue_edits
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- From when on a rate is in force; those that are there have been since they were made.
ALTER TABLE rates ADD COLUMN effective_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE rates DISABLE TRIGGER rates_append_only;
UPDATE rates SET effective_at = created_at;
ALTER TABLE rates ENABLE TRIGGER rates_append_only;
DROP INDEX rates_latest;
CREATE INDEX rates_latest ON rates (model, kind, effective_at DESC, id DESC);

-- Audits: asked for by somebody or by the schedule, taken by a daemon, kept with what they found.
CREATE TABLE audits (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asked_at    timestamptz NOT NULL DEFAULT now(),
    -- Null: the schedule.
    asked_by    text,
    started_at  timestamptz,
    -- Until when the daemon that runs it is believed to live.
    lease_until timestamptz,
    ended_at    timestamptz,
    is_ok       boolean,
    result      jsonb,
    CHECK ((ended_at IS NULL) = (is_ok IS NULL)),
    CHECK ((ended_at IS NULL) = (result IS NULL))
);
-- One is asked for or runs at a time.
CREATE UNIQUE INDEX audits_open ON audits ((true)) WHERE ended_at IS NULL;

-- What a worker's children hold.
ALTER TABLE workers ADD COLUMN loaded text[] NOT NULL DEFAULT '{}';

-- The failures of the last hour, without a look at what ended well.
CREATE INDEX tasks_failed ON tasks (finished_at, id) WHERE status = 'FAILED';
