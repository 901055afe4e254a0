-- Letters and the links in them, second factors, and sign-in with an OpenID Connect issuer.

-- A link does its one thing once; it is known by the hash of what its address ends with.
CREATE TABLE links (
    hash        bytea PRIMARY KEY,
    purpose     text NOT NULL CHECK (purpose IN ('register', 'invite', 'verify', 'reset',
                                                 'sign_in', 'code', 'issuer')),
    account_id  text REFERENCES accounts (id),
    email       text,
    -- The browser that alone may use it, by the hash of what its cookie holds.
    browser     bytea,
    data        jsonb,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL
);
CREATE INDEX links_account ON links (account_id, purpose);
CREATE INDEX links_email ON links (lower(email), purpose);
CREATE INDEX links_expired ON links (expires_at);

-- A letter is written in the transaction that causes it, and sent later.
-- SHOWN: there is no mail server, so its link was shown to the operator.
CREATE TABLE letters (
    id          text PRIMARY KEY,
    account_id  text REFERENCES accounts (id),
    kind        text NOT NULL,
    recipient   text NOT NULL,
    subject     text NOT NULL,
    -- Kept only while the letter is to be sent or its link to be shown.
    text        text,
    link        text,
    link_hash   bytea,
    status      text NOT NULL DEFAULT 'PENDING'
                CHECK (status IN ('PENDING', 'SENT', 'SHOWN', 'FAILED')),
    attempts    integer NOT NULL DEFAULT 0,
    next_at     timestamptz NOT NULL DEFAULT now(),
    error       text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    ended_at    timestamptz
);
CREATE INDEX letters_due ON letters (next_at) WHERE status = 'PENDING';
CREATE INDEX letters_link ON letters (link_hash) WHERE link_hash IS NOT NULL;
CREATE INDEX letters_told ON letters (expires_at) WHERE text IS NOT NULL;
CREATE INDEX letters_made ON letters (created_at);

-- The secret is needed in the clear to check a code; `last_step` is that of the last code used.
CREATE TABLE second_factors (
    account_id    text PRIMARY KEY REFERENCES accounts (id),
    secret        text NOT NULL,
    confirmed_at  timestamptz,
    last_step     bigint NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE recovery_codes (
    account_id  text NOT NULL REFERENCES second_factors (account_id) ON DELETE CASCADE,
    hash        bytea NOT NULL,
    PRIMARY KEY (account_id, hash)
);

-- Who an issuer says somebody is, and whose account that is.
CREATE TABLE identities (
    issuer      text NOT NULL,
    subject     text NOT NULL,
    account_id  text NOT NULL REFERENCES accounts (id),
    email       text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_account ON identities (account_id);
