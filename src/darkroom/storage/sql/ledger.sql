-- name: ledger.grant
-- Give an account credits, issued by the system.
WITH account AS (
    UPDATE accounts SET available_mill = available_mill + %(mill)s
     WHERE id = %(account_id)s RETURNING id
)
INSERT INTO ledger_entries (account_id, type, available_mill, held_mill, system_account,
                            system_mill, note)
SELECT id, 'grant', %(mill)s, 0, 'issued', -%(mill)s::bigint, %(note)s FROM account
RETURNING id, account_id, type, available_mill, held_mill, system_account, system_mill, hold_id,
          payment_id, note, created_at;

-- name: ledger.hold
-- Reserve credits on many accounts at once; the CHECK on `available_mill` refuses an overdraft.
WITH asked AS (
    SELECT * FROM ROWS FROM (json_to_recordset(%(holds)s::json)
                             AS (id text, account_id text, mill bigint, origin_id text))
        WITH ORDINALITY AS asked (hold_id, account_id, mill, origin_id, place)
), account AS (
    UPDATE accounts SET available_mill = available_mill - total.mill,
                        held_mill = held_mill + total.mill
      FROM (SELECT account_id, sum(mill)::bigint AS mill FROM asked GROUP BY account_id) AS total
     WHERE accounts.id = ANY(ARRAY(SELECT DISTINCT account_id FROM asked))
       AND accounts.id = total.account_id
), opened AS (
    INSERT INTO holds (id, account_id, mill, origin_id)
    SELECT hold_id, account_id, mill, origin_id FROM asked
)
INSERT INTO ledger_entries (account_id, type, available_mill, held_mill, hold_id)
SELECT account_id, 'hold', -mill, mill, hold_id FROM asked ORDER BY place;

-- name: ledger.settle
-- Close an open hold, keep `mill` of it, give back the rest, to the spend limit too that it counts
-- against; no row: not open, or too much asked.
WITH hold AS (
    UPDATE holds SET status = 'settled', closed_at = now()
     WHERE id = %(hold_id)s AND status = 'open' AND mill >= %(mill)s
    RETURNING id, account_id, mill, origin_id, created_at
), account AS (
    UPDATE accounts SET held_mill = held_mill - hold.mill,
                        available_mill = available_mill + hold.mill - %(mill)s
      FROM hold WHERE accounts.id = hold.account_id
    RETURNING accounts.id
), spending AS (
    -- Joined to the account, so that it is locked before: as at submit.
    UPDATE key_spending SET mill = key_spending.mill - (hold.mill - %(mill)s)
      FROM hold, account
     WHERE key_spending.origin_id = hold.origin_id AND hold.mill > %(mill)s
       AND key_spending.month = date_trunc('month', hold.created_at AT TIME ZONE 'UTC')::date
)
INSERT INTO ledger_entries (account_id, type, available_mill, held_mill, system_account,
                            system_mill, hold_id)
SELECT account.id, 'settle', hold.mill - %(mill)s, -hold.mill, 'earned', %(mill)s, hold.id
  FROM account, hold
RETURNING id, account_id, type, available_mill, held_mill, system_account, system_mill, hold_id,
          payment_id, note, created_at;

-- name: ledger.refund
-- Close an open hold and give all of it back, to the spend limit too that it counts against; no
-- row: not open.
WITH hold AS (
    UPDATE holds SET status = 'refunded', closed_at = now()
     WHERE id = %(hold_id)s AND status = 'open'
    RETURNING id, account_id, mill, origin_id, created_at
), account AS (
    UPDATE accounts SET held_mill = held_mill - hold.mill,
                        available_mill = available_mill + hold.mill
      FROM hold WHERE accounts.id = hold.account_id
    RETURNING accounts.id
), spending AS (
    -- Joined to the account, so that it is locked before: as at submit.
    UPDATE key_spending SET mill = key_spending.mill - hold.mill
      FROM hold, account
     WHERE key_spending.origin_id = hold.origin_id
       AND key_spending.month = date_trunc('month', hold.created_at AT TIME ZONE 'UTC')::date
)
INSERT INTO ledger_entries (account_id, type, available_mill, held_mill, hold_id)
SELECT account.id, 'refund', hold.mill, -hold.mill, hold.id FROM account, hold
RETURNING id, account_id, type, available_mill, held_mill, system_account, system_mill, hold_id,
          payment_id, note, created_at;

-- name: ledger.entries (caller)
-- An account's movements in the order they happened.
SELECT id, account_id, type, available_mill, held_mill, system_account, system_mill, hold_id,
       payment_id, note, created_at
  FROM ledger_entries WHERE account_id = %(account_id)s
 ORDER BY created_at, id LIMIT %(rows_max)s;

-- name: ledger.statement (caller)
-- An account's movements, newest first, from behind a place on, filtered by what is not null. The
-- upper bounds are one, so that the index is entered there.
SELECT id, account_id, type, available_mill, held_mill, system_account, system_mill, hold_id,
       payment_id, note, created_at
  FROM ledger_entries
 WHERE account_id = %(account_id)s
   AND (created_at, id) < (
       least(coalesce(%(before_at)s::timestamptz, 'infinity'),
             coalesce(%(until)s::timestamptz, 'infinity')),
       CASE WHEN %(until)s::timestamptz <= %(before_at)s::timestamptz THEN 0
            ELSE coalesce(%(before_id)s::bigint, 0) END)
   AND created_at >= coalesce(%(since)s::timestamptz, '-infinity')
   AND (%(type)s::text IS NULL OR type = %(type)s)
 ORDER BY created_at DESC, id DESC LIMIT %(rows_max)s;

-- name: ledger.statement_rare (caller)
-- The same of a type that is rare, by the index of those.
SELECT id, account_id, type, available_mill, held_mill, system_account, system_mill, hold_id,
       payment_id, note, created_at
  FROM ledger_entries
 WHERE account_id = %(account_id)s AND type = %(type)s AND type NOT IN ('hold', 'settle')
   AND (created_at, id) < (
       least(coalesce(%(before_at)s::timestamptz, 'infinity'),
             coalesce(%(until)s::timestamptz, 'infinity')),
       CASE WHEN %(until)s::timestamptz <= %(before_at)s::timestamptz THEN 0
            ELSE coalesce(%(before_id)s::bigint, 0) END)
   AND created_at >= coalesce(%(since)s::timestamptz, '-infinity')
 ORDER BY created_at DESC, id DESC LIMIT %(rows_max)s;

-- name: ledger.totals
-- How much there is of everything, for the audit's report.
SELECT (SELECT count(*) FROM accounts) AS accounts,
       (SELECT count(*) FROM holds) AS holds,
       (SELECT count(*) FROM holds WHERE status = 'open') AS holds_open,
       (SELECT count(*) FROM ledger_entries) AS entries,
       (SELECT count(*) FROM tasks) AS tasks,
       coalesce((SELECT -sum(system_mill) FROM ledger_entries
                  WHERE system_account = 'issued'), 0)::bigint AS issued_mill,
       coalesce((SELECT -sum(system_mill) FROM ledger_entries
                  WHERE system_account = 'sold'), 0)::bigint AS sold_mill,
       coalesce((SELECT sum(system_mill) FROM ledger_entries
                  WHERE system_account = 'earned'), 0)::bigint AS earned_mill,
       coalesce((SELECT sum(available_mill) FROM accounts), 0)::bigint AS available_mill,
       coalesce((SELECT sum(held_mill) FROM accounts), 0)::bigint AS held_mill;

-- name: ledger.audit_balances
-- Accounts whose balance is not what replaying their entries gives.
SELECT a.id AS subject,
       format('available %%s, entries say %%s; held %%s, entries say %%s', a.available_mill,
              coalesce(e.available, 0), a.held_mill, coalesce(e.held, 0)) AS detail
  FROM accounts a
  LEFT JOIN (SELECT account_id, sum(available_mill) AS available, sum(held_mill) AS held
               FROM ledger_entries GROUP BY account_id) e ON e.account_id = a.id
 WHERE a.available_mill <> coalesce(e.available, 0) OR a.held_mill <> coalesce(e.held, 0)
    OR a.available_mill < 0 OR a.held_mill < 0;

-- name: ledger.audit_sum
-- The sum over all accounts, system accounts included, when it is not zero.
SELECT 'all accounts' AS subject, format('sum is %%s, not 0', total.mill) AS detail
  FROM (SELECT (SELECT coalesce(sum(available_mill + held_mill), 0) FROM accounts)
             + (SELECT coalesce(sum(system_mill), 0) FROM ledger_entries) AS mill) total
 WHERE total.mill <> 0;

-- name: ledger.audit_holds
-- Holds whose entries tell another story: opened once, closed once when closed, settled within.
SELECT h.id AS subject,
       format('%%s, opened %%s times, closed %%s times, took %%s of %%s', h.status, e.opened,
              e.closed, e.taken, h.mill) AS detail
  FROM holds h
  LEFT JOIN LATERAL (
      SELECT count(*) FILTER (WHERE type = 'hold') AS opened,
             count(*) FILTER (WHERE type IN ('settle', 'refund')) AS closed,
             count(*) FILTER (WHERE type = CASE h.status WHEN 'settled' THEN 'settle'
                                                         ELSE 'refund' END) AS fitting,
             coalesce(sum(system_mill), 0) AS taken,
             coalesce(sum(held_mill), 0) AS held
        FROM ledger_entries WHERE hold_id = h.id) e ON true
 WHERE e.opened <> 1 OR e.closed <> (h.status <> 'open')::int OR e.taken > h.mill
    OR (h.status <> 'open' AND (e.fitting <> 1 OR e.held <> 0))
    OR (h.status = 'open' AND e.held <> h.mill);

-- name: ledger.audit_held
-- Accounts whose held balance is not the sum of their open holds.
SELECT a.id AS subject,
       format('held %%s, open holds %%s', a.held_mill, coalesce(h.mill, 0)) AS detail
  FROM accounts a
  LEFT JOIN (SELECT account_id, sum(mill) AS mill FROM holds WHERE status = 'open'
              GROUP BY account_id) h ON h.account_id = a.id
 WHERE a.held_mill <> coalesce(h.mill, 0);

-- name: ledger.audit_references
-- Rows that name another which is not there, or which is another account's.
SELECT h.id AS subject, 'a hold without its account' AS detail
  FROM holds h LEFT JOIN accounts a ON a.id = h.account_id WHERE a.id IS NULL
 UNION ALL
SELECT e.id::text, 'an entry without its account' FROM ledger_entries e
  LEFT JOIN accounts a ON a.id = e.account_id WHERE a.id IS NULL
 UNION ALL
SELECT e.id::text, 'an entry without its hold' FROM ledger_entries e
  LEFT JOIN holds h ON h.id = e.hold_id AND h.account_id = e.account_id
 WHERE e.hold_id IS NOT NULL AND h.id IS NULL
 UNION ALL
SELECT b.id::text, 'a batch without its account, key or rate' FROM batches b
  LEFT JOIN accounts a ON a.id = b.account_id
  LEFT JOIN api_keys k ON k.id = b.api_key_id AND k.account_id = b.account_id
  LEFT JOIN rates r ON r.id = b.rate_id
 WHERE a.id IS NULL OR r.id IS NULL OR (b.api_key_id IS NOT NULL AND k.id IS NULL)
 UNION ALL
SELECT t.id, 'a task without its batch' FROM tasks t
  LEFT JOIN batches b ON b.id = t.batch_id AND b.account_id = t.account_id WHERE b.id IS NULL;

-- name: ledger.audit_tasks
-- Tasks whose state and money disagree: running is held, failed refunded, success settled.
SELECT t.id AS subject,
       format('%%s with a hold that is %%s, charged %%s', t.status, coalesce(h.status, 'missing'),
              t.charged_mill) AS detail
  FROM tasks t
  LEFT JOIN holds h ON h.id = t.id
  LEFT JOIN ledger_entries e ON e.hold_id = t.id AND e.type IN ('settle', 'refund')
 WHERE h.id IS NULL OR h.account_id <> t.account_id OR h.mill <> t.price_mill
    OR h.status <> CASE t.status WHEN 'SUCCESS' THEN 'settled' WHEN 'FAILED' THEN 'refunded'
                                 ELSE 'open' END
    OR (t.charged_mill IS NOT NULL AND t.charged_mill <> e.system_mill);
