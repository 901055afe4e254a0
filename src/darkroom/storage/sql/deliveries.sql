-- name: deliveries.due
-- Accounts and hosts that something is due for, looked for from a place on; of those that were
-- looked at the last one is named in any case, so that a search that had to stop can go on there.
-- What listeners take themselves is due for nobody; no host begins with an at-sign. The search
-- steps over whole destinations by the index, so that one with a million deliveries is one step.
WITH RECURSIVE destination AS (
    (SELECT account_id, host, 1 AS nth FROM webhook_deliveries
      WHERE status = 'PENDING'
        AND (account_id, host) > (%(after_account_id)s::text, %(after_host)s::text)
      ORDER BY account_id, host LIMIT 1)
    UNION ALL
    SELECT next.account_id, next.host, destination.nth + 1
      FROM destination CROSS JOIN LATERAL (
           SELECT account_id, host FROM webhook_deliveries d
            WHERE status = 'PENDING'
              AND (d.account_id, d.host) > (destination.account_id, destination.host)
            ORDER BY account_id, host LIMIT 1) AS next
     WHERE destination.nth < %(looked_at_max)s
)
SELECT account_id, host, nth = %(looked_at_max)s AS is_last,
       is_due AND host NOT LIKE '@%%' AS is_due
  FROM destination CROSS JOIN LATERAL (
       SELECT coalesce((SELECT next_at FROM webhook_deliveries d
                         WHERE status = 'PENDING' AND d.account_id = destination.account_id
                           AND d.host = destination.host
                         ORDER BY next_at LIMIT 1) <= now(), false) AS is_due) AS first
 WHERE (is_due AND host NOT LIKE '@%%') OR nth = %(looked_at_max)s
 ORDER BY nth;

-- name: deliveries.claim
-- Lease due deliveries, of each destination so many; the attempt's number fences what is recorded.
-- `refused` tells why one is not to be sent any more.
WITH due AS MATERIALIZED (
    SELECT next.id
      FROM unnest(%(account_ids)s::text[], %(hosts)s::text[], %(counts)s::integer[])
           AS wanted (account_id, host, count)
     CROSS JOIN LATERAL (
           SELECT id FROM webhook_deliveries d
            WHERE status = 'PENDING' AND d.account_id = wanted.account_id AND d.host = wanted.host
              AND next_at <= now()
            ORDER BY next_at LIMIT wanted.count FOR UPDATE SKIP LOCKED) AS next
), claimed AS (
    UPDATE webhook_deliveries
       SET attempts = attempts + 1, lease_until = now() + make_interval(secs => %(lease_seconds)s),
           next_at = now() + make_interval(secs => %(lease_seconds)s)
     WHERE id = ANY(ARRAY(SELECT id FROM due))
    RETURNING *
)
SELECT c.id, c.account_id, c.task_id, c.endpoint_id, c.url, c.host, c.type, c.data,
       c.attempts AS number, c.failures,
       extract(epoch FROM now())::bigint AS at_seconds,
       b.request_id, b.base_url, CASE WHEN b.input ? 'dialect' THEN b.input END AS asked,
       coalesce(k.wire, 'quickstart') AS wire,
       CASE WHEN c.endpoint_id IS NOT NULL AND e.id IS NULL THEN 'The endpoint was removed.'
            WHEN e.disabled_at IS NOT NULL THEN 'The endpoint is disabled.'
            WHEN c.expires_at <= now() THEN 'It did not arrive in time.'
            WHEN c.type = 'task.progress' AND t.finished_at IS NOT NULL
            THEN 'The task has ended meanwhile.'
            END AS refused
  FROM claimed c
  LEFT JOIN tasks t ON t.id = c.task_id
  LEFT JOIN batches b ON b.id = t.batch_id
  LEFT JOIN api_keys k ON k.id = b.api_key_id
  LEFT JOIN webhook_endpoints e ON e.id = c.endpoint_id;

-- name: deliveries.beat
-- Renew the leases of attempts that are under way; what is just being recorded needs none.
UPDATE webhook_deliveries
   SET lease_until = now() + make_interval(secs => %(lease_seconds)s),
       next_at = now() + make_interval(secs => %(lease_seconds)s)
 WHERE id = ANY(ARRAY(
       SELECT d.id FROM unnest(%(ids)s::text[], %(numbers)s::integer[]) AS mine (id, number)
         JOIN webhook_deliveries d ON d.id = mine.id AND d.attempts = mine.number
        WHERE d.lease_until IS NOT NULL FOR UPDATE OF d SKIP LOCKED));

-- name: deliveries.record
-- What came of attempts: kept, and the delivery ended or due again after a pause, unless a later
-- attempt has begun meanwhile. An endpoint fails since its first failure after a success.
WITH told AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(outcomes)s::json)
        AS (id text, number integer, status text, pause_seconds float8, seconds float8,
            request_headers jsonb, request_body text, answer_status smallint, answer_headers jsonb,
            answer_body text, error text, failure text)
), kept AS (
    INSERT INTO webhook_attempts (delivery_id, number, at, seconds, request_headers, request_body,
                                  answer_status, answer_headers, answer_body, error)
    SELECT id, number, now() - make_interval(secs => told.seconds), told.seconds, request_headers,
           request_body, answer_status, answer_headers, answer_body, told.error
      FROM told JOIN webhook_deliveries USING (id) WHERE request_body IS NOT NULL
    ON CONFLICT DO NOTHING
), changed AS (
    UPDATE webhook_deliveries d
       SET status = told.status, lease_until = NULL, error = told.failure,
           failures = failures + (told.error IS NOT NULL)::int,
           next_at = now() + make_interval(secs => told.pause_seconds),
           ended_at = CASE WHEN told.status <> 'PENDING' THEN now() END
      FROM told
     WHERE d.id = told.id AND d.attempts = told.number AND d.status = 'PENDING'
    RETURNING d.endpoint_id, told.answer_status, told.error IS NULL AS is_well, request_body
), well AS (
    UPDATE webhook_endpoints SET failing_since = NULL
     WHERE failing_since IS NOT NULL
       AND id IN (SELECT endpoint_id FROM changed WHERE is_well AND request_body IS NOT NULL)
)
UPDATE webhook_endpoints SET failing_since = now()
 WHERE failing_since IS NULL
   AND id IN (SELECT endpoint_id FROM changed WHERE request_body IS NOT NULL
               EXCEPT SELECT endpoint_id FROM changed WHERE is_well AND request_body IS NOT NULL);

-- name: deliveries.forget
-- Remove deliveries older than the retention with their attempts, a bounded number at a time; one
-- that is still to arrive stays.
WITH gone AS (
    DELETE FROM webhook_deliveries WHERE id IN (
        SELECT id FROM webhook_deliveries
         WHERE created_at < now() - make_interval(days => %(retention_days)s)
           AND status <> 'PENDING' LIMIT %(rows_max)s)
    RETURNING 1
)
SELECT count(*) AS total FROM gone;

-- name: deliveries.list (caller)
-- An account's deliveries, newest first, from a place on, filtered by what is not null.
SELECT id, type, status, url, endpoint_id, task_id, attempts, next_at,
       lease_until > now() AS is_sending, error, created_at, ended_at
  FROM webhook_deliveries
 WHERE account_id = %(account_id)s AND id < coalesce(%(before)s::text, 'n')
   AND (%(status)s::text IS NULL OR status = %(status)s)
   AND (%(type)s::text IS NULL OR type = %(type)s)
   AND (%(endpoint_id)s::text IS NULL OR endpoint_id = %(endpoint_id)s)
   AND created_at >= coalesce(%(since)s::timestamptz, '-infinity')
   AND created_at < coalesce(%(until)s::timestamptz, 'infinity')
 ORDER BY id DESC LIMIT %(rows_max)s;

-- name: deliveries.list_failed (caller)
-- Those that failed, which have an index of their own, filtered like the list.
SELECT id, type, status, url, endpoint_id, task_id, attempts, next_at,
       lease_until > now() AS is_sending, error, created_at, ended_at
  FROM webhook_deliveries
 WHERE account_id = %(account_id)s AND status = 'FAILED' AND id < coalesce(%(before)s::text, 'n')
   AND (%(type)s::text IS NULL OR type = %(type)s)
   AND (%(endpoint_id)s::text IS NULL OR endpoint_id = %(endpoint_id)s)
   AND created_at >= coalesce(%(since)s::timestamptz, '-infinity')
   AND created_at < coalesce(%(until)s::timestamptz, 'infinity')
 ORDER BY id DESC LIMIT %(rows_max)s;

-- name: deliveries.of_task (caller)
-- Those of one task, which are few, filtered like the list.
WITH told AS MATERIALIZED (
    SELECT * FROM webhook_deliveries
     WHERE task_id = %(task_id)s AND account_id = %(account_id)s
)
SELECT id, type, status, url, endpoint_id, task_id, attempts, next_at,
       lease_until > now() AS is_sending, error, created_at, ended_at
  FROM told
 WHERE id < coalesce(%(before)s::text, 'n')
   AND (%(status)s::text IS NULL OR status = %(status)s)
   AND (%(type)s::text IS NULL OR type = %(type)s)
   AND (%(endpoint_id)s::text IS NULL OR endpoint_id = %(endpoint_id)s)
   AND created_at >= coalesce(%(since)s::timestamptz, '-infinity')
   AND created_at < coalesce(%(until)s::timestamptz, 'infinity')
 ORDER BY id DESC LIMIT %(rows_max)s;

-- name: deliveries.get (caller)
-- One delivery.
SELECT id, type, status, url, endpoint_id, task_id, attempts, next_at,
       lease_until > now() AS is_sending, error, created_at, ended_at
  FROM webhook_deliveries WHERE id = %(delivery_id)s AND account_id = %(account_id)s;

-- name: deliveries.attempts (caller)
-- The attempts of one delivery that were recorded, in order.
SELECT number, at, seconds, request_headers, request_body, answer_status, answer_headers,
       answer_body, a.error
  FROM webhook_attempts a JOIN webhook_deliveries d ON d.id = a.delivery_id
 WHERE d.id = %(delivery_id)s AND d.account_id = %(account_id)s ORDER BY number;

-- name: deliveries.resend (caller)
-- Have deliveries sent again from the begin of the schedule, the oldest first: one, or those that
-- are filtered by what is not null. What is just being sent is left alone, and so is old progress.
WITH chosen AS MATERIALIZED (
    SELECT id FROM webhook_deliveries
     WHERE account_id = %(account_id)s AND (lease_until IS NULL OR lease_until <= now())
       AND type <> 'task.progress'
       AND (%(delivery_id)s::text IS NULL OR id = %(delivery_id)s)
       AND (%(status)s::text IS NULL OR status = %(status)s)
       AND (%(type)s::text IS NULL OR type = %(type)s)
       AND (%(endpoint_id)s::text IS NULL OR endpoint_id = %(endpoint_id)s)
       AND (%(task_id)s::text IS NULL OR task_id = %(task_id)s)
       AND created_at >= coalesce(%(since)s::timestamptz, '-infinity')
       AND created_at < coalesce(%(until)s::timestamptz, 'infinity')
     ORDER BY id LIMIT %(rows_max)s FOR UPDATE SKIP LOCKED
), again AS (
    UPDATE webhook_deliveries
       SET status = 'PENDING', failures = 0, next_at = now(), lease_until = NULL,
           error = NULL, ended_at = NULL,
           expires_at = now() + make_interval(secs => %(seconds_max)s)
     WHERE id = ANY(ARRAY(SELECT id FROM chosen))
    RETURNING 1
)
SELECT count(*) AS total, pg_notify('deliveries', '')::text AS told FROM again;

-- name: deliveries.test (caller)
-- A delivery that tells nothing, to see whether it arrives.
INSERT INTO webhook_deliveries (id, account_id, endpoint_id, url, type, data, expires_at)
SELECT %(id)s, account_id, id, url, 'webhook.test', %(data)s,
       now() + make_interval(secs => %(seconds_max)s)
  FROM webhook_endpoints WHERE account_id = %(account_id)s AND id = %(endpoint_id)s
RETURNING id, pg_notify('deliveries', '')::text AS told;

-- name: deliveries.of_tasks (caller)
-- The first deliveries about tasks of an account, in their order.
SELECT id, type, status, url, endpoint_id, task_id, attempts, next_at,
       lease_until > now() AS is_sending, error, created_at, ended_at
  FROM webhook_deliveries
 WHERE account_id = %(account_id)s AND task_id = ANY(%(task_ids)s::text[])
 ORDER BY id LIMIT %(rows_max)s;
