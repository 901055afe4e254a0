-- name: erasures.begin
-- Nobody gets into an account any more, unless it is an admin's: its address, its ways to sign in,
-- its keys and its endpoints go at once, what waits is canceled, the rest follows step by step.
WITH account AS (
    UPDATE accounts SET email = id || '@deleted.invalid', password_hash = NULL, verified_at = NULL,
                        suspended_at = coalesce(suspended_at, now()),
                        suspended_reason = 'The account is deleted.',
                        emptying_since = coalesce(emptying_since, now())
     WHERE id = %(account_id)s AND NOT is_admin
    RETURNING id
), begun AS (
    INSERT INTO erasures (account_id) SELECT id FROM account
    ON CONFLICT (account_id) DO NOTHING
    RETURNING account_id
), no_session AS (
    DELETE FROM sessions WHERE account_id IN (SELECT account_id FROM begun)
), no_identity AS (
    DELETE FROM identities WHERE account_id IN (SELECT account_id FROM begun)
), no_factor AS (
    DELETE FROM second_factors WHERE account_id IN (SELECT account_id FROM begun)
), no_link AS (
    DELETE FROM links WHERE account_id IN (SELECT account_id FROM begun)
), no_letter AS (
    DELETE FROM letters WHERE account_id IN (SELECT account_id FROM begun)
), no_endpoint AS (
    DELETE FROM webhook_endpoints WHERE account_id IN (SELECT account_id FROM begun)
), no_key AS (
    UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()), name = 'deleted'
     WHERE account_id IN (SELECT account_id FROM begun)
)
SELECT id AS account_id FROM account;

-- name: erasures.next
-- The erasure that is open the longest, of an account of which nothing is under way any more: that
-- no server takes its keys is sure after a while.
SELECT e.account_id FROM erasures e JOIN lanes l ON l.account_id = e.account_id
 WHERE e.ended_at IS NULL AND e.begun_at < now() - make_interval(secs => %(quiet_seconds)s)
   AND l.admitted = 0 AND l.parked = 0
 ORDER BY e.begun_at, e.account_id LIMIT 1 FOR UPDATE OF e SKIP LOCKED;

-- name: erasures.forget_requests (caller)
-- Forget what the next requests asked for, and what their backends told, but how it was made, which
-- a copy is asked for.
WITH next_rows AS MATERIALIZED (
    SELECT b.id FROM batches b JOIN erasures e ON e.account_id = b.account_id AND b.id > e.batch_id
     WHERE b.account_id = %(account_id)s ORDER BY b.id LIMIT %(rows_max)s
), forgotten AS (
    UPDATE batches SET input = '{"fields": {}, "files": {}}', webhook_url = NULL
     WHERE id IN (SELECT id FROM next_rows)
), gone AS (
    UPDATE tasks SET deleted_at = now(), error = NULL, notes = jsonb_strip_nulls(
           jsonb_build_object('digital_source_type', notes -> 'digital_source_type'))
     WHERE batch_id IN (SELECT id FROM next_rows) AND deleted_at IS NULL
), further AS (
    UPDATE erasures SET batch_id = (SELECT max(id) FROM next_rows)
     WHERE account_id = %(account_id)s AND EXISTS (SELECT FROM next_rows)
)
SELECT count(*) AS total FROM next_rows;

-- name: erasures.delete_files (caller)
-- Mark the next files as deleted, results and uploads, whose bytes the sweep then removes.
WITH next_rows AS MATERIALIZED (
    SELECT a.id, a.created_at FROM assets a
      JOIN erasures e ON e.account_id = a.account_id AND a.created_at >= e.files_from
     WHERE a.account_id = %(account_id)s AND a.deleted_at IS NULL
     ORDER BY a.created_at LIMIT %(rows_max)s
), gone AS (
    UPDATE assets SET deleted_at = now(), likeness = NULL WHERE id IN (SELECT id FROM next_rows)
), further AS (
    UPDATE erasures SET files_from = (SELECT max(created_at) FROM next_rows)
     WHERE account_id = %(account_id)s AND EXISTS (SELECT FROM next_rows)
)
SELECT count(*) AS total FROM next_rows;

-- name: erasures.remove_histories (caller)
-- Remove webhook deliveries with what was sent and answered, requests, and what the content policy
-- found: so many of each.
WITH deliveries AS (
    DELETE FROM webhook_deliveries WHERE id IN (
        SELECT id FROM webhook_deliveries WHERE account_id = %(account_id)s LIMIT %(rows_max)s)
    RETURNING 1
), calls AS (
    DELETE FROM call_records WHERE request_id IN (
        SELECT request_id FROM call_records WHERE account_id = %(account_id)s LIMIT %(rows_max)s)
    RETURNING 1
), verdicts AS (
    DELETE FROM moderations WHERE id IN (
        SELECT id FROM moderations WHERE account_id = %(account_id)s LIMIT %(rows_max)s)
    RETURNING 1
)
SELECT (SELECT count(*) FROM deliveries) + (SELECT count(*) FROM calls)
       + (SELECT count(*) FROM verdicts) AS total;

-- name: erasures.finish (caller)
-- Nothing is left to do.
WITH no_secret AS (
    DELETE FROM webhook_secrets WHERE account_id = %(account_id)s
)
UPDATE erasures SET ended_at = now() WHERE account_id = %(account_id)s;
