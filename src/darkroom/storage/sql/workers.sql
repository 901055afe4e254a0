-- name: workers.see
-- A worker says that it lives. A new one begins at the virtual time of those that share its models.
INSERT INTO workers (id, host, models, slots, virtual_time)
SELECT %(id)s, %(host)s, %(models)s::text[], %(slots)s,
       coalesce((SELECT max(virtual_time) FROM workers WHERE models && %(models)s::text[]), 0)
ON CONFLICT (id) DO UPDATE SET seen_at = now();

-- name: workers.finish
-- A worker has ended in good order.
UPDATE workers SET ended_at = now() WHERE id = %(id)s;

-- name: workers.list
-- The workers that were seen lately, and those that ended lately, the newest first.
SELECT id, host, cardinality(models) AS models, slots, started_at, seen_at, ended_at,
       (SELECT count(*) FROM tasks WHERE status = 'PROCESSING' AND worker_id = workers.id)
           AS running
  FROM workers ORDER BY ended_at IS NOT NULL, started_at DESC LIMIT %(rows_max)s;

-- name: workers.forget
-- Remove workers that have been gone for a day, unless one is the last to know how far the virtual
-- time of its models has come.
WITH gone AS (
    DELETE FROM workers w
     WHERE seen_at < now() - interval '1 day'
       AND EXISTS (SELECT 1 FROM workers o WHERE o.models @> w.models
                      AND (o.virtual_time, o.id) > (w.virtual_time, w.id))
    RETURNING 1
)
SELECT count(*) AS total FROM gone;
