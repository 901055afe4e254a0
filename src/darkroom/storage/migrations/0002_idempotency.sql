-- Idempotency keys: which batch a caller's key made, for a day.

CREATE TABLE idempotency_keys (
    account_id   text NOT NULL REFERENCES accounts (id),
    key          text NOT NULL,
    fingerprint  bytea NOT NULL,
    batch_id     bigint NOT NULL REFERENCES batches (id),
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
