-- name: tasks.insert
-- New waiting tasks.
INSERT INTO tasks (id, batch_id, account_id, position, model, seed, price_mill)
SELECT * FROM unnest(%(ids)s::text[], %(batch_ids)s::bigint[], %(account_ids)s::text[],
                     %(positions)s::smallint[], %(models)s::text[], %(seeds)s::bigint[],
                     %(prices)s::bigint[]);

-- name: tasks.notify
-- Wake the workers when this transaction commits.
SELECT pg_notify('tasks', '');

-- name: tasks.get (caller)
-- One task with its batch and its files.
SELECT t.id, t.batch_id, b.kind, t.model, t.status, t.attempt, t.progress, t.seed, t.served_by,
       t.error_code, t.error, t.notes, t.price_mill, t.charged_mill, b.caller_id, t.created_at,
       t.started_at, t.finished_at,
       coalesce((SELECT array_agg(a.file ORDER BY a.position) FROM assets a
                  WHERE a.task_id = t.id), '{}') AS files
  FROM tasks t JOIN batches b ON b.id = t.batch_id
 WHERE t.id = %(task_id)s AND t.account_id = %(account_id)s;

-- name: tasks.list (caller)
-- The tasks of one batch, in the order asked for.
SELECT t.id, t.batch_id, b.kind, t.model, t.status, t.attempt, t.progress, t.seed, t.served_by,
       t.error_code, t.error, t.notes, t.price_mill, t.charged_mill, b.caller_id, t.created_at,
       t.started_at, t.finished_at,
       coalesce((SELECT array_agg(a.file ORDER BY a.position) FROM assets a
                  WHERE a.task_id = t.id), '{}') AS files
  FROM tasks t JOIN batches b ON b.id = t.batch_id
 WHERE t.batch_id = %(batch_id)s AND t.account_id = %(account_id)s
 ORDER BY t.position;

-- name: tasks.claim
-- Lease the longest waiting tasks of these models to a worker; the attempt fences later writes.
WITH next AS (
    SELECT id FROM tasks
     WHERE status = 'PENDING' AND not_before <= now() AND model = ANY(%(models)s::text[])
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
UPDATE tasks SET lease_until = now() + make_interval(secs => %(lease_seconds)s),
                 progress = greatest(tasks.progress, mine.progress)
  FROM unnest(%(ids)s::text[], %(attempts)s::smallint[], %(progresses)s::real[])
       AS mine (id, attempt, progress)
 WHERE tasks.id = mine.id AND tasks.attempt = mine.attempt AND tasks.status = 'PROCESSING'
RETURNING tasks.id;

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
-- PROCESSING back to PENDING after a pause, only by the attempt that holds the lease.
UPDATE tasks SET status = 'PENDING', lease_until = NULL, worker_id = NULL, progress = 0,
                 strikes = strikes + %(strikes)s,
                 not_before = now() + make_interval(secs => %(delay_seconds)s)
 WHERE id = %(task_id)s AND attempt = %(attempt)s AND status = 'PROCESSING'
RETURNING id;

-- name: tasks.lost
-- Tasks whose lease ran out: their worker died, or cannot reach the database.
SELECT id, attempt, strikes FROM tasks
 WHERE status = 'PROCESSING' AND lease_until < now()
 ORDER BY lease_until LIMIT %(tasks_max)s;

-- name: tasks.requeue_lost
-- A lost task back to PENDING, unless its lease was renewed meanwhile.
UPDATE tasks SET status = 'PENDING', lease_until = NULL, worker_id = NULL, progress = 0,
                 strikes = strikes + 1, not_before = now()
 WHERE id = %(task_id)s AND attempt = %(attempt)s AND status = 'PROCESSING'
   AND lease_until < now()
RETURNING id;

-- name: tasks.fail_lost
-- A lost task to FAILED, free of charge, unless its lease was renewed meanwhile.
UPDATE tasks SET status = 'FAILED', lease_until = NULL, finished_at = now(),
                 error_code = %(error_code)s, error = %(error)s, charged_mill = 0
 WHERE id = %(task_id)s AND attempt = %(attempt)s AND status = 'PROCESSING'
   AND lease_until < now()
RETURNING id;
