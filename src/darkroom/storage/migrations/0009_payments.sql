-- Payments: packages of credits bought, what Stripe told of them, and what was taken back.

-- A payment is a row before Stripe hears of it; its id is the idempotency key and the reference.
CREATE TABLE payments (
    id              text PRIMARY KEY,
    account_id      text NOT NULL REFERENCES accounts (id),
    -- The package as it was offered then.
    package         text NOT NULL,
    cents           bigint NOT NULL CHECK (cents > 0),
    currency        text NOT NULL,
    mill            bigint NOT NULL CHECK (mill > 0),
    checkout        text NOT NULL CHECK (checkout IN ('stripe', 'test')),
    -- No money moved: bought at the test checkout, or in Stripe's test mode.
    is_test         boolean NOT NULL,
    status          text NOT NULL DEFAULT 'open'
                    CHECK (status IN ('open', 'paid', 'expired', 'failed')),
    session_id      text UNIQUE,
    checkout_url    text,
    intent_id       text UNIQUE,
    receipt_number  bigint,
    -- What has gone back to who paid, by refunds and by disputes that were not won.
    refunded_cents  bigint NOT NULL DEFAULT 0 CHECK (refunded_cents >= 0),
    disputed_cents  bigint NOT NULL DEFAULT 0 CHECK (disputed_cents >= 0),
    dispute         text,
    -- The credits bought with it, and how much of these has been taken; the rest is owed.
    back_mill       bigint NOT NULL GENERATED ALWAYS AS (
                    div(mill::numeric * least(cents, refunded_cents + disputed_cents),
                        cents)::bigint) STORED,
    taken_mill      bigint NOT NULL DEFAULT 0 CHECK (taken_mill >= 0),
    -- Raised by every look and by every event: it fences an answer of Stripe's that was asked for
    -- before somebody else looked, or before something happened.
    number          integer NOT NULL DEFAULT 0,
    looks           smallint NOT NULL DEFAULT 0,
    looked_at       timestamptz,
    look_at         timestamptz,
    -- Why the last look was in vain.
    note            text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    paid_at         timestamptz,
    CHECK ((status = 'paid') = (paid_at IS NOT NULL)),
    CHECK ((status = 'paid') = (receipt_number IS NOT NULL)),
    CHECK (status = 'paid' OR refunded_cents + disputed_cents = 0),
    CHECK (taken_mill <= back_mill)
);
CREATE INDEX payments_account ON payments (account_id, created_at DESC, id DESC);
CREATE INDEX payments_open ON payments (account_id) WHERE status = 'open';
CREATE INDEX payments_due ON payments (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX payments_owing ON payments (account_id) WHERE taken_mill < back_mill;
CREATE UNIQUE INDEX payments_receipt ON payments (is_test, receipt_number);

-- Receipts are numbered without gaps, which a sequence does not promise: who takes a number holds
-- its series until the commit.
CREATE TABLE receipt_series (
    is_test  boolean PRIMARY KEY,
    last     bigint NOT NULL
);
INSERT INTO receipt_series VALUES (false, 0), (true, 0);

-- Events of Stripe's that were heard, whichever way often.
CREATE TABLE stripe_events (
    id           text PRIMARY KEY,
    type         text NOT NULL,
    payment_id   text REFERENCES payments (id),
    received_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX stripe_events_age ON stripe_events USING brin (received_at);

-- purchase: bought credits; reversal: taken, since the money went back; reinstatement: given once
-- more, since it came after all.
ALTER TABLE ledger_entries
    ADD COLUMN payment_id text,
    DROP CONSTRAINT ledger_entries_type_check,
    DROP CONSTRAINT ledger_entries_system_account_check,
    DROP CONSTRAINT ledger_entries_check3,
    ADD CONSTRAINT ledger_entries_type_check CHECK (type IN (
        'grant', 'hold', 'settle', 'refund', 'purchase', 'reversal', 'reinstatement')),
    ADD CONSTRAINT ledger_entries_system_account_check CHECK (
        system_account IN ('issued', 'earned', 'sold')),
    ADD CONSTRAINT ledger_entries_hold_check CHECK (
        (hold_id IS NOT NULL) = (type IN ('hold', 'settle', 'refund'))),
    ADD CONSTRAINT ledger_entries_payment_check CHECK (
        (payment_id IS NOT NULL) = (type IN ('purchase', 'reversal', 'reinstatement'))
        AND (payment_id IS NULL OR (system_account = 'sold' AND held_mill = 0)));
-- The second seat-belt: a payment buys once, whatever the guard on it let pass.
CREATE UNIQUE INDEX ledger_entries_purchase ON ledger_entries (payment_id)
    WHERE type = 'purchase';
CREATE INDEX ledger_entries_payment ON ledger_entries (payment_id) WHERE payment_id IS NOT NULL;

-- A statement is read by time. The types that are rare beside holds and settles have an index of
-- their own, so that one purchase among millions is found; no submit writes into it.
DROP INDEX ledger_entries_account;
CREATE INDEX ledger_entries_account ON ledger_entries (account_id, created_at, id);
CREATE INDEX ledger_entries_rare ON ledger_entries (account_id, type, created_at, id)
    WHERE type NOT IN ('hold', 'settle');
