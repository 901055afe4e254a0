-- name: queues.overview
-- The whole queue in a few numbers; queued tasks are counted up to a bound, by their index alone,
-- and the oldest is looked for among the first.
WITH queued AS MATERIALIZED (
    SELECT id FROM tasks WHERE status = 'PENDING' AND start_tag IS NOT NULL
     ORDER BY start_tag, id LIMIT 2000
), first AS MATERIALIZED (
    SELECT created_at FROM tasks WHERE status = 'PENDING' AND start_tag IS NOT NULL
     ORDER BY start_tag, id LIMIT 100
), lane AS (
    SELECT coalesce(sum(parked), 0)::bigint AS parked FROM lanes WHERE parked > 0
), alive AS (
    SELECT count(*) AS workers, coalesce(sum(slots), 0)::bigint AS slots FROM workers
     WHERE ended_at IS NULL AND seen_at > now() - make_interval(secs => %(alive_seconds)s)
)
SELECT (SELECT count(*) FROM queued) AS queued, lane.parked,
       (SELECT count(*) FROM tasks WHERE status = 'PROCESSING') AS running,
       (SELECT min(created_at) FROM first) AS oldest_at, alive.workers, alive.slots
  FROM lane CROSS JOIN alive;

-- name: queues.models
-- What waits and runs by model: the first of the queue, and the next of each lane, up to a bound.
WITH queued AS MATERIALIZED (
    SELECT model, created_at, work_seconds FROM tasks
     WHERE status = 'PENDING' AND start_tag IS NOT NULL ORDER BY start_tag, id LIMIT 2000
), parked AS MATERIALIZED (
    SELECT next.* FROM (SELECT account_id FROM lanes WHERE parked > 0
                         ORDER BY account_id LIMIT 300) AS lane
     CROSS JOIN LATERAL (
         SELECT model, created_at, work_seconds FROM tasks
          WHERE account_id = lane.account_id AND status = 'PENDING' AND start_tag IS NULL
          ORDER BY priority DESC, batch_id, position LIMIT 300) AS next
     LIMIT 2000
), bound AS (
    SELECT (SELECT count(*) FROM queued) = 2000
           OR (SELECT count(*) FROM parked) < (SELECT coalesce(sum(parked), 0) FROM lanes
                                                WHERE parked > 0) AS is_minimum
), waiting AS (
    SELECT model, created_at, work_seconds, true AS is_queued FROM queued
    UNION ALL SELECT model, created_at, work_seconds, false FROM parked
), waited AS (
    SELECT model, count(*) FILTER (WHERE is_queued) AS queued,
           count(*) FILTER (WHERE NOT is_queued) AS parked, min(created_at) AS oldest_at,
           sum(work_seconds) AS work
      FROM waiting GROUP BY model
), running AS (
    SELECT model, count(*) AS tasks, sum(work_seconds * (1 - progress)) AS work
      FROM tasks WHERE status = 'PROCESSING' GROUP BY model
), served AS (
    SELECT m.model, sum(w.slots) AS slots
      FROM workers w CROSS JOIN LATERAL unnest(w.models) AS m (model)
     WHERE w.ended_at IS NULL AND w.seen_at > now() - make_interval(secs => %(alive_seconds)s)
     GROUP BY m.model
)
SELECT model, coalesce(waited.queued, 0) AS queued, coalesce(waited.parked, 0) AS parked,
       coalesce(running.tasks, 0) AS running, waited.oldest_at,
       coalesce(served.slots, 0) AS slots,
       ((coalesce(waited.work, 0) + coalesce(running.work, 0)) / served.slots)::float8
           AS wait_seconds,
       bound.is_minimum AND waited.model IS NOT NULL AS is_minimum
  FROM waited FULL JOIN running USING (model) LEFT JOIN served USING (model) CROSS JOIN bound
 ORDER BY coalesce(waited.queued, 0) + coalesce(waited.parked, 0) DESC, model;

-- name: queues.accounts
-- The accounts of which the most waits and runs, as their lanes count.
WITH queued AS MATERIALIZED (
    SELECT account_id, created_at FROM tasks
     WHERE status = 'PENDING' AND start_tag IS NOT NULL ORDER BY start_tag, id LIMIT 2000
), running AS MATERIALIZED (
    SELECT account_id, count(*) AS tasks FROM tasks WHERE status = 'PROCESSING' GROUP BY account_id
), parked AS MATERIALIZED (
    SELECT account_id FROM lanes WHERE parked > 0 ORDER BY parked DESC LIMIT %(rows_max)s
), oldest AS (
    SELECT account_id, min(created_at) AS at FROM queued GROUP BY account_id
), seen AS (
    SELECT account_id FROM oldest UNION SELECT account_id FROM running
    UNION SELECT account_id FROM parked
)
SELECT l.account_id, a.email, greatest(0, l.admitted - coalesce(running.tasks, 0)) AS queued,
       l.parked, coalesce(running.tasks, 0) AS running, a.running_max,
       least(oldest.at, (SELECT created_at FROM tasks
                          WHERE account_id = l.account_id AND status = 'PENDING'
                            AND start_tag IS NULL
                          ORDER BY priority DESC, batch_id, position LIMIT 1)) AS oldest_at
  FROM (SELECT lanes.* FROM seen JOIN lanes USING (account_id)
         ORDER BY admitted + parked DESC, account_id LIMIT %(rows_max)s) AS l
  JOIN accounts a ON a.id = l.account_id
  LEFT JOIN running USING (account_id) LEFT JOIN oldest USING (account_id)
 ORDER BY l.admitted + l.parked DESC, l.account_id;

-- name: queues.failures
-- The failures of the last hour by code, up to a bound, with the last of each.
WITH failed AS MATERIALIZED (
    SELECT error_code, error, finished_at FROM tasks
     WHERE status = 'FAILED' AND finished_at > now() - interval '1 hour'
     ORDER BY finished_at DESC, id DESC LIMIT 2000
)
SELECT error_code AS code, count(*) AS tasks, max(finished_at) AS finished_at,
       coalesce((array_agg(error ORDER BY finished_at DESC))[1], '') AS error
  FROM failed WHERE error_code IS NOT NULL GROUP BY error_code ORDER BY count(*) DESC, error_code;
