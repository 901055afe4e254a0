-- name: accounts.insert
-- A new account without credits; no row when the e-mail is taken.
INSERT INTO accounts (id, email, is_admin) VALUES (%(id)s, %(email)s, %(is_admin)s)
ON CONFLICT (lower(email)) DO NOTHING
RETURNING id, email, is_admin, available_mill, held_mill, created_at;

-- name: accounts.get (caller)
-- One account by id.
SELECT id, email, is_admin, available_mill, held_mill, created_at
  FROM accounts WHERE id = %(account_id)s;

-- name: accounts.find
-- One account by e-mail, whatever its case.
SELECT id, email, is_admin, available_mill, held_mill, created_at
  FROM accounts WHERE lower(email) = lower(%(email)s);

-- name: accounts.list
-- Accounts for the operator, the oldest first.
SELECT id, email, is_admin, available_mill, held_mill, created_at
  FROM accounts ORDER BY created_at, id LIMIT %(rows_max)s;

-- name: accounts.lock_many
-- The named accounts, locked in the order of their ids so that groups never deadlock.
SELECT id, email, is_admin, available_mill, held_mill, created_at
  FROM accounts WHERE id = ANY(%(account_ids)s) ORDER BY id FOR UPDATE;
