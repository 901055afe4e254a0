-- name: accounts.insert
-- A new account without credits, with its lane; no row when the e-mail is taken.
WITH account AS (
    INSERT INTO accounts (id, email, is_admin) VALUES (%(id)s, %(email)s, %(is_admin)s)
    ON CONFLICT (lower(email)) DO NOTHING
    RETURNING *
), lane AS (
    INSERT INTO lanes (account_id) SELECT id FROM account
)
SELECT id, email, is_admin, available_mill, held_mill, weight, running_max, waiting_max,
       requests_per_minute, has_provenance, created_at
  FROM account;

-- name: accounts.get (caller)
-- One account by id.
SELECT id, email, is_admin, available_mill, held_mill, weight, running_max, waiting_max,
       requests_per_minute, has_provenance, created_at
  FROM accounts WHERE id = %(account_id)s;

-- name: accounts.lock (caller)
-- One at a time.
SELECT id FROM accounts WHERE id = %(account_id)s FOR NO KEY UPDATE;

-- name: accounts.find
-- One account by e-mail, whatever its case.
SELECT id, email, is_admin, available_mill, held_mill, weight, running_max, waiting_max,
       requests_per_minute, has_provenance, created_at
  FROM accounts WHERE lower(email) = lower(%(email)s);

-- name: accounts.list
-- Accounts for the operator, the oldest first.
SELECT id, email, is_admin, available_mill, held_mill, weight, running_max, waiting_max,
       requests_per_minute, has_provenance, created_at
  FROM accounts ORDER BY created_at, id LIMIT %(rows_max)s;

-- name: accounts.set_admin
-- Give or take the rights of an admin; no row where it would leave none. All admins are locked, so
-- that two who take each other's meet.
WITH admins AS MATERIALIZED (
    SELECT id FROM accounts WHERE is_admin ORDER BY id FOR UPDATE
)
UPDATE accounts SET is_admin = %(is_admin)s
 WHERE id = %(account_id)s
   AND (%(is_admin)s OR NOT is_admin
        OR EXISTS (SELECT 1 FROM admins WHERE id <> %(account_id)s))
RETURNING id, email, is_admin, available_mill, held_mill, weight, running_max, waiting_max,
          requests_per_minute, has_provenance, created_at;

-- name: accounts.limit
-- Set the limits of an account that are not null; 0 requests a minute: as many as it likes.
UPDATE accounts
   SET weight = coalesce(%(weight)s::real, weight),
       running_max = coalesce(%(running_max)s::integer, running_max),
       waiting_max = coalesce(%(waiting_max)s::integer, waiting_max),
       requests_per_minute = CASE WHEN %(requests_per_minute)s::integer IS NULL
                                  THEN requests_per_minute
                                  ELSE nullif(%(requests_per_minute)s::integer, 0) END
 WHERE id = %(account_id)s
RETURNING id, email, is_admin, available_mill, held_mill, weight, running_max, waiting_max,
          requests_per_minute, has_provenance, created_at;

-- name: accounts.set_provenance (caller)
-- Have what an account makes from now on signed and known again, or not.
UPDATE accounts SET has_provenance = %(has_provenance)s
 WHERE id = %(account_id)s
RETURNING id, email, is_admin, available_mill, held_mill, weight, running_max, waiting_max,
          requests_per_minute, has_provenance, created_at;

-- name: accounts.sign_in
-- What is needed to let somebody in, by e-mail, whatever its case; whether they were let in from
-- this address before.
SELECT id, email, password_hash, verified_at, suspended_at,
       EXISTS (SELECT FROM sessions s WHERE s.account_id = a.id AND s.ip = %(ip)s::text
                  AND s.expires_at > now()) AS is_known_here,
       EXISTS (SELECT FROM second_factors f WHERE f.account_id = a.id
                  AND f.confirmed_at IS NOT NULL) AS needs_code
  FROM accounts a WHERE lower(email) = lower(%(email)s);

-- name: accounts.owner (caller)
-- What is needed to let the owner of an account in.
SELECT id, email, password_hash, verified_at, suspended_at, false AS is_known_here,
       EXISTS (SELECT FROM second_factors f WHERE f.account_id = a.id
                  AND f.confirmed_at IS NOT NULL) AS needs_code
  FROM accounts a WHERE id = %(account_id)s;

-- name: accounts.set_password (caller)
-- Keep the hash of an account's password.
UPDATE accounts SET password_hash = %(password_hash)s WHERE id = %(account_id)s;

-- name: accounts.change_password (caller)
-- Keep the hash of another password, unless the one before it was changed meanwhile.
UPDATE accounts SET password_hash = %(password_hash)s
 WHERE id = %(account_id)s AND password_hash IS NOT DISTINCT FROM %(was)s::text
RETURNING id;

-- name: accounts.verify (caller)
-- An address is proved to be the account's, and is its address from now on; no row where another
-- account has it.
UPDATE accounts SET email = %(email)s, verified_at = now()
 WHERE id = %(account_id)s
   AND NOT EXISTS (SELECT FROM accounts
                    WHERE lower(email) = lower(%(email)s) AND id <> %(account_id)s)
RETURNING id;

-- name: accounts.take_turn
-- Until the end of this transaction, no other gives an account its first way to sign in.
SELECT pg_advisory_xact_lock(7390021);

-- name: accounts.lead (caller)
-- Make an account the admin where nobody could sign in before it.
UPDATE accounts SET is_admin = true
 WHERE id = %(account_id)s
   AND NOT EXISTS (SELECT FROM accounts WHERE password_hash IS NOT NULL)
   AND NOT EXISTS (SELECT FROM identities);
