-- name: links.insert
-- A new link; where it replaces others, those of its purpose for the same account or address go.
WITH replaced AS (
    DELETE FROM links
     WHERE %(replaces)s::boolean AND purpose = %(purpose)s
       AND (account_id = %(account_id)s::text
            OR (%(account_id)s::text IS NULL AND lower(email) = lower(%(email)s::text)))
    RETURNING hash
), shown AS (
    UPDATE letters SET text = NULL, link = NULL, link_hash = NULL
     WHERE status <> 'PENDING' AND link_hash IN (SELECT hash FROM replaced)
)
INSERT INTO links (hash, purpose, account_id, email, browser, data, expires_at)
VALUES (%(hash)s, %(purpose)s, %(account_id)s, %(email)s, %(browser)s, %(data)s,
        now() + make_interval(secs => %(seconds)s));

-- name: links.find
-- What a link is for that still does something.
SELECT purpose, account_id, email, browser, data, extract(epoch FROM now())::bigint AS at_seconds
  FROM links WHERE hash = %(hash)s AND expires_at > now();

-- name: links.take
-- Use a link up: only one of those who come together gets it.
WITH taken AS (
    DELETE FROM links
     WHERE hash = %(hash)s AND purpose = %(purpose)s AND expires_at > now()
       AND (browser IS NULL OR browser = %(browser)s::bytea)
    RETURNING hash, purpose, account_id, email, browser, data
), told AS (
    UPDATE letters SET text = NULL, link = NULL, link_hash = NULL
     WHERE status <> 'PENDING' AND link_hash IN (SELECT hash FROM taken)
)
SELECT purpose, account_id, email, browser, data, extract(epoch FROM now())::bigint AS at_seconds
  FROM taken;

-- name: links.take_invite
-- Use up what invites an address, if anything does.
DELETE FROM links
 WHERE purpose = 'invite' AND lower(email) = lower(%(email)s) AND expires_at > now()
RETURNING purpose, account_id, email, browser, data,
          extract(epoch FROM now())::bigint AS at_seconds;

-- name: links.drop (caller)
-- Every link of an account ends.
DELETE FROM links WHERE account_id = %(account_id)s;

-- name: links.forget
-- Remove links that ran out, a bounded number at a time.
WITH gone AS (
    DELETE FROM links WHERE hash IN (
        SELECT hash FROM links WHERE expires_at < now() LIMIT %(rows_max)s)
    RETURNING 1
)
SELECT count(*) AS total FROM gone;
