-- name: lanes.lock_many
-- What a submit must know of these accounts, locked in one order so that groups never deadlock; and
-- how many tasks are parked in all lanes together. The lock leaves room for references: whoever
-- inserts an output names the account before he settles, and would meet a stronger one crosswise.
SELECT a.id AS account_id, a.available_mill, l.admitted, l.parked, a.running_max, a.waiting_max,
       (SELECT coalesce(sum(parked), 0)::bigint FROM lanes WHERE parked > 0) AS parked_in_all
  FROM accounts a JOIN lanes l ON l.account_id = a.id
 WHERE a.id = ANY(%(account_ids)s::text[]) ORDER BY a.id
   FOR NO KEY UPDATE OF a, l;

-- name: lanes.leave
-- Take a task that has ended out of its lane; work that never began is given back to the lane.
UPDATE lanes l
   SET admitted = l.admitted - (t.start_tag IS NOT NULL)::int,
       parked = l.parked - (t.start_tag IS NULL)::int,
       finish_tag = CASE WHEN t.start_tag IS NOT NULL AND t.attempt = 0
                         THEN l.finish_tag - t.work_seconds / a.weight ELSE l.finish_tag END
  FROM tasks t JOIN accounts a ON a.id = t.account_id
 WHERE t.id = %(task_id)s AND l.account_id = t.account_id;

-- name: lanes.admit
-- Admit what is parked in a lane as far as it has room, the highest priority before the others; its
-- account is locked. A task that another transaction is just ending is passed over, so that nobody
-- waits for a task's row while he has the account's.
WITH lane AS MATERIALIZED (
    SELECT l.account_id, l.parked, a.weight, a.running_max - l.admitted AS room,
           greatest(0, l.finish_tag - coalesce((SELECT max(virtual_time) FROM workers
                                                 WHERE l.model = ANY(models)), 0)) AS lead
      FROM lanes l JOIN accounts a ON a.id = l.account_id WHERE l.account_id = %(account_id)s
), waiting AS MATERIALIZED (
    SELECT id, model, work_seconds FROM tasks
     WHERE account_id = %(account_id)s AND status = 'PENDING' AND start_tag IS NULL
     ORDER BY priority DESC, batch_id, position
     LIMIT (SELECT CASE WHEN parked > 0 THEN greatest(room, 0) ELSE 0 END FROM lane)
       FOR UPDATE SKIP LOCKED
), numbered AS (
    SELECT id, model, work_seconds, row_number() OVER () AS nth,
           sum(work_seconds) OVER (ROWS UNBOUNDED PRECEDING) AS work_upto FROM waiting
), placed AS MATERIALIZED (
    SELECT n.id, n.model, n.nth, n.work_seconds / lane.weight AS share,
           coalesce((SELECT max(virtual_time) FROM workers WHERE n.model = ANY(models)), 0)
               + lane.lead + (n.work_upto - n.work_seconds) / lane.weight AS start_tag
      FROM numbered n CROSS JOIN lane
), admitted AS (
    UPDATE tasks SET start_tag = placed.start_tag FROM placed
     WHERE tasks.id = ANY(ARRAY(SELECT id FROM placed)) AND tasks.id = placed.id
    RETURNING pg_notify('tasks', '')
), last AS (
    SELECT model, start_tag + share AS finish_tag FROM placed ORDER BY nth DESC LIMIT 1
)
UPDATE lanes SET admitted = admitted + (SELECT count(*)::int FROM admitted),
                 parked = parked - (SELECT count(*)::int FROM admitted),
                 finish_tag = last.finish_tag, model = last.model
  FROM last WHERE account_id = %(account_id)s;

-- name: lanes.short
-- Lanes that have both room and tasks parked: their cap was raised, or the transaction for which a
-- task was passed over did not end it after all.
SELECT l.account_id FROM lanes l JOIN accounts a ON a.id = l.account_id
 WHERE l.parked > 0 AND l.admitted < a.running_max LIMIT %(lanes_max)s;

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
