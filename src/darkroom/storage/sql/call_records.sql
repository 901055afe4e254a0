-- name: call_records.insert
-- A batch of finished requests, to be counted for the usage; a repeat after a lost answer changes
-- nothing.
WITH made AS (
    INSERT INTO call_records (request_id, account_id, api_key_id, at, method, path, status, code,
                              duration_ms, ip, batch_id, task_id, mill, error)
    SELECT request_id, account_id, api_key_id, at, method, path, status, code, duration_ms, ip,
           batch_id, task_id, mill, error
      FROM json_to_recordset(%(records)s::json)
           AS (request_id text, account_id text, api_key_id text, at timestamptz, method text,
               path text, status smallint, code integer, duration_ms real, ip text,
               batch_id bigint, task_id text, mill bigint, error text)
    ON CONFLICT (request_id) DO NOTHING
    RETURNING account_id, api_key_id, at, status, code, duration_ms
)
INSERT INTO usage_calls_new (account_id, api_key_id, hour_at, status, code, step, requests)
SELECT account_id, coalesce(api_key_id, ''), date_trunc('hour', at, 'UTC'), status,
       coalesce(code, 0), usage_step(duration_ms), count(*)
  FROM made WHERE account_id IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6;

-- name: call_records.count
-- How many records a server process received, wrote and had to drop, and whether it has ended.
INSERT INTO call_record_counts (server_id, received, written, dropped, closed_at)
VALUES (%(server_id)s, %(received)s, %(written)s, %(dropped)s,
        CASE WHEN %(closed)s THEN now() END)
ON CONFLICT (server_id) DO UPDATE SET received = excluded.received, written = excluded.written,
                                      dropped = excluded.dropped, seen_at = now(),
                                      closed_at = excluded.closed_at;

-- name: call_records.counts
-- The sums over all server processes; `killed` ones were last seen a minute ago and never ended.
SELECT coalesce(sum(received), 0)::bigint AS received, coalesce(sum(written), 0)::bigint AS written,
       coalesce(sum(dropped), 0)::bigint AS dropped,
       count(*) FILTER (WHERE closed_at IS NULL AND seen_at < now() - interval '1 minute') AS killed
  FROM call_record_counts;

-- name: call_records.find (caller)
-- One record by its request id.
SELECT request_id, api_key_id, at, method, path, status, code, duration_ms, ip, batch_id, task_id,
       mill, error
  FROM call_records WHERE request_id = %(request_id)s AND account_id = %(account_id)s;

-- name: call_records.list (caller)
-- An account's records between two places, newest first, filtered. They are led by the index that
-- leaves least to filter, and no more than so many are looked at: the last of these comes along
-- unless it `fits`, to go on from. IS TRUE keeps a key's records from being read by the account.
SELECT request_id, api_key_id, at, method, path, status, code, duration_ms, ip, batch_id, task_id,
       mill, error, fits, nth
  FROM (SELECT looked.*, row_number() OVER newest AS nth,
               (%(method)s::text IS NULL OR method = %(method)s)
               AND (%(path)s::text IS NULL OR path LIKE %(path)s)
               AND status BETWEEN %(status_min)s::smallint AND %(status_max)s::smallint
               AND (%(code)s::integer IS NULL OR code = %(code)s)
               AND (NOT %(is_failed)s OR status >= 400 OR code <> 0)
               AND (%(api_key_id)s::text IS NULL OR api_key_id = %(api_key_id)s) AS fits
          FROM (
    (SELECT * FROM call_records
      WHERE %(led_by)s = 'account' AND account_id = %(account_id)s
        AND (at, request_id) > (coalesce(%(above_at)s::timestamptz, '-infinity'),
                                coalesce(%(above_id)s::text, ''))
        AND (at, request_id) < (coalesce(%(below_at)s::timestamptz, 'infinity'),
                                coalesce(%(below_id)s::text, ''))
      ORDER BY at DESC, request_id DESC LIMIT %(looked_at_max)s)
    UNION ALL
    (SELECT * FROM call_records
      WHERE %(led_by)s = 'key' AND api_key_id = %(api_key_id)s
        AND (account_id = %(account_id)s) IS TRUE
        AND (at, request_id) > (coalesce(%(above_at)s::timestamptz, '-infinity'),
                                coalesce(%(above_id)s::text, ''))
        AND (at, request_id) < (coalesce(%(below_at)s::timestamptz, 'infinity'),
                                coalesce(%(below_id)s::text, ''))
      ORDER BY at DESC, request_id DESC LIMIT %(looked_at_max)s)
    UNION ALL
    (SELECT found.*
       FROM unnest(%(failed_statuses)s::smallint[]) AS one (status)
      CROSS JOIN LATERAL (
            SELECT * FROM call_records r
             WHERE r.account_id = %(account_id)s AND r.status = one.status
               AND (r.status >= 400 OR r.code <> 0)
               AND (at, request_id) > (coalesce(%(above_at)s::timestamptz, '-infinity'),
                                       coalesce(%(above_id)s::text, ''))
               AND (at, request_id) < (coalesce(%(below_at)s::timestamptz, 'infinity'),
                                       coalesce(%(below_id)s::text, ''))
             ORDER BY at DESC, request_id DESC LIMIT %(looked_at_max)s) AS found
      WHERE %(led_by)s = 'failed'
      ORDER BY at DESC, request_id DESC LIMIT %(looked_at_max)s)
               ) AS looked
        WINDOW newest AS (ORDER BY at DESC, request_id DESC)) AS numbered
 WHERE fits OR nth = %(looked_at_max)s
 ORDER BY at DESC, request_id DESC LIMIT %(rows_max)s;

-- name: call_records.list_rising (caller)
-- The same, oldest first.
SELECT request_id, api_key_id, at, method, path, status, code, duration_ms, ip, batch_id, task_id,
       mill, error, fits, nth
  FROM (SELECT looked.*, row_number() OVER oldest AS nth,
               (%(method)s::text IS NULL OR method = %(method)s)
               AND (%(path)s::text IS NULL OR path LIKE %(path)s)
               AND status BETWEEN %(status_min)s::smallint AND %(status_max)s::smallint
               AND (%(code)s::integer IS NULL OR code = %(code)s)
               AND (NOT %(is_failed)s OR status >= 400 OR code <> 0)
               AND (%(api_key_id)s::text IS NULL OR api_key_id = %(api_key_id)s) AS fits
          FROM (
    (SELECT * FROM call_records
      WHERE %(led_by)s = 'account' AND account_id = %(account_id)s
        AND (at, request_id) > (coalesce(%(above_at)s::timestamptz, '-infinity'),
                                coalesce(%(above_id)s::text, ''))
        AND (at, request_id) < (coalesce(%(below_at)s::timestamptz, 'infinity'),
                                coalesce(%(below_id)s::text, ''))
      ORDER BY at, request_id LIMIT %(looked_at_max)s)
    UNION ALL
    (SELECT * FROM call_records
      WHERE %(led_by)s = 'key' AND api_key_id = %(api_key_id)s
        AND (account_id = %(account_id)s) IS TRUE
        AND (at, request_id) > (coalesce(%(above_at)s::timestamptz, '-infinity'),
                                coalesce(%(above_id)s::text, ''))
        AND (at, request_id) < (coalesce(%(below_at)s::timestamptz, 'infinity'),
                                coalesce(%(below_id)s::text, ''))
      ORDER BY at, request_id LIMIT %(looked_at_max)s)
    UNION ALL
    (SELECT found.*
       FROM unnest(%(failed_statuses)s::smallint[]) AS one (status)
      CROSS JOIN LATERAL (
            SELECT * FROM call_records r
             WHERE r.account_id = %(account_id)s AND r.status = one.status
               AND (r.status >= 400 OR r.code <> 0)
               AND (at, request_id) > (coalesce(%(above_at)s::timestamptz, '-infinity'),
                                       coalesce(%(above_id)s::text, ''))
               AND (at, request_id) < (coalesce(%(below_at)s::timestamptz, 'infinity'),
                                       coalesce(%(below_id)s::text, ''))
             ORDER BY at, request_id LIMIT %(looked_at_max)s) AS found
      WHERE %(led_by)s = 'failed'
      ORDER BY at, request_id LIMIT %(looked_at_max)s)
               ) AS looked
        WINDOW oldest AS (ORDER BY at, request_id)) AS numbered
 WHERE fits OR nth = %(looked_at_max)s
 ORDER BY at, request_id LIMIT %(rows_max)s;

-- name: call_records.forget
-- Remove records older than the retention, a bounded number at a time.
WITH gone AS (
    DELETE FROM call_records WHERE request_id IN (
        SELECT request_id FROM call_records
         WHERE at < now() - make_interval(days => %(retention_days)s) LIMIT %(rows_max)s)
    RETURNING 1
)
SELECT count(*) AS total FROM gone;

-- name: call_records.of_submit (caller)
-- The request id of the submit that made a batch, or the batch of a task.
SELECT request_id FROM batches
 WHERE account_id = %(account_id)s
   AND id = coalesce(%(batch_id)s::bigint,
                     (SELECT batch_id FROM tasks
                       WHERE id = %(task_id)s AND account_id = %(account_id)s));
