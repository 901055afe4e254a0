-- name: tasks.submit
-- New batches, one for each submission of a group, numbered in the order asked, and their tasks.
WITH batch AS (
    INSERT INTO batches (id, account_id, api_key_id, request_id, kind, model, input, rate_id,
                         caller_id)
    SELECT nextval('batch_ids'), account_id, api_key_id, request_id, kind, model, input, rate_id,
           caller_id
      FROM ROWS FROM (json_to_recordset(%(batches)s::json)
                      AS (account_id text, api_key_id text, request_id text, kind text, model text,
                          input jsonb, rate_id bigint, caller_id bigint))
           WITH ORDINALITY
     ORDER BY ordinality
    RETURNING id, account_id, request_id, model
), task AS (
    INSERT INTO tasks (id, batch_id, account_id, position, model, seed, price_mill, deadline_at)
    SELECT asked.id, batch.id, batch.account_id, asked.position, batch.model, asked.seed,
           asked.price, now() + make_interval(secs => asked.deadline_seconds)
      FROM json_to_recordset(%(tasks)s::json)
           AS asked (id text, request_id text, position smallint, seed bigint, price bigint,
                     deadline_seconds integer)
      JOIN batch USING (request_id)
)
SELECT id, request_id FROM batch;

-- name: tasks.notify
-- Wake the workers when this transaction commits.
SELECT pg_notify('tasks', '');

-- name: tasks.get_many
-- Tasks by id, each only for the account asked with it, with their batches and files.
SELECT t.id, t.account_id, t.batch_id, b.kind, t.model, t.status, t.attempt, t.progress, t.seed,
       t.served_by, t.error_code, t.error, t.notes, t.price_mill, t.charged_mill, b.caller_id,
       t.created_at, t.started_at, t.finished_at, t.cancel_asked_at, t.deadline_at,
       coalesce((SELECT array_agg(a.file ORDER BY a.position) FROM assets a
                  WHERE a.task_id = t.id), '{}') AS files
  FROM unnest(%(account_ids)s::text[], %(task_ids)s::text[]) AS asked (account_id, task_id)
  JOIN tasks t ON t.id = asked.task_id AND t.account_id = asked.account_id
  JOIN batches b ON b.id = t.batch_id;

-- name: tasks.list (caller)
-- The tasks of one batch, in the order asked for.
SELECT t.id, t.account_id, t.batch_id, b.kind, t.model, t.status, t.attempt, t.progress, t.seed,
       t.served_by, t.error_code, t.error, t.notes, t.price_mill, t.charged_mill, b.caller_id,
       t.created_at, t.started_at, t.finished_at, t.cancel_asked_at, t.deadline_at,
       coalesce((SELECT array_agg(a.file ORDER BY a.position) FROM assets a
                  WHERE a.task_id = t.id), '{}') AS files
  FROM tasks t JOIN batches b ON b.id = t.batch_id
 WHERE t.batch_id = %(batch_id)s AND t.account_id = %(account_id)s
 ORDER BY t.position;

-- name: tasks.waiting
-- Places of waiting tasks among the first of the queue, and the seconds until they may start:
-- place × mean duration of the model's latest successes ÷ tasks running now; null when unknown.
-- Every part reads a bounded piece of an index, however long the queue and the past are: ids are
-- sorted by time, so what was done lately stands just before the first that waits.
WITH first AS MATERIALIZED (
    SELECT id, not_before FROM tasks
     WHERE status = 'PENDING' ORDER BY not_before, id LIMIT %(counted_max)s
), place AS MATERIALIZED (
    SELECT id, row_number() OVER (ORDER BY not_before, id) AS position FROM first
), past AS MATERIALIZED (
    SELECT model, status, finished_at, finished_at - started_at AS took FROM tasks
     WHERE id < (SELECT min(id) FROM first) ORDER BY id DESC LIMIT %(past_max)s
), latest AS (
    SELECT model, took, row_number() OVER (PARTITION BY model ORDER BY finished_at DESC) AS nth
      FROM past WHERE status = 'SUCCESS'
), pace AS MATERIALIZED (
    SELECT model, extract(epoch FROM avg(took)) AS seconds FROM latest
     WHERE nth <= %(learned_max)s GROUP BY model
), running AS (
    SELECT nullif(count(*), 0) AS tasks FROM tasks WHERE status = 'PROCESSING'
)
SELECT t.id, place.position,
       (place.position * pace.seconds / running.tasks)::float8 AS start_seconds
  FROM tasks t CROSS JOIN running
  LEFT JOIN place ON place.id = t.id
  LEFT JOIN pace ON pace.model = t.model
 WHERE t.id = ANY(%(ids)s::text[]) AND t.status = 'PENDING';

-- name: tasks.claim
-- Lease the longest waiting tasks of these models to a worker; the attempt fences later writes.
-- One that has not begun by its deadline is left for the sweep to end.
WITH next AS (
    SELECT id FROM tasks
     WHERE status = 'PENDING' AND not_before <= now() AND model = ANY(%(models)s::text[])
       AND (deadline_at > now() OR deadline_at IS NULL OR started_at IS NOT NULL)
     ORDER BY not_before, id LIMIT %(tasks_max)s FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE tasks SET status = 'PROCESSING', attempt = attempt + 1, worker_id = %(worker_id)s,
                     lease_until = now() + make_interval(secs => %(lease_seconds)s),
                     started_at = coalesce(started_at, now()), progress = 0
      FROM next WHERE tasks.id = next.id
    RETURNING tasks.id, tasks.attempt, tasks.strikes, tasks.account_id, tasks.batch_id, tasks.seed,
              tasks.price_mill
)
SELECT c.id, c.attempt, c.strikes, c.account_id, c.seed, c.price_mill, b.kind, b.model, b.input
  FROM claimed c JOIN batches b ON b.id = c.batch_id ORDER BY c.id;

-- name: tasks.beat
-- Renew a worker's leases and store the progress; a task that does not come back is no longer its.
-- The answer also tells a cancel, whose notice may have been lost.
UPDATE tasks SET lease_until = now() + make_interval(secs => %(lease_seconds)s),
                 progress = greatest(tasks.progress, mine.progress)
  FROM unnest(%(ids)s::text[], %(attempts)s::smallint[], %(progresses)s::real[])
       AS mine (id, attempt, progress)
 WHERE tasks.id = mine.id AND tasks.attempt = mine.attempt AND tasks.status = 'PROCESSING'
RETURNING tasks.id, tasks.cancel_asked_at IS NOT NULL AS is_canceled;

-- name: tasks.succeed
-- PROCESSING to SUCCESS, only by the attempt that holds the lease.
UPDATE tasks SET status = 'SUCCESS', lease_until = NULL, progress = 1, finished_at = now(),
                 served_by = %(served_by)s, notes = %(notes)s, charged_mill = %(charged_mill)s
 WHERE id = %(task_id)s AND attempt = %(attempt)s AND status = 'PROCESSING'
RETURNING id;

-- name: tasks.fail
-- PROCESSING to FAILED, free of charge, only by the attempt that holds the lease.
UPDATE tasks SET status = 'FAILED', lease_until = NULL, finished_at = now(),
                 served_by = %(served_by)s, error_code = %(error_code)s, error = %(error)s,
                 charged_mill = 0
 WHERE id = %(task_id)s AND attempt = %(attempt)s AND status = 'PROCESSING'
RETURNING id;

-- name: tasks.requeue
-- PROCESSING back to PENDING after a pause, only by the attempt that holds the lease; not one that
-- was canceled.
UPDATE tasks SET status = 'PENDING', lease_until = NULL, worker_id = NULL, progress = 0,
                 strikes = strikes + %(strikes)s,
                 not_before = now() + make_interval(secs => %(delay_seconds)s)
 WHERE id = %(task_id)s AND attempt = %(attempt)s AND status = 'PROCESSING'
   AND cancel_asked_at IS NULL
RETURNING id;

-- name: tasks.lost
-- Tasks whose lease ran out: their worker died, or cannot reach the database.
SELECT id, attempt, strikes, cancel_asked_at IS NOT NULL AS is_canceled FROM tasks
 WHERE status = 'PROCESSING' AND lease_until < now()
 ORDER BY lease_until LIMIT %(tasks_max)s;

-- name: tasks.requeue_lost
-- A lost task back to PENDING, unless its lease was renewed or it was canceled meanwhile.
UPDATE tasks SET status = 'PENDING', lease_until = NULL, worker_id = NULL, progress = 0,
                 strikes = strikes + 1, not_before = now()
 WHERE id = %(task_id)s AND attempt = %(attempt)s AND status = 'PROCESSING'
   AND lease_until < now() AND cancel_asked_at IS NULL
RETURNING id, status;

-- name: tasks.fail_lost
-- A lost task to FAILED, free of charge, unless its lease was renewed meanwhile.
UPDATE tasks SET status = 'FAILED', lease_until = NULL, finished_at = now(),
                 error_code = %(error_code)s, error = %(error)s, charged_mill = 0
 WHERE id = %(task_id)s AND attempt = %(attempt)s AND status = 'PROCESSING'
   AND lease_until < now()
RETURNING id, status;

-- name: tasks.cancel (caller)
-- PENDING to FAILED, free of charge; a PROCESSING task is asked to stop. One statement, so that a
-- claim or an end at the same moment comes wholly before it or wholly after it.
UPDATE tasks
   SET cancel_asked_at = coalesce(cancel_asked_at, now()),
       status = CASE status WHEN 'PENDING' THEN 'FAILED' ELSE status END,
       finished_at = CASE status WHEN 'PENDING' THEN now() END,
       charged_mill = CASE status WHEN 'PENDING' THEN 0 END,
       error_code = CASE status WHEN 'PENDING' THEN %(error_code)s::integer END,
       error = CASE status WHEN 'PENDING' THEN %(error)s::text END
 WHERE id = %(task_id)s AND account_id = %(account_id)s AND status IN ('PENDING', 'PROCESSING')
RETURNING id, status;

-- name: tasks.notify_cancel
-- Tell the worker that holds the task, when this transaction commits.
SELECT pg_notify('cancels', %(task_id)s);

-- name: tasks.expire
-- PENDING to FAILED, free of charge: of the tasks that have not begun by their deadline, the first.
WITH next AS (
    SELECT id FROM tasks
     WHERE status = 'PENDING' AND started_at IS NULL AND deadline_at <= now()
     ORDER BY deadline_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE tasks SET status = 'FAILED', finished_at = now(), error_code = %(error_code)s,
                 error = %(error)s, charged_mill = 0
  FROM next WHERE tasks.id = next.id
RETURNING tasks.id, tasks.status;
