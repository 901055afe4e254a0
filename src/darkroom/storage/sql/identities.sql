-- name: identities.find
-- Whose account this is of an issuer's.
SELECT account_id FROM identities WHERE issuer = %(issuer)s AND subject = %(subject)s;

-- name: identities.insert
-- An issuer's somebody is the owner of an account; no row where it is bound already.
INSERT INTO identities (issuer, subject, account_id, email)
VALUES (%(issuer)s, %(subject)s, %(account_id)s, %(email)s)
ON CONFLICT (issuer, subject) DO NOTHING
RETURNING account_id;

-- name: identities.list (caller)
-- Who may sign in to an account by an issuer's word.
SELECT issuer, subject, email, created_at
  FROM identities WHERE account_id = %(account_id)s ORDER BY created_at, subject LIMIT 100;

-- name: identities.remove (caller)
-- An issuer's word opens an account no more, unless nothing else would.
DELETE FROM identities
 WHERE account_id = %(account_id)s AND issuer = %(issuer)s
   AND EXISTS (SELECT FROM accounts a WHERE a.id = %(account_id)s AND a.password_hash IS NOT NULL)
RETURNING account_id;
