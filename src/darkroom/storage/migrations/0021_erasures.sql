-- Accounts that are deleted, with all that they made; their rows stay for the books.

CREATE TABLE erasures (
    account_id  text PRIMARY KEY REFERENCES accounts (id),
    begun_at    timestamptz NOT NULL DEFAULT now(),
    -- How far it has come: requests below this number are forgotten, files stored before this
    -- instant are marked as deleted.
    batch_id    bigint NOT NULL DEFAULT 0,
    files_from  timestamptz NOT NULL DEFAULT '-infinity',
    -- Null: there is more to do.
    ended_at    timestamptz
);
CREATE INDEX erasures_open ON erasures (begun_at) WHERE ended_at IS NULL;
