-- name: api_keys.insert
-- A new key; only its hash and its mask are kept.
INSERT INTO api_keys (id, account_id, name, hash, mask, wire)
VALUES (%(id)s, %(account_id)s, %(name)s, %(hash)s, %(mask)s, %(wire)s)
RETURNING id, account_id, name, mask, wire, requests_per_minute, created_at, last_used_at,
          revoked_at;

-- name: api_keys.find
-- The live keys with these hashes, and the request limits that a call with one is under.
SELECT k.hash, k.id, k.account_id, k.wire, k.requests_per_minute,
       a.requests_per_minute AS account_requests_per_minute,
       a.suspended_at IS NOT NULL AS is_suspended
  FROM api_keys k JOIN accounts a ON a.id = k.account_id
 WHERE k.hash = ANY(%(hashes)s::bytea[]) AND k.revoked_at IS NULL;

-- name: api_keys.limit
-- Set the requests a minute of a live key, named by its id or its mask; 0: as many as it likes.
UPDATE api_keys SET requests_per_minute = nullif(%(requests_per_minute)s::integer, 0)
 WHERE (id = %(named)s OR mask = %(named)s) AND revoked_at IS NULL
RETURNING id, account_id, name, mask, wire, requests_per_minute, created_at, last_used_at,
          revoked_at;

-- name: api_keys.list (caller)
-- An account's keys, newest first.
SELECT id, account_id, name, mask, wire, requests_per_minute, created_at, last_used_at,
       revoked_at
  FROM api_keys WHERE account_id = %(account_id)s ORDER BY created_at DESC, id DESC;

-- name: api_keys.revoke
-- End a key for ever, named by its id or its mask; no row when no live key is so named.
UPDATE api_keys SET revoked_at = now()
 WHERE (id = %(named)s OR mask = %(named)s) AND revoked_at IS NULL
RETURNING id, account_id, name, mask, wire, requests_per_minute, created_at, last_used_at,
          revoked_at;

-- name: api_keys.touch
-- Record when each key was last used, never backwards.
UPDATE api_keys SET last_used_at = used.at
  FROM unnest(%(ids)s::text[], %(ats)s::timestamptz[]) AS used (id, at)
 WHERE api_keys.id = used.id AND (last_used_at IS NULL OR last_used_at < used.at);
