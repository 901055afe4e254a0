-- name: sessions.insert
-- A new session; only the hash of its token is kept.
INSERT INTO sessions (id, account_id, hash, ip, agent, expires_at)
VALUES (%(id)s, %(account_id)s, %(hash)s, %(ip)s, left(%(agent)s, 300),
        now() + make_interval(days => %(days)s))
RETURNING id, ip, agent, created_at, seen_at, expires_at;

-- name: sessions.find
-- Who is signed in by the tokens with these hashes.
SELECT s.hash, s.id AS session_id, s.account_id, a.email, a.is_admin, a.available_mill,
       a.held_mill, a.requests_per_minute, a.verified_at, a.suspended_at, a.suspended_reason,
       s.seen_at < now() - interval '1 minute' AS is_due
  FROM sessions s JOIN accounts a ON a.id = s.account_id
 WHERE s.hash = ANY(%(hashes)s::bytea[]) AND s.expires_at > now();

-- name: sessions.touch
-- A session was used, and lives so much longer.
UPDATE sessions SET seen_at = now(), ip = %(ip)s,
                    expires_at = now() + make_interval(days => %(days)s)
 WHERE id = %(session_id)s;

-- name: sessions.list (caller)
-- An account's sessions, the one used last first.
SELECT id, ip, agent, created_at, seen_at, expires_at
  FROM sessions WHERE account_id = %(account_id)s AND expires_at > now()
 ORDER BY seen_at DESC, id LIMIT 100;

-- name: sessions.close (caller)
-- End one session of an account.
DELETE FROM sessions WHERE account_id = %(account_id)s AND id = %(session_id)s;

-- name: sessions.close_others (caller)
-- End every session of an account but one; null: every one.
DELETE FROM sessions
 WHERE account_id = %(account_id)s AND id IS DISTINCT FROM %(session_id)s::text;

-- name: sessions.forget
-- Remove sessions that ran out, a bounded number at a time.
WITH gone AS (
    DELETE FROM sessions WHERE id IN (
        SELECT id FROM sessions WHERE expires_at < now() LIMIT %(rows_max)s)
    RETURNING 1
)
SELECT count(*) AS total FROM gone;
