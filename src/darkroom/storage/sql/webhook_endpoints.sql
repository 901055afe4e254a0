-- name: webhook_endpoints.insert
-- A new endpoint.
INSERT INTO webhook_endpoints (id, account_id, url, events)
VALUES (%(id)s, %(account_id)s, %(url)s, %(events)s::text[])
RETURNING id, account_id, url, events, created_at, failing_since, disabled_at, disabled_reason;

-- name: webhook_endpoints.list (caller)
-- An account's endpoints, the oldest first.
SELECT id, account_id, url, events, created_at, failing_since, disabled_at, disabled_reason
  FROM webhook_endpoints WHERE account_id = %(account_id)s AND listens_until IS NULL
 ORDER BY created_at, id;

-- name: webhook_endpoints.remove (caller)
-- An endpoint is no more; its deliveries stay.
DELETE FROM webhook_endpoints WHERE account_id = %(account_id)s AND id = %(endpoint_id)s
RETURNING id;

-- name: webhook_endpoints.enable (caller)
-- An endpoint is told again; it begins with a clean record.
UPDATE webhook_endpoints SET disabled_at = NULL, disabled_reason = NULL, failing_since = NULL
 WHERE account_id = %(account_id)s AND id = %(endpoint_id)s
RETURNING id, account_id, url, events, created_at, failing_since, disabled_at, disabled_reason;

-- name: webhook_endpoints.disable
-- Disable one endpoint, or those that have failed for so long, and tell the others of its account.
WITH gone AS (
    UPDATE webhook_endpoints
       SET disabled_at = now(), disabled_reason = %(reason)s
     WHERE disabled_at IS NULL
       AND (id = %(endpoint_id)s::text
            OR failing_since < now() - make_interval(secs => %(failing_seconds)s::float8))
    RETURNING *
), told AS (
    INSERT INTO webhook_deliveries (id, account_id, endpoint_id, url, type, data, expires_at)
    SELECT %(id)s || CASE WHEN nth > 1 THEN '_' || nth ELSE '' END, account_id, endpoint_id, url,
           'endpoint.disabled', data, now() + make_interval(secs => %(seconds_max)s)
      FROM (SELECT e.account_id, e.id AS endpoint_id, e.url, row_number() OVER () AS nth,
                   jsonb_build_object(
                       'endpoint_id', gone.id, 'url', gone.url, 'reason', gone.disabled_reason,
                       'disabled_at', to_char(gone.disabled_at AT TIME ZONE 'UTC',
                                              'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) AS data
              FROM gone JOIN webhook_endpoints e USING (account_id)
             WHERE e.disabled_at IS NULL AND e.listens_until IS NULL
               AND e.id NOT IN (SELECT id FROM gone)) AS others
    RETURNING pg_notify('deliveries', '')
)
SELECT id, account_id, url, events, created_at, failing_since, disabled_at, disabled_reason
  FROM gone;

-- name: webhook_endpoints.listen (caller)
-- A new listener, for so many seconds from now on. Its address is its own id behind an at-sign,
-- which no host begins with.
INSERT INTO webhook_endpoints (id, account_id, url, events, listens_until)
VALUES (%(id)s, %(account_id)s, 'listener://@' || %(id)s, %(events)s::text[],
        now() + make_interval(secs => %(seconds)s))
RETURNING id, account_id, url, events, created_at, failing_since, disabled_at, disabled_reason;

-- name: webhook_endpoints.listen_on (caller)
-- A listener that is still there, for so many seconds more.
UPDATE webhook_endpoints SET listens_until = now() + make_interval(secs => %(seconds)s)
 WHERE id = %(endpoint_id)s AND account_id = %(account_id)s AND listens_until > now()
RETURNING id, account_id, url, events, created_at, failing_since, disabled_at, disabled_reason;

-- name: webhook_endpoints.forget_listeners
-- Remove listeners that have gone, with what they have not taken.
WITH gone AS (
    DELETE FROM webhook_endpoints WHERE listens_until < now() RETURNING id
), left_behind AS (
    DELETE FROM webhook_deliveries
     WHERE status = 'PENDING' AND endpoint_id IN (SELECT id FROM gone)
)
SELECT count(*) AS total FROM gone;
