-- name: webhook_secrets.add
-- A first secret for accounts that have none; one that another process made meanwhile stays.
INSERT INTO webhook_secrets (account_id, secret)
SELECT account_id, secret
  FROM unnest(%(account_ids)s::text[], %(secrets)s::text[]) AS made (account_id, secret)
ON CONFLICT (account_id) WHERE expires_at IS NULL DO NOTHING;

-- name: webhook_secrets.live
-- The live secrets of these accounts, the current one of each first.
SELECT account_id, secret, created_at, expires_at FROM webhook_secrets
 WHERE account_id = ANY(%(account_ids)s::text[])
   AND (expires_at IS NULL OR expires_at > now())
 ORDER BY account_id, expires_at DESC NULLS FIRST;

-- name: webhook_secrets.end (caller)
-- The current secret of an account gets an end, and those before it are gone.
WITH gone AS (
    DELETE FROM webhook_secrets WHERE account_id = %(account_id)s AND expires_at IS NOT NULL
)
UPDATE webhook_secrets SET expires_at = now() + make_interval(hours => %(overlap_hours)s)
 WHERE account_id = %(account_id)s AND expires_at IS NULL;
