-- name: upstream_calls.open
-- The call of a task by a backend that still goes on, or a new one; none for a lost lease. The task
-- is locked: who takes it back now sees the call.
INSERT INTO upstream_calls (id, task_id, attempt, model, backend)
SELECT %(id)s, id, attempt, model, %(backend)s FROM tasks
 WHERE id = %(task_id)s AND attempt = %(attempt)s AND status = 'PROCESSING'
   FOR SHARE
ON CONFLICT (task_id, backend) WHERE state IN ('sending', 'accepted', 'delivered')
    DO UPDATE SET attempt = excluded.attempt
RETURNING id, state, remote_id;

-- name: upstream_calls.accept
-- What the service calls it, stored at once.
UPDATE upstream_calls SET state = 'accepted', remote_id = %(remote_id)s, changed_at = now()
 WHERE id = %(id)s AND state = 'sending';

-- name: upstream_calls.close
-- How a call ended; one that has ended otherwise, or is another attempt's by now, stays as it is.
UPDATE upstream_calls SET state = %(state)s, is_billed = %(is_billed)s, error = %(error)s,
                          cost_micro = %(cost_micro)s, changed_at = now()
 WHERE task_id = %(task_id)s AND attempt = %(attempt)s
   AND state IN ('sending', 'accepted', 'delivered');

-- name: upstream_calls.abandon
-- Calls that nobody goes on with, since their task has ended otherwise: what became of them, nobody
-- knows.
UPDATE upstream_calls SET state = 'unknown', changed_at = now()
 WHERE id = ANY(ARRAY(
     SELECT c.id FROM upstream_calls c JOIN tasks t ON t.id = c.task_id
      WHERE c.state IN ('sending', 'accepted') AND c.changed_at < now() - interval '1 minute'
        AND t.finished_at < now() - interval '1 minute'
      ORDER BY c.changed_at LIMIT %(rows_max)s));

-- name: upstream_calls.of_task
-- Every call for a task, in their order.
SELECT id, task_id, attempt, model, backend, state, remote_id, is_billed, cost_micro, error,
       created_at, changed_at
  FROM upstream_calls WHERE task_id = %(task_id)s ORDER BY id;

-- name: upstream_calls.list
-- Of the newest calls before one, those that fit.
SELECT id, task_id, attempt, model, backend, state, remote_id, is_billed, cost_micro, error,
       created_at, changed_at
  FROM (SELECT * FROM upstream_calls WHERE id < coalesce(%(before)s::text, 'upd')
         ORDER BY id DESC LIMIT 5000) AS newest
 WHERE (%(backend)s::text IS NULL OR backend = %(backend)s)
   AND (%(state)s::text IS NULL OR state = %(state)s)
 ORDER BY id DESC LIMIT %(rows_max)s;

-- name: upstream_calls.doubtful
-- The calls of which nobody knows whether they cost something, the newest first.
SELECT id, task_id, attempt, model, backend, state, remote_id, is_billed, cost_micro, error,
       created_at, changed_at
  FROM upstream_calls
 WHERE is_billed IS NULL AND state IN ('failed', 'canceled', 'unknown')
   AND id < coalesce(%(before)s::text, 'upd')
   AND (%(backend)s::text IS NULL OR backend = %(backend)s)
 ORDER BY id DESC LIMIT %(rows_max)s;

-- name: upstream_calls.spent
-- What the calls of the last so many hours cost, by backend; the newest are looked at, to a bound.
SELECT backend, count(*) AS calls, count(*) FILTER (WHERE state = 'delivered') AS delivered,
       coalesce(sum(cost_micro) FILTER (WHERE is_billed), 0)::bigint AS cost_micro,
       count(*) FILTER (WHERE is_billed IS NULL AND state IN ('failed', 'canceled', 'unknown'))
           AS doubtful
  FROM (SELECT * FROM upstream_calls ORDER BY id DESC LIMIT 20000) AS newest
 WHERE created_at > now() - make_interval(hours => %(hours)s)
 GROUP BY backend ORDER BY backend;

-- name: upstream_calls.review
-- What an operator has found out at the upstream of a call that was in doubt.
UPDATE upstream_calls SET is_billed = %(is_billed)s, changed_at = now()
 WHERE id = %(id)s AND is_billed IS NULL AND state IN ('failed', 'canceled', 'unknown')
RETURNING id, task_id, attempt, model, backend, state, remote_id, is_billed, cost_micro, error,
          created_at, changed_at;
