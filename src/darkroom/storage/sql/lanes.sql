-- name: lanes.lock_many
-- What a submit must know of these accounts, locked in one order so that groups never deadlock; and
-- how many tasks are parked in all lanes together.
SELECT a.id AS account_id, a.available_mill, l.admitted, l.parked, a.running_max, a.waiting_max,
       (SELECT coalesce(sum(parked), 0)::bigint FROM lanes WHERE parked > 0) AS parked_in_all
  FROM accounts a JOIN lanes l ON l.account_id = a.id
 WHERE a.id = ANY(%(account_ids)s::text[]) ORDER BY a.id FOR UPDATE OF a, l;

-- name: lanes.release
-- A task has ended: take it out of its lane, and admit what of its account waits first, the highest
-- priority before the others. Its account is locked, by the refund or settle of the same
-- transaction. Work that never began is given back to the lane. What another transaction is just
-- ending is passed over, so that nobody waits for a task's row while he has the account's.
WITH ended AS MATERIALIZED (
    SELECT account_id, start_tag IS NOT NULL AS was_admitted,
           CASE WHEN start_tag IS NOT NULL AND attempt = 0 THEN work_seconds ELSE 0 END AS undone
      FROM tasks WHERE id = %(task_id)s
), lane AS MATERIALIZED (
    SELECT l.account_id, l.parked, a.weight, e.was_admitted,
           a.running_max - l.admitted + e.was_admitted::int AS room,
           greatest(0, l.finish_tag - e.undone / a.weight
                       - coalesce((SELECT max(virtual_time) FROM workers
                                    WHERE l.model = ANY(models)), 0)) AS lead
      FROM ended e JOIN lanes l USING (account_id) JOIN accounts a ON a.id = l.account_id
), waiting AS MATERIALIZED (
    SELECT id, model, work_seconds FROM tasks
     WHERE account_id = (SELECT account_id FROM lane) AND status = 'PENDING'
       AND start_tag IS NULL AND id <> %(task_id)s
     ORDER BY priority DESC, batch_id, position
     LIMIT (SELECT CASE WHEN parked > 0 THEN greatest(room, 0) ELSE 0 END FROM lane)
       FOR UPDATE SKIP LOCKED
), numbered AS (
    SELECT id, model, work_seconds, row_number() OVER (),
           sum(work_seconds) OVER (ROWS UNBOUNDED PRECEDING) AS work_upto FROM waiting
), placed AS MATERIALIZED (
    SELECT n.id, n.model, n.row_number,
           coalesce((SELECT max(virtual_time) FROM workers WHERE n.model = ANY(models)), 0)
               + lane.lead + (n.work_upto - n.work_seconds) / lane.weight AS start_tag,
           n.work_seconds / lane.weight AS share
      FROM numbered n CROSS JOIN lane
), admitted AS (
    UPDATE tasks SET start_tag = placed.start_tag FROM placed
     WHERE tasks.id = ANY(ARRAY(SELECT id FROM placed)) AND tasks.id = placed.id
    RETURNING pg_notify('tasks', '')
), last AS (
    SELECT model, start_tag + share AS finish_tag FROM placed ORDER BY row_number DESC LIMIT 1
)
UPDATE lanes l
   SET admitted = l.admitted - lane.was_admitted::int + (SELECT count(*)::int FROM admitted),
       parked = l.parked - (NOT lane.was_admitted)::int - (SELECT count(*)::int FROM placed),
       finish_tag = coalesce((SELECT finish_tag FROM last), l.finish_tag - e.undone / lane.weight),
       model = coalesce((SELECT model FROM last), l.model)
  FROM lane JOIN ended e USING (account_id)
 WHERE l.account_id = lane.account_id;

-- name: lanes.deal
-- Deal the places that an account has in the queue anew: to its waiting tasks of the highest
-- priority, in their order; who gets none is parked. What is being claimed or ended keeps its own.
WITH queued AS MATERIALIZED (
    SELECT id, priority, batch_id, position, start_tag FROM tasks
     WHERE account_id = %(account_id)s AND status = 'PENDING' AND start_tag IS NOT NULL
       FOR UPDATE SKIP LOCKED
), parked AS MATERIALIZED (
    SELECT id, priority, batch_id, position, NULL::float8 AS start_tag FROM tasks
     WHERE account_id = %(account_id)s AND status = 'PENDING' AND start_tag IS NULL
     ORDER BY priority DESC, batch_id, position
     LIMIT (SELECT count(*) FROM queued) FOR UPDATE SKIP LOCKED
), place AS (
    SELECT start_tag, row_number() OVER (ORDER BY start_tag, id) AS nth FROM queued
), ranked AS (
    SELECT id, start_tag,
           row_number() OVER (ORDER BY priority DESC, batch_id, position) AS nth
      FROM (SELECT * FROM queued UNION ALL SELECT * FROM parked) AS every
)
UPDATE tasks SET start_tag = place.start_tag
  FROM ranked LEFT JOIN place USING (nth)
 WHERE tasks.id = ANY(ARRAY(SELECT id FROM ranked)) AND tasks.id = ranked.id
   AND ranked.start_tag IS DISTINCT FROM place.start_tag;

-- name: lanes.audit
-- Lanes whose counts are not those of their account's tasks.
SELECT l.account_id AS subject,
       format('admitted %%s, tasks say %%s; parked %%s, tasks say %%s', l.admitted,
              coalesce(t.admitted, 0), l.parked, coalesce(t.parked, 0)) AS detail
  FROM lanes l
  LEFT JOIN (SELECT account_id, count(start_tag) AS admitted,
                    count(*) FILTER (WHERE start_tag IS NULL) AS parked
               FROM tasks WHERE status IN ('PENDING', 'PROCESSING') GROUP BY account_id) t
    ON t.account_id = l.account_id
 WHERE l.admitted <> coalesce(t.admitted, 0) OR l.parked <> coalesce(t.parked, 0);
