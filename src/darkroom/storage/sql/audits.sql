-- name: audits.ask
-- Ask for an audit, unless one is asked for or under way.
INSERT INTO audits (asked_by) VALUES (%(asked_by)s)
ON CONFLICT ((true)) WHERE ended_at IS NULL DO NOTHING
RETURNING id;

-- name: audits.schedule
-- The schedule asks for an audit when the last one began so long ago, or there was none.
INSERT INTO audits (asked_by)
SELECT NULL WHERE %(hours)s::float8 > 0
   AND NOT EXISTS (SELECT 1 FROM audits
                    WHERE asked_at > now() - make_interval(secs => %(hours)s::float8 * 3600))
ON CONFLICT ((true)) WHERE ended_at IS NULL DO NOTHING;

-- name: audits.claim
-- Take the audit that is asked for, or whose daemon is gone.
UPDATE audits SET started_at = now(),
                  lease_until = now() + make_interval(secs => %(lease_seconds)s)
 WHERE ended_at IS NULL AND (lease_until IS NULL OR lease_until < now())
RETURNING id;

-- name: audits.beat
-- The daemon that runs it lives.
UPDATE audits SET lease_until = now() + make_interval(secs => %(lease_seconds)s)
 WHERE id = %(id)s AND ended_at IS NULL;

-- name: audits.give_back
-- Another daemon may begin it anew.
UPDATE audits SET started_at = NULL, lease_until = NULL WHERE id = %(id)s AND ended_at IS NULL;

-- name: audits.finish
-- An audit ended.
UPDATE audits SET ended_at = now(), lease_until = NULL, is_ok = %(is_ok)s, result = %(result)s
 WHERE id = %(id)s AND ended_at IS NULL;

-- name: audits.list
-- Audits, newest first.
SELECT id, asked_at, asked_by, started_at, ended_at, is_ok, result
  FROM audits ORDER BY id DESC LIMIT %(rows_max)s;

-- name: audits.latest
-- The last audit that ended.
SELECT id, asked_at, asked_by, started_at, ended_at, is_ok, result
  FROM audits WHERE ended_at IS NOT NULL ORDER BY id DESC LIMIT 1;

-- name: audits.forget
-- Remove audits older than the retention, but never the last that ended.
WITH gone AS (
    DELETE FROM audits
     WHERE ended_at < now() - make_interval(days => %(retention_days)s)
       AND id < (SELECT max(id) FROM audits WHERE ended_at IS NOT NULL)
    RETURNING 1
)
SELECT count(*) AS total FROM gone;
