-- name: inspections.recent
-- Of the newest tasks before a place, those that fit; and the last that was looked at, where as
-- many were as may be.
WITH looked_at AS MATERIALIZED (
    SELECT id, model, status, error_code, created_at FROM tasks
     WHERE id < coalesce(%(before)s::text, 'tasl') ORDER BY id DESC LIMIT 5000
), found AS (
    SELECT id FROM looked_at
     WHERE (%(model)s::text IS NULL OR model = %(model)s)
       AND (%(status)s::text IS NULL OR status = %(status)s)
       AND (%(error_code)s::integer IS NULL OR error_code = %(error_code)s)
       AND created_at >= coalesce(%(since)s::timestamptz, '-infinity')
       AND created_at < coalesce(%(until)s::timestamptz, 'infinity')
     ORDER BY id DESC LIMIT %(rows_max)s
)
SELECT id, true AS fits FROM found
 UNION ALL SELECT min(id), false FROM looked_at HAVING count(*) = 5000;

-- name: inspections.of_account
-- Of the tasks of an account's newest batches before a task, those that fit, the newest batch
-- first; and the last that was looked at, where as many batches were as may be.
WITH place AS MATERIALIZED (
    SELECT a.id AS account_id, t.batch_id, t.id FROM accounts a
      LEFT JOIN tasks t ON t.id = %(before)s::text
     WHERE lower(a.email) = lower(%(email)s)
), batch AS MATERIALIZED (
    SELECT b.id FROM batches b
     WHERE account_id = (SELECT account_id FROM place)
       AND b.id <= coalesce((SELECT batch_id FROM place), 9223372036854775807)
     ORDER BY b.id DESC LIMIT 1500
), found AS (
    SELECT t.id FROM batch CROSS JOIN place
     CROSS JOIN LATERAL (SELECT * FROM tasks WHERE batch_id = batch.id
                          ORDER BY position LIMIT 100) AS t
     WHERE (place.id IS NULL OR (t.batch_id, t.id) < (place.batch_id, place.id))
       AND (%(model)s::text IS NULL OR t.model = %(model)s)
       AND (%(status)s::text IS NULL OR t.status = %(status)s)
       AND (%(error_code)s::integer IS NULL OR t.error_code = %(error_code)s)
       AND t.created_at >= coalesce(%(since)s::timestamptz, '-infinity')
       AND t.created_at < coalesce(%(until)s::timestamptz, 'infinity')
     ORDER BY t.batch_id DESC, t.id DESC LIMIT %(rows_max)s
)
SELECT id, true AS fits FROM found
 UNION ALL
SELECT (SELECT min(t.id) FROM tasks t WHERE t.batch_id = edge.id), false
  FROM (SELECT min(id) AS id FROM batch HAVING count(*) = 1500) AS edge;

-- name: inspections.running
-- Of the tasks that run, those that fit, the newest first.
SELECT id, true AS fits FROM tasks
 WHERE status = 'PROCESSING' AND id < coalesce(%(before)s::text, 'tasl')
   AND (%(model)s::text IS NULL OR model = %(model)s)
   AND (%(error_code)s::integer IS NULL OR error_code = %(error_code)s)
   AND created_at >= coalesce(%(since)s::timestamptz, '-infinity')
   AND created_at < coalesce(%(until)s::timestamptz, 'infinity')
 ORDER BY id DESC LIMIT %(rows_max)s;

-- name: inspections.failed
-- Of the tasks that failed last, before one, those that fit; and the last that was looked at, where
-- as many were as may be.
WITH looked_at AS MATERIALIZED (
    SELECT id, model, error_code, created_at, finished_at FROM tasks
     WHERE status = 'FAILED'
       AND (finished_at, id) < (
           coalesce((SELECT finished_at FROM tasks WHERE id = %(before)s::text), 'infinity'),
           coalesce(%(before)s::text, 'tasl'))
     ORDER BY finished_at DESC, id DESC LIMIT 2000
), found AS (
    SELECT id FROM looked_at
     WHERE (%(model)s::text IS NULL OR model = %(model)s)
       AND (%(error_code)s::integer IS NULL OR error_code = %(error_code)s)
       AND created_at >= coalesce(%(since)s::timestamptz, '-infinity')
       AND created_at < coalesce(%(until)s::timestamptz, 'infinity')
     ORDER BY finished_at DESC, id DESC LIMIT %(rows_max)s
)
SELECT id, true AS fits FROM found
 UNION ALL
(SELECT id, false FROM looked_at WHERE (SELECT count(*) FROM looked_at) = 2000
  ORDER BY finished_at, id LIMIT 1);

-- name: inspections.of_batch
-- The tasks of a batch, named by its id or by the request that made it.
SELECT id, true AS fits FROM tasks
 WHERE batch_id = coalesce(%(batch_id)s::bigint,
                           (SELECT batch_id FROM call_records WHERE request_id = %(request_id)s))
 ORDER BY position LIMIT 100;

-- name: inspections.list
-- These tasks, in this order.
SELECT t.id, t.account_id, a.email, t.batch_id, b.kind, t.model, t.status, t.attempt, t.progress,
       t.error_code, t.error, t.price_mill, t.charged_mill, t.served_by, t.created_at,
       t.started_at, t.finished_at
  FROM unnest(%(ids)s::text[]) WITH ORDINALITY AS asked (id, place)
  JOIN tasks t USING (id) JOIN batches b ON b.id = t.batch_id
  JOIN accounts a ON a.id = t.account_id
 ORDER BY asked.place;

-- name: inspections.open
-- Everything about one task.
SELECT t.id, t.account_id, a.email, t.batch_id, t.position, b.kind, t.model, b.input, t.status,
       t.attempt, t.strikes, t.crashes, t.worker_id, t.lease_until, t.not_before,
       t.status = 'PENDING' AND t.start_tag IS NULL AS is_parked, t.priority, t.size,
       t.work_seconds, t.progress, t.seed, t.served_by, t.error_code, t.error, t.notes,
       t.price_mill, t.charged_mill, t.created_at, t.started_at, t.finished_at,
       t.cancel_asked_at, t.deadline_at, b.request_id, b.api_key_id, b.rate_id, b.caller_id,
       b.webhook_url, b.webhook_events, b.base_url, h.mill AS hold_mill, h.status AS hold_status,
       h.created_at AS held_at, h.closed_at,
       EXISTS (SELECT 1 FROM api_keys k WHERE k.id = b.api_key_id AND k.spend_mill_max IS NOT NULL)
           AS is_spend_limited,
       t.deleted_at, EXISTS (SELECT 1 FROM previews p WHERE p.task_id = t.id) AS has_preview,
       coalesce((SELECT array_agg(file ORDER BY position) FROM assets
                  WHERE task_id = t.id AND deleted_at IS NULL), '{}') AS files
  FROM tasks t JOIN batches b ON b.id = t.batch_id JOIN accounts a ON a.id = t.account_id
  LEFT JOIN holds h ON h.id = t.id
 WHERE t.id = %(task_id)s;

-- name: inspections.accounts
-- Accounts, the newest first, from behind one on.
SELECT id, email, is_admin, available_mill, held_mill, created_at, suspended_at
  FROM accounts
 WHERE (created_at, id) < (
       coalesce((SELECT created_at FROM accounts WHERE id = %(before)s::text), 'infinity'),
       coalesce(%(before)s::text, ''))
 ORDER BY created_at DESC, id DESC LIMIT %(rows_max)s;

-- name: inspections.accounts_named
-- Accounts whose e-mail address begins so, by address, from behind one on; as bytes are ordered, so
-- that the index serves whatever the database's language.
SELECT id, email, is_admin, available_mill, held_mill, created_at, suspended_at
  FROM accounts
 WHERE lower(email) ~>=~ %(begins)s::text AND lower(email) ~<~ %(ends)s::text
   AND lower(email) ~>~ coalesce((SELECT lower(email) FROM accounts
                                   WHERE id = %(before)s::text), '')
 ORDER BY lower(email) USING ~<~ LIMIT %(rows_max)s;

-- name: inspections.account
-- One account by its id.
SELECT id, email, is_admin, available_mill, held_mill, created_at, suspended_at
  FROM accounts WHERE id = %(named)s;

-- name: inspections.entries
-- The movements of a hold, in their order; both halves read a partial index.
SELECT id, account_id, type, available_mill, held_mill, system_account, system_mill, hold_id,
       payment_id, note, created_at
  FROM ledger_entries WHERE hold_id = %(hold_id)s AND type = 'hold'
 UNION ALL
SELECT id, account_id, type, available_mill, held_mill, system_account, system_mill, hold_id,
       payment_id, note, created_at
  FROM ledger_entries WHERE hold_id = %(hold_id)s AND type IN ('settle', 'refund')
 ORDER BY id;

-- name: inspections.movements
-- The movements of an account, the newest first, from behind one on.
SELECT id, account_id, type, available_mill, held_mill, system_account, system_mill, hold_id,
       payment_id, note, created_at
  FROM ledger_entries
 WHERE account_id = %(account_id)s AND id < coalesce(%(before)s::bigint, 9223372036854775807)
 ORDER BY id DESC LIMIT %(rows_max)s;

-- name: inspections.payments
-- Of the newest payments before a place, those that fit.
SELECT p.id, p.account_id, a.email, p.package, p.cents, p.mill, p.checkout, p.is_test, p.status,
       p.refunded_cents, p.disputed_cents, p.dispute, p.back_mill - p.taken_mill AS owed_mill,
       p.note, p.created_at, p.paid_at
  FROM (SELECT * FROM payments WHERE id < coalesce(%(before)s::text, 'paz')
         ORDER BY id DESC LIMIT 5000) AS p
  JOIN accounts a ON a.id = p.account_id
 WHERE (%(status)s::text IS NULL OR p.status = %(status)s)
   AND (%(email)s::text IS NULL OR lower(a.email) = lower(%(email)s))
 ORDER BY p.id DESC LIMIT %(rows_max)s;
