-- Accounts, keys, money, tasks, files and call records: the first schema.

CREATE TABLE accounts (
    id              text PRIMARY KEY,
    email           text NOT NULL,
    is_admin        boolean NOT NULL DEFAULT false,
    available_mill  bigint NOT NULL DEFAULT 0 CHECK (available_mill >= 0),
    held_mill       bigint NOT NULL DEFAULT 0 CHECK (held_mill >= 0),
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX accounts_email ON accounts (lower(email));

CREATE TABLE api_keys (
    id            text PRIMARY KEY,
    account_id    text NOT NULL REFERENCES accounts (id),
    name          text NOT NULL,
    hash          bytea NOT NULL UNIQUE,
    mask          text NOT NULL,
    wire          text NOT NULL CHECK (wire IN ('quickstart', 'reference')),
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_used_at  timestamptz,
    revoked_at    timestamptz
);
CREATE INDEX api_keys_account ON api_keys (account_id, created_at DESC);

-- Money. A hold is made at submit and closed once, by settle or refund; its id is its task's.
CREATE TABLE holds (
    id          text PRIMARY KEY,
    account_id  text NOT NULL REFERENCES accounts (id),
    mill        bigint NOT NULL CHECK (mill >= 0),
    status      text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'settled', 'refunded')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    closed_at   timestamptz,
    CHECK ((status = 'open') = (closed_at IS NULL))
);
CREATE INDEX holds_open ON holds (account_id) WHERE status = 'open';

-- Every movement is one entry over an account's two balances and a system account; it sums to zero.
CREATE TABLE ledger_entries (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id      text NOT NULL REFERENCES accounts (id),
    type            text NOT NULL CHECK (type IN ('grant', 'hold', 'settle', 'refund')),
    available_mill  bigint NOT NULL,
    held_mill       bigint NOT NULL,
    system_account  text CHECK (system_account IN ('issued', 'earned')),
    system_mill     bigint NOT NULL DEFAULT 0,
    hold_id         text REFERENCES holds (id),
    note            text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CHECK (available_mill + held_mill + system_mill = 0),
    CHECK ((system_account IS NULL) = (type IN ('hold', 'refund'))),
    CHECK (system_account IS NOT NULL OR system_mill = 0),
    CHECK ((hold_id IS NULL) = (type = 'grant'))
);
CREATE INDEX ledger_entries_account ON ledger_entries (account_id, id);
-- The second seat-belt: a hold is opened once and closed once, whatever the guards on it let pass.
CREATE UNIQUE INDEX ledger_entries_opening ON ledger_entries (hold_id) WHERE type = 'hold';
CREATE UNIQUE INDEX ledger_entries_closing ON ledger_entries (hold_id)
    WHERE type IN ('settle', 'refund');

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER ledger_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What a model costs; a change is a new row, so that a task's pinned rate stays true for ever.
CREATE TABLE rates (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model       text NOT NULL,
    kind        text NOT NULL,
    unit        text NOT NULL,
    mill        bigint NOT NULL CHECK (mill >= 0),
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX rates_latest ON rates (model, kind, id DESC);
CREATE TRIGGER rates_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rates
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE SEQUENCE batch_ids START 100000001;
CREATE TABLE batches (
    id          bigint PRIMARY KEY,
    account_id  text NOT NULL REFERENCES accounts (id),
    api_key_id  text REFERENCES api_keys (id),
    request_id  text NOT NULL,
    kind        text NOT NULL,
    model       text NOT NULL,
    input       jsonb NOT NULL,
    rate_id     bigint NOT NULL REFERENCES rates (id),
    caller_id   bigint,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX batches_account ON batches (account_id, id DESC);

CREATE TABLE tasks (
    id           text PRIMARY KEY,
    batch_id     bigint NOT NULL REFERENCES batches (id),
    account_id   text NOT NULL REFERENCES accounts (id),
    position     smallint NOT NULL,
    model        text NOT NULL,
    seed         bigint NOT NULL,
    price_mill   bigint NOT NULL CHECK (price_mill >= 0),
    status       text NOT NULL DEFAULT 'PENDING'
                 CHECK (status IN ('PENDING', 'PROCESSING', 'SUCCESS', 'FAILED')),
    attempt      smallint NOT NULL DEFAULT 0,
    strikes      smallint NOT NULL DEFAULT 0,
    worker_id    text,
    lease_until  timestamptz,
    not_before   timestamptz NOT NULL DEFAULT now(),
    progress     real NOT NULL DEFAULT 0,
    served_by    text,
    error_code   integer,
    error        text,
    notes        jsonb,
    charged_mill bigint,
    created_at   timestamptz NOT NULL DEFAULT now(),
    started_at   timestamptz,
    finished_at  timestamptz,
    CHECK ((status = 'PROCESSING') = (lease_until IS NOT NULL)),
    CHECK ((status IN ('SUCCESS', 'FAILED')) = (finished_at IS NOT NULL)),
    CHECK ((status IN ('SUCCESS', 'FAILED')) = (charged_mill IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX tasks_batch ON tasks (batch_id, position);
CREATE INDEX tasks_waiting ON tasks (not_before, id) WHERE status = 'PENDING';
CREATE INDEX tasks_leased ON tasks (lease_until) WHERE status = 'PROCESSING';

-- An asset is the row; the bytes are a file of the same name.
CREATE TABLE assets (
    id          text PRIMARY KEY,
    account_id  text NOT NULL REFERENCES accounts (id),
    task_id     text REFERENCES tasks (id),
    position    smallint NOT NULL DEFAULT 0,
    file        text NOT NULL UNIQUE,
    media_type  text NOT NULL,
    bytes       bigint NOT NULL,
    sha256      bytea NOT NULL,
    width       integer,
    height      integer,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX assets_task ON assets (task_id, position) WHERE task_id IS NOT NULL;
CREATE INDEX assets_account ON assets (account_id, created_at DESC);

-- What the content policy decided when it did not simply pass; the prompt itself is not kept.
CREATE TABLE moderations (
    id              text PRIMARY KEY,
    account_id      text NOT NULL REFERENCES accounts (id),
    request_id      text NOT NULL,
    kind            text NOT NULL,
    mode            text NOT NULL,
    verdict         text NOT NULL,
    source          text,
    rule            text,
    field           text,
    policy_version  text,
    error           text,
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX moderations_account ON moderations (account_id, created_at DESC);

CREATE TABLE call_records (
    request_id   text PRIMARY KEY,
    account_id   text,
    api_key_id   text,
    at           timestamptz NOT NULL,
    method       text NOT NULL,
    path         text NOT NULL,
    status       smallint NOT NULL,
    code         integer,
    duration_ms  real NOT NULL,
    ip           text,
    batch_id     bigint,
    task_id      text,
    mill         bigint
);
CREATE INDEX call_records_account ON call_records (account_id, at DESC, request_id DESC);
CREATE INDEX call_records_age ON call_records USING brin (at);
-- What a full buffer dropped is counted, and a server that was killed is seen by its missing end.
CREATE TABLE call_record_counts (
    server_id  text PRIMARY KEY,
    received   bigint NOT NULL,
    written    bigint NOT NULL,
    dropped    bigint NOT NULL,
    seen_at    timestamptz NOT NULL DEFAULT now(),
    closed_at  timestamptz
);
