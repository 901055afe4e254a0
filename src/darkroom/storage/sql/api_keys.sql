-- name: api_keys.insert
-- A new key; only its hash and its mask are kept.
INSERT INTO api_keys (id, account_id, origin_id, name, hash, mask, wire, requests_per_minute,
                      models, callback_hosts, spend_mill_max, spend_period, expires_at)
VALUES (%(id)s, %(account_id)s, %(id)s, %(name)s, %(hash)s, %(mask)s, %(wire)s,
        %(requests_per_minute)s, %(models)s::text[], %(callback_hosts)s::text[],
        %(spend_mill_max)s, %(spend_period)s, now() + make_interval(days => %(days)s));

-- name: api_keys.find
-- The keys with these hashes that were not revoked, and what a call with one may do.
SELECT k.hash, k.id, k.account_id, k.wire, k.requests_per_minute,
       a.requests_per_minute AS account_requests_per_minute, k.models, k.callback_hosts,
       k.spend_mill_max IS NOT NULL AS is_spend_limited, a.suspended_at IS NOT NULL AS is_suspended,
       CASE WHEN k.expires_at <= now() THEN k.expires_at END AS expired_at
  FROM api_keys k JOIN accounts a ON a.id = k.account_id
 WHERE k.hash = ANY(%(hashes)s::bytea[]) AND k.revoked_at IS NULL;

-- name: api_keys.named
-- The keys that were not revoked and have this id or mask, locked.
SELECT id FROM api_keys
 WHERE (id = %(named)s OR mask = %(named)s) AND revoked_at IS NULL ORDER BY id
   FOR NO KEY UPDATE;

-- name: api_keys.get_many
-- Keys by their ids, with what their spend limit has been used for in its period.
SELECT k.id, k.account_id, k.origin_id, k.name, k.mask, k.wire, k.requests_per_minute, k.models,
       k.callback_hosts, k.spend_mill_max, k.spend_period,
       (SELECT coalesce(sum(s.mill), 0)::bigint FROM key_spending s
         WHERE s.origin_id = k.origin_id
           AND (k.spend_period IS DISTINCT FROM 'month'
                OR s.month = date_trunc('month', now() AT TIME ZONE 'UTC')::date)) AS spent_mill,
       k.created_at, k.expires_at, k.expires_at <= now() AS is_expired, k.rotated_at,
       k.last_used_at, k.revoked_at
  FROM api_keys k WHERE k.id = ANY(%(ids)s::text[]) ORDER BY k.created_at DESC, k.id DESC;

-- name: api_keys.list (caller)
-- An account's newest keys, with what their spend limits have been used for.
SELECT k.id, k.account_id, k.origin_id, k.name, k.mask, k.wire, k.requests_per_minute, k.models,
       k.callback_hosts, k.spend_mill_max, k.spend_period,
       (SELECT coalesce(sum(s.mill), 0)::bigint FROM key_spending s
         WHERE s.origin_id = k.origin_id
           AND (k.spend_period IS DISTINCT FROM 'month'
                OR s.month = date_trunc('month', now() AT TIME ZONE 'UTC')::date)) AS spent_mill,
       k.created_at, k.expires_at, k.expires_at <= now() AS is_expired, k.rotated_at,
       k.last_used_at, k.revoked_at
  FROM api_keys k WHERE k.account_id = %(account_id)s
 ORDER BY k.created_at DESC, k.id DESC LIMIT %(rows_max)s;

-- name: api_keys.change
-- Give a key, and what it was rotated from and into, another name and other rules.
UPDATE api_keys
   SET name = %(name)s, requests_per_minute = %(requests_per_minute)s,
       models = %(models)s::text[], callback_hosts = %(callback_hosts)s::text[],
       spend_mill_max = %(spend_mill_max)s, spend_period = %(spend_period)s
 WHERE origin_id = %(origin_id)s AND revoked_at IS NULL;

-- name: api_keys.expire
-- Have a key end so many days from now on; null: never.
UPDATE api_keys SET expires_at = now() + make_interval(days => %(days)s) WHERE id = %(id)s;

-- name: api_keys.replace
-- A key that takes the place of another: its name and rules, and as long a life from now on. The
-- old one ends after some hours, or when it would have; no row when it was replaced before.
WITH old AS (
    UPDATE api_keys
       SET rotated_at = now(),
           expires_at = least(expires_at, now() + make_interval(hours => %(overlap_hours)s))
     WHERE id = %(old_id)s AND rotated_at IS NULL AND revoked_at IS NULL
    RETURNING id
)
INSERT INTO api_keys (id, account_id, origin_id, name, hash, mask, wire, requests_per_minute,
                      models, callback_hosts, spend_mill_max, spend_period, expires_at)
SELECT %(id)s, account_id, origin_id, name, %(hash)s, %(mask)s, wire, requests_per_minute,
       models, callback_hosts, spend_mill_max, spend_period, now() + (expires_at - created_at)
  FROM api_keys WHERE id IN (SELECT id FROM old)
RETURNING id;

-- name: api_keys.revoke
-- End keys for ever.
UPDATE api_keys SET revoked_at = now() WHERE id = ANY(%(ids)s::text[]) AND revoked_at IS NULL;

-- name: api_keys.touch
-- Record when each key was last used, never backwards.
UPDATE api_keys SET last_used_at = used.at
  FROM unnest(%(ids)s::text[], %(ats)s::timestamptz[]) AS used (id, at)
 WHERE api_keys.id = used.id AND (last_used_at IS NULL OR last_used_at < used.at);
