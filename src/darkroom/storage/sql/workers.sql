-- name: workers.see
-- A worker says that it lives. A new one begins at the virtual time of those that share its models.
INSERT INTO workers (id, host, models, slots, loaded, virtual_time)
SELECT %(id)s, %(host)s, %(models)s::text[], %(slots)s, %(loaded)s::text[],
       coalesce((SELECT max(virtual_time) FROM workers WHERE models && %(models)s::text[]), 0)
ON CONFLICT (id) DO UPDATE SET seen_at = now(), models = excluded.models, loaded = excluded.loaded;

-- name: workers.finish
-- A worker has ended in good order.
UPDATE workers SET ended_at = now() WHERE id = %(id)s;

-- name: workers.list
-- The workers, those that live before those that ended and those that were lost, newest first.
WITH running AS (
    SELECT worker_id, count(*) AS tasks FROM tasks WHERE status = 'PROCESSING' GROUP BY worker_id
)
SELECT id, host, models, slots, started_at, seen_at, loaded,
       CASE WHEN ended_at IS NOT NULL THEN 'ended'
            WHEN seen_at > now() - make_interval(secs => %(alive_seconds)s) THEN 'alive'
            ELSE 'lost' END AS state,
       coalesce(running.tasks, 0) AS running
  FROM workers LEFT JOIN running ON running.worker_id = workers.id
 ORDER BY state, started_at DESC LIMIT %(rows_max)s;

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
