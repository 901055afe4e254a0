-- name: payments.insert (caller)
-- An open payment; no row when the account has as many open ones as it may.
INSERT INTO payments (id, account_id, package, cents, currency, mill, checkout, is_test)
SELECT %(id)s, %(account_id)s, %(package)s, %(cents)s, %(currency)s, %(mill)s, %(checkout)s,
       %(is_test)s
 WHERE (SELECT count(*) FROM payments
         WHERE account_id = %(account_id)s AND status = 'open') < %(open_max)s
RETURNING id, account_id, package, cents, currency, mill, checkout, is_test, status, checkout_url,
          receipt_number, refunded_cents, disputed_cents, dispute, back_mill, taken_mill, note,
          created_at, paid_at;

-- name: payments.get (caller)
-- One payment of the account.
SELECT id, account_id, package, cents, currency, mill, checkout, is_test, status, checkout_url,
       receipt_number, refunded_cents, disputed_cents, dispute, back_mill, taken_mill, note,
       created_at, paid_at
  FROM payments WHERE id = %(payment_id)s AND account_id = %(account_id)s;

-- name: payments.list (caller)
-- An account's payments, newest first, from behind a place on.
SELECT id, account_id, package, cents, currency, mill, checkout, is_test, status, checkout_url,
       receipt_number, refunded_cents, disputed_cents, dispute, back_mill, taken_mill, note,
       created_at, paid_at
  FROM payments
 WHERE account_id = %(account_id)s
   AND (created_at, id) < (coalesce(%(before_at)s::timestamptz, 'infinity'),
                           coalesce(%(before_id)s::text, ''))
 ORDER BY created_at DESC, id DESC LIMIT %(rows_max)s;

-- name: payments.owed (caller)
-- What the account owes: credits whose money went back when they were spent already.
SELECT coalesce(sum(back_mill - taken_mill), 0)::bigint AS mill
  FROM payments WHERE account_id = %(account_id)s AND taken_mill < back_mill;

-- name: payments.begin
-- The payment has a session at Stripe, and will be looked at if nobody tells how it went.
UPDATE payments
   SET session_id = %(session_id)s, checkout_url = %(checkout_url)s,
       look_at = coalesce(look_at, now() + interval '1 minute')
 WHERE id = %(payment_id)s AND status = 'open'
   AND (session_id IS NULL OR session_id = %(session_id)s);

-- name: payments.hear
-- Something happened at Stripe: remember the event and look at its payment soon. One that was
-- heard before changes nothing, and one that is about no payment of ours is only remembered.
WITH heard AS (
    INSERT INTO stripe_events (id, type, payment_id)
    SELECT %(event_id)s, %(type)s,
           coalesce((SELECT id FROM payments WHERE id = %(payment_id)s AND checkout = 'stripe'),
                    (SELECT id FROM payments WHERE intent_id = %(intent_id)s))
    ON CONFLICT (id) DO NOTHING
    RETURNING payment_id
)
UPDATE payments
   SET number = number + 1, looks = 0, look_at = now(),
       session_id = coalesce(session_id, %(session_id)s)
  FROM heard WHERE payments.id = heard.payment_id
RETURNING payments.id;

-- name: payments.claim
-- Payments that are to be looked at, the longest due first; each look that brings nothing doubles
-- the pause before the next, up to ten minutes while it is likely to be paid, then six hours.
UPDATE payments
   SET number = number + 1, looks = least(looks + 1, 100), looked_at = now(),
       look_at = now() + least(
           interval '1 minute' * power(2, least(looks, 20)),
           CASE WHEN status = 'open' AND created_at > now() - interval '3 hours'
                THEN interval '10 minutes' ELSE interval '6 hours' END)
 WHERE id = ANY(ARRAY(SELECT id FROM payments WHERE look_at <= now()
                       ORDER BY look_at LIMIT %(rows_max)s FOR UPDATE SKIP LOCKED))
RETURNING id, account_id, cents, currency, session_id, intent_id, status = 'paid' AS is_paid,
          number;

-- name: payments.claim_one (caller)
-- Look at one open payment now, since its buyer asks; not more often than once a second.
UPDATE payments SET number = number + 1, looked_at = now()
 WHERE id = %(payment_id)s AND account_id = %(account_id)s AND status = 'open'
   AND session_id IS NOT NULL
   AND coalesce(looked_at, '-infinity') < now() - interval '1 second'
RETURNING id, account_id, cents, currency, session_id, intent_id, status = 'paid' AS is_paid,
          number;

-- name: payments.learn
-- The payment's intent, kept before anything is asked of it: an event that names it finds the
-- payment from now on, and what happened until now is in the answer.
UPDATE payments SET intent_id = %(intent_id)s WHERE id = %(payment_id)s AND intent_id IS NULL;

-- name: payments.fail
-- A look was in vain: why.
UPDATE payments SET note = %(note)s WHERE id = %(payment_id)s AND number = %(number)s;

-- name: payments.conclude
-- A look succeeded; no row: another has begun since, or something happened. One that is paid is
-- looked at once a day for as long as its money may go back.
UPDATE payments
   SET status = CASE WHEN status = 'paid' OR %(status)s = 'paid' THEN status ELSE %(status)s END,
       note = NULL,
       looks = CASE WHEN %(status)s = 'open' THEN looks ELSE 0 END,
       look_at = CASE %(status)s
                 WHEN 'open' THEN look_at
                 WHEN 'paid' THEN CASE WHEN coalesce(paid_at, now()) > now() - interval '180 days'
                                       THEN now() + interval '1 day' END
                 END
 WHERE id = %(payment_id)s AND number = %(number)s
RETURNING id;

-- name: payments.pay
-- The payment is paid: its credits, its entry and its receipt's number, once.
WITH ready AS (
    SELECT id, is_test FROM payments WHERE id = %(payment_id)s AND status <> 'paid' FOR UPDATE
), series AS (
    UPDATE receipt_series SET last = last + 1 FROM ready
     WHERE receipt_series.is_test = ready.is_test RETURNING last
), paid AS (
    UPDATE payments SET status = 'paid', paid_at = now(), receipt_number = series.last
      FROM ready, series WHERE payments.id = ready.id
    RETURNING payments.*
), account AS (
    UPDATE accounts SET available_mill = available_mill + paid.mill
      FROM paid WHERE accounts.id = paid.account_id RETURNING accounts.id
)
INSERT INTO ledger_entries (account_id, type, available_mill, held_mill, system_account,
                            system_mill, payment_id, note)
SELECT paid.account_id, 'purchase', mill, 0, 'sold', -mill, paid.id,
       CASE WHEN is_test THEN 'Test payment: ' ELSE '' END || package
  FROM paid, account;

-- name: payments.return_money
-- What has gone back to who paid, in all; credits that were taken for more than that are given
-- again.
WITH old AS (
    SELECT id, taken_mill,
           div(mill::numeric * least(cents, %(refunded_cents)s::bigint
                                            + %(disputed_cents)s::bigint),
               cents)::bigint AS back_mill
      FROM payments WHERE id = %(payment_id)s AND status = 'paid' FOR UPDATE
), changed AS (
    UPDATE payments
       SET refunded_cents = %(refunded_cents)s, disputed_cents = %(disputed_cents)s,
           dispute = %(dispute)s, taken_mill = least(old.taken_mill, old.back_mill)
      FROM old WHERE payments.id = old.id
    RETURNING payments.id, account_id, package, old.taken_mill - payments.taken_mill AS mill
), account AS (
    UPDATE accounts SET available_mill = available_mill + changed.mill
      FROM changed WHERE accounts.id = changed.account_id AND changed.mill > 0
    RETURNING accounts.id
)
INSERT INTO ledger_entries (account_id, type, available_mill, held_mill, system_account,
                            system_mill, payment_id, note)
SELECT account_id, 'reinstatement', mill, 0, 'sold', -mill, changed.id, package
  FROM changed, account;

-- name: payments.collect (caller)
-- Take what the account owes from what it has, the oldest payment first; the caller has locked
-- the account.
WITH owing AS (
    SELECT id, back_mill - taken_mill AS owed,
           sum(back_mill - taken_mill) OVER (ORDER BY created_at, id) AS owed_with_older
      FROM payments WHERE account_id = %(account_id)s AND taken_mill < back_mill
), taking AS (
    SELECT owing.id,
           least(owed, available_mill - (owed_with_older - owed))::bigint AS mill
      FROM owing, accounts
     WHERE accounts.id = %(account_id)s AND available_mill > owed_with_older - owed
), taken AS (
    UPDATE payments SET taken_mill = taken_mill + taking.mill
      FROM taking WHERE payments.id = taking.id
    RETURNING payments.id, account_id, package, taking.mill, created_at
), account AS (
    UPDATE accounts SET available_mill = available_mill - total.mill
      FROM (SELECT sum(mill)::bigint AS mill FROM taken) AS total
     WHERE id = %(account_id)s AND total.mill > 0
    RETURNING id
)
INSERT INTO ledger_entries (account_id, type, available_mill, held_mill, system_account,
                            system_mill, payment_id, note)
SELECT account_id, 'reversal', -mill, 0, 'sold', mill, taken.id, package
  FROM taken, account ORDER BY taken.created_at, taken.id;

-- name: payments.find_owing
-- Accounts that owe credits and have some.
SELECT DISTINCT account_id AS id
  FROM payments JOIN accounts ON accounts.id = payments.account_id
 WHERE taken_mill < back_mill AND available_mill > 0 LIMIT %(rows_max)s;

-- name: payments.expire
-- Open payments that nobody can pay any more: their buyer never came to a page to pay on, or Stripe
-- has known nothing of them for a month. Should an event tell otherwise, they are looked at again.
WITH stale AS (
    SELECT id FROM payments
     WHERE status = 'open'
       AND (session_id IS NULL AND created_at < now() - interval '2 hours'
            OR created_at < now() - interval '30 days')
     LIMIT %(rows_max)s FOR UPDATE SKIP LOCKED
)
UPDATE payments SET status = 'expired', look_at = NULL FROM stale WHERE payments.id = stale.id;

-- name: payments.forget_events
-- Remove events that Stripe does not send again, a bounded number at a time.
DELETE FROM stripe_events WHERE id IN (
    SELECT id FROM stripe_events WHERE received_at < now() - interval '60 days'
     LIMIT %(rows_max)s);

-- name: payments.audit
-- Payments whose entries tell another story: bought once when paid, and taken what the row says.
SELECT p.id AS subject,
       format('%%s, bought %%s times, %%s of %%s mill; took %%s, says %%s; returned %%s cents',
              p.status, e.bought, e.bought_mill, p.mill, e.taken_mill, p.taken_mill,
              p.refunded_cents + p.disputed_cents) AS detail
  FROM payments p
  LEFT JOIN LATERAL (
      SELECT count(*) FILTER (WHERE type = 'purchase') AS bought,
             coalesce(sum(available_mill) FILTER (WHERE type = 'purchase'), 0) AS bought_mill,
             coalesce(-sum(available_mill) FILTER (WHERE type <> 'purchase'), 0) AS taken_mill,
             count(*) FILTER (WHERE account_id <> p.account_id) AS foreign_entries,
             count(*) FILTER (WHERE sign(available_mill) <>
                              CASE type WHEN 'reversal' THEN -1 ELSE 1 END) AS backward
        FROM ledger_entries WHERE payment_id = p.id) e ON true
 WHERE e.bought <> (p.status = 'paid')::int OR e.foreign_entries > 0 OR e.backward > 0
    OR (p.status = 'paid' AND e.bought_mill <> p.mill)
    OR e.taken_mill <> p.taken_mill OR p.taken_mill > p.back_mill
 UNION ALL
SELECT e.id::text, 'an entry without its payment' FROM ledger_entries e
  LEFT JOIN payments p ON p.id = e.payment_id
 WHERE e.payment_id IS NOT NULL AND p.id IS NULL;

-- name: payments.audit_receipts
-- Series of receipts that have a gap, or whose last number is not the last that was given.
SELECT CASE WHEN s.is_test THEN 'test receipts' ELSE 'receipts' END AS subject,
       format('%%s receipts numbered up to %%s, the series says %%s', count(p.id),
              coalesce(max(p.receipt_number), 0), s.last) AS detail
  FROM receipt_series s LEFT JOIN payments p
       ON p.is_test = s.is_test AND p.receipt_number IS NOT NULL
 GROUP BY s.is_test, s.last
HAVING count(p.id) <> s.last OR coalesce(max(p.receipt_number), 0) <> s.last;
