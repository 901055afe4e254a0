-- The console: accounts get a password, may be suspended, and have sessions.

ALTER TABLE accounts
    ADD COLUMN password_hash     text,
    ADD COLUMN verified_at       timestamptz,
    ADD COLUMN suspended_at      timestamptz,
    ADD COLUMN suspended_reason  text;

-- A session is known by the hash of what its cookie holds.
CREATE TABLE sessions (
    id          text PRIMARY KEY,
    account_id  text NOT NULL REFERENCES accounts (id),
    hash        bytea NOT NULL UNIQUE,
    ip          text,
    agent       text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    seen_at     timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL
);
CREATE INDEX sessions_account ON sessions (account_id, seen_at DESC);
CREATE INDEX sessions_expired ON sessions (expires_at);
