-- name: call_records.insert
-- A batch of finished requests; a repeat after a lost answer changes nothing.
INSERT INTO call_records (request_id, account_id, api_key_id, at, method, path, status, code,
                          duration_ms, ip, batch_id, task_id, mill)
SELECT request_id, account_id, api_key_id, at, method, path, status, code, duration_ms, ip,
       batch_id, task_id, mill
  FROM json_to_recordset(%(records)s::json)
       AS (request_id text, account_id text, api_key_id text, at timestamptz, method text,
           path text, status smallint, code integer, duration_ms real, ip text, batch_id bigint,
           task_id text, mill bigint)
ON CONFLICT (request_id) DO NOTHING;

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
       mill
  FROM call_records WHERE request_id = %(request_id)s AND account_id = %(account_id)s;

-- name: call_records.list (caller)
-- An account's records, newest first, from a place on, filtered by what is not null.
SELECT request_id, api_key_id, at, method, path, status, code, duration_ms, ip, batch_id, task_id,
       mill
  FROM call_records
 WHERE account_id = %(account_id)s
   AND (at, request_id) < (coalesce(%(before_at)s::timestamptz, 'infinity'),
                           coalesce(%(before_id)s::text, ''))
   AND at >= coalesce(%(since)s::timestamptz, '-infinity')
   AND at < coalesce(%(until)s::timestamptz, 'infinity')
   AND (%(method)s::text IS NULL OR method = %(method)s)
   AND (%(path)s::text IS NULL OR path LIKE %(path)s)
   AND (%(status)s::smallint IS NULL OR status = %(status)s)
 ORDER BY at DESC, request_id DESC LIMIT %(rows_max)s;

-- name: call_records.forget
-- Remove records older than the retention, a bounded number at a time.
WITH gone AS (
    DELETE FROM call_records WHERE request_id IN (
        SELECT request_id FROM call_records
         WHERE at < now() - make_interval(days => %(retention_days)s) LIMIT %(rows_max)s)
    RETURNING 1
)
SELECT count(*) AS total FROM gone;
