-- name: second_factors.begin (caller)
-- A fresh secret, to be confirmed by a code; one that is in force stays.
INSERT INTO second_factors (account_id, secret) VALUES (%(account_id)s, %(secret)s)
ON CONFLICT (account_id) DO UPDATE SET secret = EXCLUDED.secret, created_at = now()
 WHERE second_factors.confirmed_at IS NULL;

-- name: second_factors.get (caller)
-- An account's second factor, with the time step of now and how many recovery codes are left.
SELECT account_id, secret, confirmed_at, last_step,
       floor(extract(epoch FROM now()) / 30)::bigint AS step,
       (SELECT count(*) FROM recovery_codes r WHERE r.account_id = f.account_id)::integer
           AS codes_left
  FROM second_factors f WHERE account_id = %(account_id)s;

-- name: second_factors.confirm (caller)
-- The secret is in force from its first code on, and that code is used up.
UPDATE second_factors SET confirmed_at = now(), last_step = %(step)s
 WHERE account_id = %(account_id)s AND secret = %(secret)s AND confirmed_at IS NULL
RETURNING last_step;

-- name: second_factors.use (caller)
-- A code is used up, and every older one with it.
UPDATE second_factors SET last_step = %(step)s
 WHERE account_id = %(account_id)s AND confirmed_at IS NOT NULL AND last_step < %(step)s
RETURNING last_step;

-- name: second_factors.add_codes (caller)
-- Recovery codes, of which the hashes are kept.
INSERT INTO recovery_codes (account_id, hash)
SELECT %(account_id)s, hash FROM unnest(%(hashes)s::bytea[]) AS made (hash);

-- name: second_factors.use_code (caller)
-- A recovery code is used up.
DELETE FROM recovery_codes WHERE account_id = %(account_id)s AND hash = %(hash)s
RETURNING hash;

-- name: second_factors.remove (caller)
-- No second factor any more.
DELETE FROM second_factors WHERE account_id = %(account_id)s RETURNING account_id;
