-- name: letters.insert
-- A letter to be sent.
INSERT INTO letters (id, account_id, kind, recipient, subject, text, link, link_hash, expires_at)
VALUES (%(id)s, %(account_id)s, %(kind)s, %(recipient)s, %(subject)s, %(text)s, %(link)s,
        %(link_hash)s, now() + make_interval(secs => %(seconds)s));

-- name: letters.claim
-- Lease letters that are due; the attempt's number fences what is recorded of it.
WITH due AS MATERIALIZED (
    SELECT id FROM letters WHERE status = 'PENDING' AND next_at <= now()
     ORDER BY next_at LIMIT %(rows_max)s FOR UPDATE SKIP LOCKED
)
UPDATE letters
   SET attempts = attempts + 1, next_at = now() + make_interval(secs => %(lease_seconds)s)
 WHERE id = ANY(ARRAY(SELECT id FROM due))
RETURNING id, kind, recipient, subject, text, link, attempts AS number, created_at,
          expires_at <= now() AS is_late;

-- name: letters.record
-- What came of an attempt: ended, or due again after a pause; a letter that ended keeps no link,
-- but for one that is only shown.
UPDATE letters
   SET status = %(status)s, error = %(error)s::text,
       next_at = now() + make_interval(secs => %(pause_seconds)s),
       ended_at = CASE WHEN %(status)s <> 'PENDING' THEN now() END,
       text = CASE WHEN %(status)s IN ('PENDING', 'SHOWN') THEN text END,
       link = CASE WHEN %(status)s IN ('PENDING', 'SHOWN') THEN link END,
       link_hash = CASE WHEN %(status)s IN ('PENDING', 'SHOWN') THEN link_hash END
 WHERE id = %(id)s AND attempts = %(number)s AND status = 'PENDING';

-- name: letters.list
-- Letters for the operator, the newest first, with the links that still do something.
SELECT l.id, l.kind, l.recipient, l.status, l.attempts, l.error,
       CASE WHEN k.expires_at > now() THEN l.link END AS link,
       l.created_at, l.expires_at, l.ended_at
  FROM letters l LEFT JOIN links k ON k.hash = l.link_hash
 WHERE NOT %(with_link)s::boolean OR k.expires_at > now()
 ORDER BY l.created_at DESC, l.id LIMIT %(rows_max)s;

-- name: letters.forget
-- Remove what letters say whose time is over, and old letters, a bounded number at a time.
WITH mute AS (
    UPDATE letters SET text = NULL, link = NULL, link_hash = NULL
     WHERE status <> 'PENDING' AND id IN (
           SELECT id FROM letters WHERE text IS NOT NULL AND expires_at < now()
            LIMIT %(rows_max)s)
), gone AS (
    DELETE FROM letters WHERE id IN (
        SELECT id FROM letters WHERE created_at < now() - make_interval(days => %(days)s)
           AND status <> 'PENDING' LIMIT %(rows_max)s)
    RETURNING 1
)
SELECT count(*) AS total FROM gone;
