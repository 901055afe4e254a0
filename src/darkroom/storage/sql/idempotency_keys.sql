-- name: idempotency_keys.find
-- What the keys made that are younger than their hours, each only for the account asked with it.
SELECT k.account_id, k.key, k.fingerprint, k.batch_id,
       array_agg(t.id ORDER BY t.position) AS task_ids, sum(t.price_mill)::bigint AS price_mill
  FROM unnest(%(account_ids)s::text[], %(keys)s::text[]) AS asked (account_id, key)
  JOIN idempotency_keys k ON k.account_id = asked.account_id AND k.key = asked.key
  JOIN tasks t ON t.batch_id = k.batch_id
 WHERE k.created_at > now() - make_interval(hours => %(hours)s)
 GROUP BY k.account_id, k.key;

-- name: idempotency_keys.keep
-- Keys with what they made; one that has outlived its hours is made anew. The second seat-belt: a
-- younger one would get no batch, which its column refuses, and the whole transaction with it.
INSERT INTO idempotency_keys AS k (account_id, key, fingerprint, batch_id)
SELECT account_id, key, fingerprint, batch_id
  FROM unnest(%(account_ids)s::text[], %(keys)s::text[], %(fingerprints)s::bytea[],
              %(batch_ids)s::bigint[]) AS made (account_id, key, fingerprint, batch_id)
ON CONFLICT (account_id, key) DO UPDATE
   SET fingerprint = excluded.fingerprint, created_at = now(),
       batch_id = CASE WHEN k.created_at <= now() - make_interval(hours => %(hours)s)
                       THEN excluded.batch_id END;

-- name: idempotency_keys.forget
-- Remove keys that have outlived their hours, a bounded number at a time; the lock looks again at
-- a key that a submit makes anew meanwhile.
WITH old AS (
    SELECT account_id, key FROM idempotency_keys
     WHERE created_at <= now() - make_interval(hours => %(hours)s)
     LIMIT %(rows_max)s FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM idempotency_keys k USING old
     WHERE k.account_id = old.account_id AND k.key = old.key
    RETURNING 1
)
SELECT count(*) AS total FROM gone;
