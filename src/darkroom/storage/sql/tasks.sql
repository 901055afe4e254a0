-- name: tasks.numbers
-- Numbers for so many new batches, rising; those of submissions that are refused stay unused.
SELECT nextval('batch_ids') AS id FROM generate_series(1, %(batches)s::int);

-- name: tasks.submit
-- New batches, one for each submission of a group, and their tasks.
-- A task that its account's lane has room for gets its start tag (start-time fair queueing, Goyal
-- et al. 1996): the virtual time of the workers of its model, or where the account's work before it
-- ends, whichever is later. The others are parked. The work is estimated from the pace of the
-- nearest size that is known; half an octave of size is one step.
-- An array names the lanes: for a JSON text of any length the planner would read them all.
WITH batch AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(batches)s::json)
        AS (id bigint, account_id text, api_key_id text, request_id text, kind text, model text,
            input jsonb, rate_id bigint, caller_id bigint, webhook_url text, webhook_events text[],
            base_url text, continues text)
), made AS (
    INSERT INTO batches (id, account_id, api_key_id, request_id, kind, model, input, rate_id,
                         caller_id, webhook_url, webhook_events, base_url, continues)
    SELECT id, account_id, api_key_id, request_id, kind, model, input, rate_id, caller_id,
           webhook_url, webhook_events, base_url, continues FROM batch
), asked AS MATERIALIZED (
    SELECT asked.*, batch.account_id, batch.model,
           coalesce(pace.seconds, %(unknown_seconds)s) AS work_seconds
      FROM ROWS FROM (json_to_recordset(%(tasks)s::json)
                      AS (id text, batch_id bigint, position smallint, seed bigint, price bigint,
                          deadline_seconds integer, priority smallint, size smallint))
           WITH ORDINALITY AS asked (id, batch_id, position, seed, price, deadline_seconds,
                                     priority, size, place)
      JOIN batch ON batch.id = asked.batch_id LEFT JOIN LATERAL (
          SELECT seconds * 2 ^ ((asked.size - paces.size) / 2.0) AS seconds FROM paces
           WHERE model = batch.model AND kind = batch.kind
           ORDER BY abs(paces.size - asked.size) LIMIT 1) AS pace ON true
), own AS MATERIALIZED (
    SELECT l.account_id, l.model, l.admitted, l.parked, l.finish_tag, a.weight, a.running_max
      FROM lanes l JOIN accounts a ON a.id = l.account_id
     WHERE l.account_id = ANY(ARRAY(SELECT DISTINCT account_id FROM batch))
       AND a.id = ANY(ARRAY(SELECT DISTINCT account_id FROM batch))
), present AS MATERIALIZED (
    SELECT model, coalesce(max(w.virtual_time), 0) AS virtual_time
      FROM (SELECT model FROM asked UNION SELECT model FROM own) m
      LEFT JOIN workers w ON m.model = ANY(w.models) GROUP BY model
), lane AS MATERIALIZED (
    SELECT account_id, weight, CASE WHEN parked = 0 THEN running_max - admitted ELSE 0 END AS room,
           greatest(0, finish_tag - coalesce(present.virtual_time, 0)) AS lead
      FROM own LEFT JOIN present USING (model)
), numbered AS (
    SELECT asked.*, row_number() OVER own AS nth, sum(work_seconds) OVER own AS work_upto
      FROM asked WINDOW own AS (PARTITION BY account_id ORDER BY place)
), placed AS MATERIALIZED (
    SELECT n.*, n.work_seconds / lane.weight AS share,
           CASE WHEN n.nth <= lane.room
                THEN present.virtual_time + lane.lead + (n.work_upto - n.work_seconds) / lane.weight
                END AS start_tag
      FROM numbered n JOIN lane USING (account_id) JOIN present USING (model)
), task AS (
    INSERT INTO tasks (id, batch_id, account_id, position, model, seed, price_mill, deadline_at,
                       priority, size, work_seconds, start_tag)
    SELECT id, batch_id, account_id, position, model, seed, price,
           now() + make_interval(secs => deadline_seconds), priority, size, work_seconds, start_tag
      FROM placed
), last AS (
    SELECT DISTINCT ON (account_id) account_id, model, start_tag + share AS finish_tag
      FROM placed WHERE start_tag IS NOT NULL ORDER BY account_id, place DESC
), counted AS (
    SELECT account_id, count(start_tag)::int AS admitted, count(*)::int AS every
      FROM placed GROUP BY account_id
)
UPDATE lanes l SET admitted = l.admitted + counted.admitted,
                   parked = l.parked + counted.every - counted.admitted,
                   finish_tag = coalesce(last.finish_tag, l.finish_tag),
                   model = coalesce(last.model, l.model)
  FROM counted LEFT JOIN last USING (account_id)
 WHERE l.account_id = ANY(ARRAY(SELECT account_id FROM own)) AND l.account_id = counted.account_id;

-- name: tasks.notify
-- Wake the workers when this transaction commits.
SELECT pg_notify('tasks', '');

-- name: tasks.get_many
-- Tasks by id, each only for the account asked with it, with their batches and files.
SELECT t.id, t.account_id, t.batch_id, b.kind, t.model, t.status, t.attempt, t.progress, t.seed,
       t.served_by, t.error_code, t.error, t.notes, t.price_mill, t.charged_mill, b.caller_id,
       t.created_at, t.started_at, t.finished_at, t.cancel_asked_at, t.deadline_at,
       t.deleted_at, b.continues,
       CASE WHEN t.status = 'PROCESSING'
            THEN (SELECT made_at FROM previews p WHERE p.task_id = t.id) END AS preview_at,
       coalesce((SELECT array_agg(a.file ORDER BY a.position) FROM assets a
                  WHERE a.task_id = t.id AND a.deleted_at IS NULL), '{}') AS files
  FROM unnest(%(account_ids)s::text[], %(task_ids)s::text[]) AS asked (account_id, task_id)
  JOIN tasks t ON t.id = asked.task_id AND t.account_id = asked.account_id
  JOIN batches b ON b.id = t.batch_id;

-- name: tasks.list (caller)
-- The tasks of one batch, in the order asked for.
SELECT t.id, t.account_id, t.batch_id, b.kind, t.model, t.status, t.attempt, t.progress, t.seed,
       t.served_by, t.error_code, t.error, t.notes, t.price_mill, t.charged_mill, b.caller_id,
       t.created_at, t.started_at, t.finished_at, t.cancel_asked_at, t.deadline_at,
       t.deleted_at, b.continues,
       CASE WHEN t.status = 'PROCESSING'
            THEN (SELECT made_at FROM previews p WHERE p.task_id = t.id) END AS preview_at,
       coalesce((SELECT array_agg(a.file ORDER BY a.position) FROM assets a
                  WHERE a.task_id = t.id AND a.deleted_at IS NULL), '{}') AS files
  FROM tasks t JOIN batches b ON b.id = t.batch_id
 WHERE t.batch_id = %(batch_id)s AND t.account_id = %(account_id)s
 ORDER BY t.position;

-- name: tasks.continuation (caller)
-- The last task that goes on with one of the account's.
SELECT t.id FROM batches b JOIN tasks t ON t.batch_id = b.id
 WHERE b.continues = %(task_id)s AND b.account_id = %(account_id)s
 ORDER BY b.id DESC LIMIT 1;

-- name: tasks.waiting
-- Places of waiting tasks among the first of the queue, and an estimate of the seconds until they
-- start: the work before them, shared by the slots of the living workers of their model; null when
-- its pace is not known or nobody serves it. A parked task comes after all that is queued and what
-- of its account is parked before it, at the least. Every part reads a bounded piece of an index.
WITH asked AS MATERIALIZED (
    SELECT id, account_id, model, start_tag FROM tasks
     WHERE id = ANY(%(ids)s::text[]) AND status = 'PENDING'
), first AS MATERIALIZED (
    SELECT id, work_seconds, start_tag FROM tasks
     WHERE status = 'PENDING' AND start_tag IS NOT NULL
     ORDER BY start_tag, id LIMIT %(counted_max)s
), queued AS (
    SELECT id, row_number() OVER own AS position, sum(work_seconds) OVER own AS work_upto
      FROM first WINDOW own AS (ORDER BY start_tag, id)
), every AS MATERIALIZED (
    SELECT count(*) AS tasks, coalesce(sum(work_seconds), 0) AS work FROM first
), parked AS (
    SELECT own.id, every.tasks + own.nth AS position, every.work + own.work_upto AS work_upto
      FROM (SELECT DISTINCT account_id FROM asked WHERE start_tag IS NULL) AS lane
     CROSS JOIN every
     CROSS JOIN LATERAL (
         SELECT id, row_number() OVER mine AS nth, sum(work_seconds) OVER mine AS work_upto
           FROM (SELECT id, priority, batch_id, position, work_seconds FROM tasks
                  WHERE account_id = lane.account_id AND status = 'PENDING'
                    AND start_tag IS NULL
                  ORDER BY priority DESC, batch_id, position LIMIT %(counted_max)s) AS next
         WINDOW mine AS (ORDER BY priority DESC, batch_id, position)) AS own
), place AS (
    SELECT id, position, work_upto, false AS is_minimum FROM queued
    UNION ALL SELECT id, position, work_upto, true FROM parked
), running AS (
    SELECT coalesce(sum(work_seconds * (1 - progress)), 0) AS work
      FROM tasks WHERE status = 'PROCESSING'
), served AS (
    SELECT model, sum(w.slots) AS slots
      FROM (SELECT DISTINCT model FROM asked) AS m JOIN workers w ON m.model = ANY(w.models)
     WHERE w.ended_at IS NULL AND w.seen_at > now() - make_interval(secs => %(alive_seconds)s)
       AND EXISTS (SELECT 1 FROM paces WHERE paces.model = m.model)
     GROUP BY model
)
SELECT a.id, least(coalesce(place.position, %(counted_max)s), %(counted_max)s) AS position,
       coalesce(place.is_minimum, true) OR place.position > %(counted_max)s AS is_minimum,
       ((place.work_upto - t.work_seconds + running.work) / served.slots)::float8 AS start_seconds
  FROM asked a JOIN tasks t USING (id) CROSS JOIN running
  LEFT JOIN place USING (id) LEFT JOIN served ON served.model = a.model;

-- name: tasks.claim
-- Lease the tasks of these models that come first in the queue to a worker, those of the models
-- that it has loaded before the others of the first few; the attempt fences later writes.
-- `overtook` tells whether one that comes before it was left behind. One that has not begun by its
-- deadline is left for the sweep to end, one that this worker gave back to the others for a while.
-- Ids go on as arrays: a LIMIT by parameter is planned as a tenth of the table, and a join with so
-- much as a scan of all of it.
WITH first AS MATERIALIZED (
    SELECT id, start_tag FROM tasks
     WHERE status = 'PENDING' AND start_tag IS NOT NULL AND not_before <= now()
       AND model = ANY(%(models)s::text[])
       AND (deadline_at > now() OR deadline_at IS NULL OR started_at IS NOT NULL)
       AND (avoid_worker IS DISTINCT FROM %(worker_id)s
            OR not_before < now() - make_interval(secs => %(avoid_seconds)s))
     ORDER BY start_tag, id LIMIT %(first_max)s
), next AS MATERIALIZED (
    SELECT id FROM tasks
     WHERE id = ANY(ARRAY(SELECT id FROM first)) AND status = 'PENDING' AND start_tag IS NOT NULL
     ORDER BY model = ANY(%(loaded)s::text[]) DESC, start_tag, id
     LIMIT %(tasks_max)s FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE tasks SET status = 'PROCESSING', attempt = attempt + 1, worker_id = %(worker_id)s,
                     lease_until = now() + make_interval(secs => %(lease_seconds)s),
                     started_at = coalesce(started_at, now()), progress = 0, avoid_worker = NULL
     WHERE id = ANY(ARRAY(SELECT id FROM next))
    RETURNING id, attempt, strikes, crashes, account_id, batch_id, seed, price_mill, size,
              passed_over, start_tag
), told AS (
    UPDATE workers SET virtual_time = greatest(virtual_time, (SELECT max(start_tag) FROM claimed)),
                       seen_at = now()
     WHERE id = %(worker_id)s AND EXISTS (SELECT 1 FROM claimed)
)
SELECT c.id, c.attempt, c.strikes, c.crashes, c.account_id, c.seed, c.price_mill, c.size, b.kind,
       b.model, b.input, coalesce(c.passed_over, '{}') AS passed_over,
       CASE WHEN c.attempt > 1 THEN
           (SELECT backend FROM upstream_calls u
             WHERE u.task_id = c.id AND u.state IN ('sending', 'accepted', 'delivered')
             ORDER BY u.id LIMIT 1) END AS goes_on_with,
       EXISTS (SELECT 1 FROM first WHERE (first.start_tag, first.id) < (c.start_tag, c.id)
                 AND first.id NOT IN (SELECT id FROM claimed)) AS overtook,
       coalesce(b.webhook_events && '{started,progress}', false)
           OR EXISTS (SELECT 1 FROM webhook_endpoints e
                       WHERE e.account_id = c.account_id AND e.disabled_at IS NULL
                         AND (e.listens_until > now() OR e.listens_until IS NULL)
                         AND e.events && '{started,progress}') AS is_followed,
       (SELECT has_provenance FROM accounts WHERE id = c.account_id) AS has_provenance
  FROM claimed c JOIN batches b ON b.id = c.batch_id ORDER BY c.start_tag, c.id;

-- name: tasks.claim_alike
-- Lease to a worker, beside a task that it has just claimed, more that may run in one call with
-- it: of its model and kind, with an input that differs in what is each task's own and in which
-- files it names, never how many, and that nobody has tried before. They are looked for among the
-- first of the queue, in its order.
-- The virtual time stays where the task that leads took it, so that nobody who comes now is put
-- behind what went ahead.
WITH lead AS MATERIALIZED (
    SELECT t.model, b.kind, (b.input->'fields') - %(own)s::text[] AS fields,
           (SELECT jsonb_object_agg(key, jsonb_array_length(value))
              FROM jsonb_each(b.input->'files')) AS files
      FROM tasks t JOIN batches b ON b.id = t.batch_id WHERE t.id = %(task_id)s
), first AS MATERIALIZED (
    SELECT id, batch_id, model, attempt, not_before, deadline_at, start_tag FROM tasks
     WHERE status = 'PENDING' AND start_tag IS NOT NULL
     ORDER BY start_tag, id LIMIT %(first_max)s
), alike AS MATERIALIZED (
    SELECT id FROM batches
     WHERE id = ANY(ARRAY(SELECT batch_id FROM first WHERE model = (SELECT model FROM lead)))
       AND kind = (SELECT kind FROM lead)
       AND (input->'fields') - %(own)s::text[] = (SELECT fields FROM lead)
       AND (SELECT jsonb_object_agg(key, jsonb_array_length(value)) FROM jsonb_each(input->'files'))
           IS NOT DISTINCT FROM (SELECT files FROM lead)
), wanted AS MATERIALIZED (
    SELECT id FROM first
     WHERE batch_id IN (SELECT id FROM alike) AND attempt = 0 AND not_before <= now()
       AND (deadline_at > now() OR deadline_at IS NULL)
     ORDER BY start_tag, id LIMIT %(tasks_max)s
), next AS MATERIALIZED (
    SELECT id FROM tasks
     WHERE id = ANY(ARRAY(SELECT id FROM wanted)) AND status = 'PENDING' AND attempt = 0
       AND start_tag IS NOT NULL
       FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE tasks SET status = 'PROCESSING', attempt = attempt + 1, worker_id = %(worker_id)s,
                     lease_until = now() + make_interval(secs => %(lease_seconds)s),
                     started_at = now(), progress = 0, avoid_worker = NULL
     WHERE id = ANY(ARRAY(SELECT id FROM next))
    RETURNING id, attempt, strikes, crashes, account_id, batch_id, seed, price_mill, size, start_tag
)
SELECT c.id, c.attempt, c.strikes, c.crashes, c.account_id, c.seed, c.price_mill, c.size, b.kind,
       b.model, b.input,
       coalesce(b.webhook_events && '{started,progress}', false)
           OR EXISTS (SELECT 1 FROM webhook_endpoints e
                       WHERE e.account_id = c.account_id AND e.disabled_at IS NULL
                         AND (e.listens_until > now() OR e.listens_until IS NULL)
                         AND e.events && '{started,progress}') AS is_followed,
       (SELECT has_provenance FROM accounts WHERE id = c.account_id) AS has_provenance
  FROM claimed c JOIN batches b ON b.id = c.batch_id ORDER BY c.start_tag, c.id;

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
-- was canceled. The worker that gives it back is the last that should take it again, unless it is
-- to ask another backend.
UPDATE tasks SET status = 'PENDING', lease_until = NULL, worker_id = NULL, progress = 0,
                 avoid_worker = CASE WHEN %(passed_over)s::text IS NULL THEN worker_id END,
                 passed_over = CASE WHEN %(passed_over)s::text IS NOT NULL
                                    THEN array_append(passed_over, %(passed_over)s) END,
                 strikes = strikes + %(strikes)s, crashes = crashes + %(crashes)s,
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
                 avoid_worker = worker_id, strikes = strikes + 1, not_before = now()
 WHERE id = %(task_id)s AND attempt = %(attempt)s AND status = 'PROCESSING'
   AND lease_until < now() AND cancel_asked_at IS NULL
RETURNING id, account_id, status;

-- name: tasks.fail_lost
-- A lost task to FAILED, free of charge, unless its lease was renewed meanwhile.
UPDATE tasks SET status = 'FAILED', lease_until = NULL, finished_at = now(),
                 error_code = %(error_code)s, error = %(error)s, charged_mill = 0
 WHERE id = %(task_id)s AND attempt = %(attempt)s AND status = 'PROCESSING'
   AND lease_until < now()
RETURNING id, account_id, status;

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
RETURNING id, account_id, status;

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
RETURNING tasks.id, tasks.account_id, tasks.status;

-- name: tasks.batch (caller)
-- What one batch was asked to make.
SELECT id, kind, model, input, webhook_url, created_at
  FROM batches WHERE id = %(batch_id)s AND account_id = %(account_id)s;

-- name: tasks.delete_in_turn (caller)
-- Let deletions of one request's tasks wait for each other: the last one then sees that it is.
SELECT b.id FROM batches b JOIN tasks t ON t.batch_id = b.id
 WHERE t.id = %(task_id)s AND t.account_id = %(account_id)s FOR NO KEY UPDATE OF b;

-- name: tasks.delete (caller)
-- Mark a task that has ended, what has gone on with it, and the files that they made as deleted,
-- and forget what their backends told, but how they were made, which a copy is asked for; answers
-- these files.
WITH following AS (
    SELECT f.id, f.status FROM tasks f JOIN batches b ON b.id = f.batch_id
     WHERE b.continues = %(task_id)s
), gone AS (
    UPDATE tasks SET deleted_at = now(), notes = jsonb_strip_nulls(
           jsonb_build_object('digital_source_type', notes -> 'digital_source_type'))
     WHERE id IN (SELECT %(task_id)s::text UNION ALL SELECT id FROM following)
       AND account_id = %(account_id)s AND deleted_at IS NULL
       AND status IN ('SUCCESS', 'FAILED')
       AND NOT EXISTS (SELECT 1 FROM following WHERE status NOT IN ('SUCCESS', 'FAILED'))
    RETURNING id
)
UPDATE assets SET deleted_at = now() FROM gone WHERE assets.task_id = gone.id
RETURNING assets.file;

-- name: tasks.forget (caller)
-- Forget what a request asked for when none of its tasks is left, and mark as deleted the files
-- that it brought itself (data: addresses, stored in its own transaction); answers these files.
WITH asked AS (
    SELECT b.id, b.created_at, b.input
      FROM batches b
     WHERE b.id IN (SELECT batch_id FROM tasks WHERE id = %(task_id)s
                     UNION ALL SELECT id FROM batches WHERE continues = %(task_id)s)
       AND b.account_id = %(account_id)s
       AND NOT EXISTS (SELECT 1 FROM tasks o WHERE o.batch_id = b.id AND o.deleted_at IS NULL)
), forgotten AS (
    UPDATE batches SET input = '{"fields": {}, "files": {}}' FROM asked
     WHERE batches.id = asked.id
), brought AS (
    SELECT substring(one FROM 6) AS file, created_at
      FROM asked, jsonb_each(input->'files') AS field (name, named),
           jsonb_array_elements_text(named) AS one
     WHERE one LIKE 'file:%%'
)
UPDATE assets SET deleted_at = now() FROM brought
 WHERE assets.file = brought.file AND assets.account_id = %(account_id)s
   AND assets.created_at = brought.created_at AND task_id IS NULL AND deleted_at IS NULL
RETURNING assets.file;
